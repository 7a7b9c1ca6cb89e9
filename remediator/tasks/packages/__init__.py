"""security-update, system-update and package-cleanup."""
