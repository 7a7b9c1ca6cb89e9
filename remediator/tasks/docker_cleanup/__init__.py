"""docker-cleanup."""
