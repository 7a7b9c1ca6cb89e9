"""Copies of sets."""
