"""Restores sets: into a directory or a new database, where nothing is replaced."""
