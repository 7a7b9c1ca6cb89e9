"""Memory that a process which lives for months need not spend."""

import sys

_UNWANTED = ("rich", "greenlet")


def leave_out_unwanted() -> None:
    """Lets libraries find these missing: structlog and httpx import them, 4 MB, for terminals and other event loops.

    To be called before those are imported. None in ``sys.modules`` means that there is no such module:
    https://docs.python.org/3/reference/import.html#the-module-cache
    """
    for name in _UNWANTED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
