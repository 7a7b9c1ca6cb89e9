"""Backups: directories, restic repositories and results."""
