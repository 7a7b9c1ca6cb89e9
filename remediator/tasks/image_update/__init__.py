"""image-update."""
