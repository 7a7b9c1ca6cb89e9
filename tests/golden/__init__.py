"""Families of each kind, made from recorded input, for the golden ``/metrics``."""
