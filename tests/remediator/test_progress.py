"""How far an action has come: told from anywhere in it, heard of while it goes on, forgotten after it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from remediator.progress import Counter, Progress, Underway, tell, watched
from remediator.tasks.worker import in_loop, in_thread


def test_without_a_listener_it_is_nothing() -> None:
    tell(1, 2)
    Counter(10).add(3)


async def test_what_is_told_in_threads_and_their_loops_is_heard() -> None:
    underway = Underway()

    async def below(_: object) -> None:
        tell(50, 100, "percent", "scanning heap")

    with underway.of(7, 2):
        assert underway.seen(7) is None
        await in_thread(lambda _: tell(3, 9, "files"))
        assert underway.seen(7) == (2, Progress(3, 9, "files", ""))
        await in_loop(below)
        assert underway.seen(7) == (2, Progress(50, 100, "percent", "scanning heap"))
    assert underway.seen(7) is None


async def test_runs_beside_each_other_are_told_apart() -> None:
    underway, both = Underway(), asyncio.Barrier(2)

    async def act(run: int) -> tuple[int, Progress] | None:
        with underway.of(run, run):
            await in_thread(lambda _: tell(run, 10 * run))
            await both.wait()
            return underway.seen(run)

    assert await asyncio.gather(act(1), act(2)) == [
        (1, Progress(1, 10, "bytes", "")), (2, Progress(2, 20, "bytes", ""))
    ]  # fmt: skip


def test_threads_of_its_own_add_up() -> None:
    underway = Underway()
    with underway.of(1, 0), ThreadPoolExecutor(4) as pool:
        counter = Counter(1000, "files")
        list(pool.map(counter.add, [1] * 900))
        assert underway.seen(1) == (0, Progress(900, 1000, "files", ""))


def test_an_estimate_that_did_not_hold_is_no_total() -> None:
    underway = Underway()
    with underway.of(1, 0):
        for done, told in ((-3, 100), (99, 100), (100, 100), (101, None)):
            tell(done, 100)
            assert underway.seen(1) == (0, Progress(max(0, done), told, "bytes", ""))
        counter = Counter(2)
        counter.add(3)
        assert underway.seen(1) == (0, Progress(3, None, "bytes", ""))


async def test_what_another_program_writes_is_watched(tmp_path: Path) -> None:
    underway, file = Underway(), tmp_path / "dump"

    async def until(told: Progress) -> None:
        while underway.seen(1) != (0, told):
            await asyncio.sleep(0.005)

    with underway.of(1, 0):
        async with watched(lambda: file.stat().st_size, 10, every=0.01), asyncio.timeout(20):
            file.write_bytes(b"1234")  # before that there was nothing to look at
            await until(Progress(4, 10, "bytes", ""))
            file.write_bytes(b"12345678")
            await until(Progress(8, 10, "bytes", ""))
