"""Families of every collector, built from recorded input, for the golden /metrics."""
