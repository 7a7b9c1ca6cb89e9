"""Metric families of each collector from recorded input and a fixed clock, for the golden exposition."""
