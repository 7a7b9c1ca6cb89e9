"""Memory that a process which lives for months need not spend."""

import sys


def leave_out(*names: str) -> None:
    """Lets libraries find these modules missing: what imports them takes them only if they are there.

    To be called before those are imported. None in ``sys.modules`` means that there is no such module:
    https://docs.python.org/3/reference/import.html#the-module-cache
    """
    for name in names:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
