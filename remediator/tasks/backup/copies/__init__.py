"""Copies of sets in other places: restic repositories."""
