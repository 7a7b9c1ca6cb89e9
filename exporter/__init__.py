"""Measures a self-hosted stack and publishes what it finds as Prometheus metrics."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("upkeeper")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0.0.0"
