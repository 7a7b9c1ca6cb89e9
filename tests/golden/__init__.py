"""Families of each collector from recorded input: a module a kind, with ``families()``."""
