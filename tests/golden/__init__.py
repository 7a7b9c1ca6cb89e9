"""Families of every collector from recorded input, for the golden /metrics."""
