"""Measures a self-hosted stack and publishes what it finds as Prometheus metrics."""

__version__: str
"""Of the installed package, whose metadata are read when it is first asked for: that takes its time."""


def __getattr__(name: str) -> str:
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("upkeeper")
    except PackageNotFoundError:  # run from a source tree that was never installed
        found = "0.0.0"
    globals()["__version__"] = found
    return found
