import asyncio
import time
from collections.abc import Sequence

from remediator.evidence.gather import MAX_CHARACTERS, MAX_LINE, MAX_LINES, gather
from remediator.model.evidence import Source


def source(name: str, *lines: str) -> Source:
    async def give() -> Sequence[str]:
        return lines

    return Source(name, give)


async def test_one_that_hangs_or_fails_costs_only_itself() -> None:
    async def hangs() -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async def fails() -> Sequence[str]:
        raise ZeroDivisionError("password=hunter2")

    began = time.monotonic()
    found = await gather([source("a", "fine"), Source("b", hangs), Source("c", fails), source("d", "too")], 0.1)
    assert time.monotonic() - began < 30
    assert [(one.name, list(one.lines), one.problem) for one in found] == [
        ("a", ["fine"], ""),
        ("b", [], "not known within 0.1 s"),
        ("c", [], "ZeroDivisionError: password=(not shown)"),
        ("d", ["too"], ""),
    ]


async def test_the_end_is_kept_of_what_is_too_much() -> None:
    many, long, wide = await gather(
        [
            source("many", *(f"line {number}" for number in range(1000))),
            source("long", "x " * 5_000),
            source("wide", *("y" * 400 for _ in range(70))),
        ]
    )
    assert len(many.lines) == MAX_LINES + 1
    assert many.lines[0] == "(920 lines before this are not kept)"
    assert many.lines[-1] == "line 999"
    assert list(long.lines) == ["x " * (MAX_LINE // 2) + "..."]
    assert sum(len(line) + 1 for line in wide.lines[1:]) <= MAX_CHARACTERS


async def test_a_secret_is_hidden_before_anything_is_cut() -> None:
    (found,) = await gather([source("log", "x" * (MAX_LINE - 10) + " token=abcdefghijklmnop")])
    assert "abcdef" not in found.lines[0]
