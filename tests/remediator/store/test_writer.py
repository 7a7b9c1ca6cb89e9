"""The writer's thread: one thing after the other, urgent ones first."""

import threading
from concurrent.futures import Future

import pytest

from remediator.store.writer import Writer


def test_urgent_work_goes_before_what_waits_and_all_else_in_its_order() -> None:
    writer, begun, go = Writer(), threading.Event(), threading.Event()
    done: list[str] = []

    def hold() -> None:
        begun.set()
        go.wait(60)

    writer.submit(hold)
    begun.wait(60)
    handed_in = [
        writer.submit(lambda name=name: done.append(name), urgent=name.startswith("urgent"))  # type: ignore[misc]
        for name in ("one", "urgent one", "two", "urgent two", "three")
    ]
    given_up: Future[None] = writer.submit(lambda: done.append("given up"))
    assert given_up.cancel()
    go.set()
    writer.shutdown()
    assert done == ["urgent one", "urgent two", "one", "two", "three"]
    assert all(future.done() for future in handed_in)
    with pytest.raises(RuntimeError):
        writer.submit(hold, urgent=True)


def test_an_error_is_its_own_and_the_next_goes_on() -> None:
    writer = Writer()

    def fails() -> None:
        raise KeyError("no")

    wrong, right = writer.submit(fails), writer.submit(lambda: 7)
    with pytest.raises(KeyError):
        wrong.result(60)
    assert right.result(60) == 7
    writer.shutdown()
