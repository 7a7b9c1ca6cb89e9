"""sqlite-shrink."""
