"""The tasks about performance."""
