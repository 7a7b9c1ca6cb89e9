"""Memory that a process which lives for months need not spend, and time that a short one need not."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


def leave_out(*names: str) -> None:
    """Lets libraries find these modules missing: what imports them takes them only if they are there.

    To be called before those are imported. None in ``sys.modules`` means that there is no such module:
    https://docs.python.org/3/reference/import.html#the-module-cache
    """
    for name in names:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


class _Late(ModuleType):
    """Stands for a module until something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by the import system, and answered by every module that has it
            raise AttributeError(name)
        if name in self.__dict__.get("_parts", ()):
            return _Late(f"{self.__name__}.{name}")
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def imported_when_used(name: str, *parts: str) -> Iterator[None]:
    """What is imported within finds a stand-in for a module, which imports the module when something of it is used.

    For a library that imports another one for what it then does not do. parts: submodules that are only imported
    by name from it and stood for as well. Nothing happens where the module has been imported already.
    """
    if name in sys.modules:
        yield
        return
    late = _Late(name)
    late.__dict__["_parts"] = frozenset(parts)
    sys.modules[name] = late
    try:
        yield
    finally:
        if sys.modules.get(name) is late:
            del sys.modules[name]


@contextmanager
def left_out(*names: str) -> Iterator[None]:
    """As leave_out, for what is imported in the block. Who needs the modules after it can have them."""
    missing = [name for name in names if name not in sys.modules]
    leave_out(*missing)
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]
