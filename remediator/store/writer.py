"""The one thread that writes: what somebody waits for at the other end of a connection goes before all else."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Writer:
    """Work is done one after the other, in its order; urgent work before what is not.

    Whoever hands in urgent work without end keeps the rest waiting for ever: the webhook's next commit is handed in
    when the one before is done, so that something else goes between two of them.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-write")
        self._urgent: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._rest: deque[tuple[Future[Any], Callable[[], Any]]] = deque()

    def submit(self, work: Callable[[], T], *, urgent: bool = False) -> "Future[T]":
        """Raises RuntimeError after the shutdown."""
        future: Future[T] = Future()
        queue = self._urgent if urgent else self._rest
        queue.append((future, work))
        try:
            self._thread.submit(self._next)
        except RuntimeError:
            queue.pop()
            raise
        return future

    def _next(self) -> None:
        # Asked once for each piece of work, so that one of the two has something.
        future, work = (self._urgent or self._rest).popleft()
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 it is raised where it is waited for
            future.set_exception(error)
        else:
            future.set_result(result)

    def shutdown(self) -> None:
        """Ends after all that was handed in is done."""
        self._thread.shutdown()
