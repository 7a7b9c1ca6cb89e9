"""Python's collector of cycles, held while it would only slow down what is done."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Pauses:
    """How many pieces of work ask for a pause at this moment."""

    lock = threading.Lock()
    count = 0
    was_on = False


@contextmanager
def no_search_for_cycles() -> Iterator[None]:
    """Keeps Python's collector from looking for cycles, in the whole process, until the last such block has ended.

    For work that makes hundreds of thousands of objects without a cycle and that waits for nothing: the collector would
    go through all of them again and again, which takes longer than the work. Reference counts free memory as ever.
    """
    with _Pauses.lock:
        if _Pauses.count == 0:
            _Pauses.was_on = gc.isenabled()
            gc.disable()
        _Pauses.count += 1
    try:
        yield
    finally:
        with _Pauses.lock:
            _Pauses.count -= 1
            if _Pauses.count == 0 and _Pauses.was_on:
                gc.enable()
