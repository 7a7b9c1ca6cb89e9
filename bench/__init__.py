"""Benchmarks of Upkeeper beside its peers on the machine they run on: ``python -m bench``."""
