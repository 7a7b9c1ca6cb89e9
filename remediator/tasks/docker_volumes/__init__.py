"""docker-volume-cleanup."""
