"""Starting, restarting and ending processes, with small ones in place of the four."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from tests.helpers import free_port, wait_until
from tests.servers import answers
from upkeeper.up.child import ProcessSpec
from upkeeper.up.supervisor import StartError, Supervisor, backoff, ending

STAND_IN = Path(__file__).with_name("stand_in.py")


def spec(name: str, directory: Path, *mode: str, stop_within: float = 15.0) -> ProcessSpec:
    port = free_port()
    argv = [sys.executable, str(STAND_IN), str(port), *mode]
    return ProcessSpec(name, argv, f"http://127.0.0.1:{port}/-/ready", directory / f"{name}.log", stop_within)


@asynccontextmanager
async def running(*specs: ProcessSpec) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(specs, answers)
    try:
        await supervisor.start()
        yield supervisor
    finally:
        supervisor.hurry()
        await supervisor.stop()


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_all_are_ready_after_start_and_gone_after_stop(tmp_path: Path) -> None:
    specs = [spec("first", tmp_path), spec("second", tmp_path)]
    async with running(*specs) as supervisor:
        pids = [supervisor.pid("first"), supervisor.pid("second")]
        assert [await answers(one.ready) for one in specs] == [True, True]
        assert await supervisor.stop()
        assert all(gone(pid) for pid in pids)


async def test_a_process_that_ends_is_started_again(tmp_path: Path) -> None:
    one = spec("one", tmp_path)
    async with running(one) as supervisor:
        before = supervisor.pid("one")
        os.kill(before, signal.SIGKILL)
        await wait_until(lambda: supervisor.pid("one") != before, what="another process")
        await wait_until(lambda: answers(one.ready), what="it to answer")
        assert gone(before)


async def test_one_that_ends_before_it_is_ready_fails_the_start_with_its_last_words(tmp_path: Path) -> None:
    bad = ProcessSpec(
        "bad", [sys.executable, "-c", "print('no such option'); exit(3)"], "http://127.0.0.1:9/", tmp_path / "bad.log"
    )
    supervisor = Supervisor([spec("good", tmp_path), bad], answers)
    with pytest.raises(StartError, match="bad ended with status 3 before it was ready") as caught:
        await supervisor.start()
    assert list(caught.value.tail) == ["no such option"]
    good = supervisor.pid("good")
    await supervisor.stop()
    assert gone(good)


async def test_a_program_that_cannot_be_run_fails_the_start(tmp_path: Path) -> None:
    nothing = ProcessSpec("nothing", ["/nonexistent/program"], "http://127.0.0.1:9/", tmp_path / "nothing.log")
    supervisor = Supervisor([nothing], answers)
    with pytest.raises(StartError, match="nothing ended with status 1") as caught:
        await supervisor.start()
    assert "/nonexistent/program" in "".join(caught.value.tail)
    await supervisor.stop()


async def test_one_that_ignores_sigterm_is_killed_in_the_end(tmp_path: Path) -> None:
    async with running(spec("stubborn", tmp_path, "stubborn", stop_within=0.2)) as supervisor:
        pid = supervisor.pid("stubborn")
        assert not await supervisor.stop()
        assert gone(pid)


async def test_hurry_kills_at_once(tmp_path: Path) -> None:
    async with running(spec("stubborn", tmp_path, "stubborn", stop_within=3600)) as supervisor:
        stop = asyncio.create_task(supervisor.stop())
        supervisor.hurry()
        assert not await stop


async def test_what_a_process_started_ends_with_it(tmp_path: Path) -> None:
    async with running(spec("parent", tmp_path, "parent")) as supervisor:
        grandchild = int((tmp_path / "parent.log").read_text().split()[0])
        assert not gone(grandchild)
        await supervisor.stop()
        await wait_until(lambda: gone(grandchild), what="the process of the process to end")


async def test_reload_reaches_the_process(tmp_path: Path) -> None:
    async with running(spec("one", tmp_path)) as supervisor:
        supervisor.reload("one")
        await wait_until(lambda: "reloaded" in (tmp_path / "one.log").read_text(), what="the process to reload")


async def test_kill_9_of_the_supervisor_leaves_no_process(tmp_path: Path) -> None:
    ours = spec("one", tmp_path, "stubborn")
    program = f"""
import asyncio
from tests.servers import answers
from upkeeper.up.child import ProcessSpec
from upkeeper.up.supervisor import Supervisor
async def main():
    supervisor = Supervisor([ProcessSpec({ours.name!r}, {ours.argv!r}, {ours.ready!r}, None)], answers)
    await supervisor.start()
    print(supervisor.pid("one"), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=subprocess.PIPE)
    assert process.stdout is not None
    pid = 0
    while not pid:
        line = (await process.stdout.readline()).strip()
        assert line, "the supervisor ended"
        pid = int(line) if line.isdigit() else 0
    assert not gone(pid)
    process.kill()
    await process.wait()
    await wait_until(lambda: gone(pid), what="the process to end with its supervisor")


def test_the_wait_doubles_and_is_bounded() -> None:
    assert [backoff(ends) for ends in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]


def test_an_ending_is_named() -> None:
    assert ending(2) == "ended with status 2"
    assert ending(-9) == "was ended by SIGKILL"
    assert ending(-40) == "was ended by signal 40"
