"""Starting, restarting and ending processes, with small ones in place of the four, by the real supervisor."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.helpers import wait_until
from tests.ports import free_port
from tests.servers import answers
from upkeeper.up.prepare import OUR_CODE
from upkeeper.up.processes import ProcessSpec
from upkeeper.up.supervise.supervisor import backoff, ending

STAND_IN = Path(__file__).with_name("stand_in.py")
PROGRAM = f"""\
import sys; sys.path.insert(0, {str(OUR_CODE)!r})
from upkeeper.up.supervise.program import main
status = main(0)
print("modules", *sorted(sys.modules)) if "-v" in sys.argv else None
sys.exit(status)
"""


def spec(name: str, directory: Path, *mode: str, stop_within: float = 15.0) -> ProcessSpec:
    port = free_port()
    argv = [sys.executable, str(STAND_IN), str(port), *mode]
    return ProcessSpec(name, argv, f"http://127.0.0.1:{port}/-/ready", directory / f"{name}.log", stop_within)


def plan(specs: Sequence[ProcessSpec], **more: Any) -> dict[str, Any]:
    return {
        "services": {"argv": [], "env": {}, "of": []},
        "programs": [one.document() for one in specs],
        "announce": [sys.executable, "-c", "print('all are ready')"],
        "rewrite": None,
        "config": None,
        "remove": [],
        "locks": [],
        "verbose": False,
        "log_format": None,
        **more,
    }


class Running:
    """A supervisor and what it has started."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, specs: Sequence[ProcessSpec]) -> None:
        self.process = process
        self.output = output
        self._specs = {one.name: one for one in specs}

    def pid(self, name: str) -> int | None:
        """The process id of the one of that name, while there is one that has become its program."""
        for child in psutil.Process(self.process.pid).children():
            try:
                if child.cmdline() == list(self._specs[name].argv):
                    return child.pid
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return None

    def text(self) -> str:
        return self.output.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """The log lines."""
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait)


def start(directory: Path, document: dict[str, Any], specs: Sequence[ProcessSpec], *flags: str) -> Running:
    output = directory / "supervisor.log"
    with (directory / "plan").open("w+b") as file, output.open("wb") as out:
        file.write(json.dumps(document).encode())
        file.seek(0)
        command = [sys.executable, "-I", "-S", "-c", PROGRAM, *flags]
        process = subprocess.Popen(command, stdin=file, stdout=out, stderr=out)
    return Running(process, output, specs)


@asynccontextmanager
async def running(directory: Path, *specs: ProcessSpec, **more: Any) -> AsyncIterator[Running]:
    supervised = start(directory, plan(specs, **more), specs)
    try:
        await wait_until(lambda: "all are ready" in supervised.text(), what="all to be ready")
        yield supervised
    finally:
        for _ in range(2):
            if supervised.process.poll() is None:
                supervised.process.terminate()
        await asyncio.to_thread(supervised.process.wait)


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_all_are_ready_after_start_and_gone_after_stop(tmp_path: Path) -> None:
    specs = [spec("first", tmp_path), spec("second", tmp_path)]
    (tmp_path / "endpoints").touch()
    async with running(tmp_path, *specs, remove=[str(tmp_path / "endpoints"), str(tmp_path / "never")]) as supervised:
        pids = [supervised.pid("first"), supervised.pid("second")]
        assert [await answers(one.ready) for one in specs] == [True, True]
        assert await supervised.end() == 0
        assert all(pid is not None and gone(pid) for pid in pids)
        assert not (tmp_path / "endpoints").exists()


async def test_a_process_that_ends_is_started_again(tmp_path: Path) -> None:
    one = spec("one", tmp_path)
    async with running(tmp_path, one) as supervised:
        before = supervised.pid("one")
        assert before is not None
        os.kill(before, signal.SIGKILL)
        await wait_until(lambda: supervised.pid("one") not in (None, before), what="another process")
        await wait_until(lambda: answers(one.ready), what="it to answer")
        assert gone(before)
        (line,) = [line for line in supervised.lines() if line["message"] == "process ended"]
        assert (line["process"], line["how"], line["starting_again_in_seconds"]) == (
            "one",
            "was killed by SIGKILL",
            1.0,
        )


async def test_one_that_ends_before_it_is_ready_fails_the_start_with_its_last_words(tmp_path: Path) -> None:
    bad = ProcessSpec(
        "bad", [sys.executable, "-c", "print('no such option'); exit(3)"], "http://127.0.0.1:9/", tmp_path / "bad.log"
    )
    good = spec("good", tmp_path)
    supervised = start(tmp_path, plan([good, bad]), [good, bad])
    assert await asyncio.to_thread(supervised.process.wait) == 1
    assert "error: bad ended with status 3 before it was ready\n  no such option\n" in supervised.text()
    assert not await answers(good.ready)


async def test_a_program_that_cannot_be_run_fails_the_start(tmp_path: Path) -> None:
    nothing = ProcessSpec("nothing", ["/nonexistent/program"], "http://127.0.0.1:9/", tmp_path / "nothing.log")
    supervised = start(tmp_path, plan([nothing]), [nothing])
    assert await asyncio.to_thread(supervised.process.wait) == 1
    assert "error: nothing ended with status 1" in supervised.text()
    assert "/nonexistent/program" in supervised.text()


async def test_one_that_ignores_sigterm_is_killed_in_the_end(tmp_path: Path) -> None:
    async with running(tmp_path, spec("stubborn", tmp_path, "stubborn", stop_within=0.2)) as supervised:
        pid = supervised.pid("stubborn")
        assert await supervised.end() == 1
        assert pid is not None
        assert gone(pid)
        assert "process had to be killed" in supervised.text()


async def test_a_second_signal_kills_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, spec("stubborn", tmp_path, "stubborn", stop_within=3600)) as supervised:
        supervised.process.terminate()
        await wait_until(lambda: "stopping" in supervised.text(), what="it to stop")
        assert await supervised.end(signal.SIGINT) == 1


async def test_what_a_process_started_ends_with_it(tmp_path: Path) -> None:
    async with running(tmp_path, spec("parent", tmp_path, "parent")) as supervised:
        grandchild = int((tmp_path / "parent.log").read_text().split()[0])
        assert not gone(grandchild)
        await supervised.end()
        await wait_until(lambda: gone(grandchild), what="the process of the process to end")


async def test_what_follows_from_a_changed_config_reaches_the_process(tmp_path: Path) -> None:
    config = tmp_path / "upkeeper.yml"
    config.write_text("old")
    rewrite = [sys.executable, "-c", 'print(\'{"one": true, "other": false}\')']
    async with running(tmp_path, spec("one", tmp_path), rewrite=rewrite, config=str(config)) as supervised:
        supervised.process.send_signal(signal.SIGHUP)
        log = tmp_path / "one.log"
        await wait_until(lambda: log.read_text().count("reloaded"), equals=1, what="the process to reload")
        config.write_text("newer")
        await wait_until(lambda: log.read_text().count("reloaded"), equals=2, what="the process to reload again")


async def test_nothing_is_reloaded_when_the_config_is_refused(tmp_path: Path) -> None:
    rewrite = [sys.executable, "-c", "import sys; print('refused', file=sys.stderr); sys.exit(1)"]
    async with running(tmp_path, spec("one", tmp_path), rewrite=rewrite) as supervised:
        supervised.process.send_signal(signal.SIGHUP)
        await wait_until(lambda: "refused" in supervised.text(), what="the refusal")
        await supervised.end()
        assert "reloaded" not in (tmp_path / "one.log").read_text()


async def test_kill_9_of_the_supervisor_leaves_no_process(tmp_path: Path) -> None:
    async with running(tmp_path, spec("one", tmp_path, "stubborn")) as supervised:
        pid = supervised.pid("one")
        assert pid is not None
        supervised.process.kill()
        await wait_until(lambda: gone(pid), what="the process to end with its supervisor")


async def test_it_is_made_of_little(tmp_path: Path) -> None:
    """Libraries, and parts of the standard library that would double it, are not for what lives with the stack."""
    one = spec("one", tmp_path)
    supervised = start(tmp_path, plan([one]), [one], "-v")
    await wait_until(lambda: "all are ready" in supervised.text(), what="all to be ready")
    assert await supervised.end() == 0
    modules = supervised.text().split("modules ")[1].split()
    assert not {"asyncio", "typing", "dataclasses", "pathlib", "subprocess", "logging", "ssl"} & set(modules)
    ours = [name for name in modules if name.partition(".")[0] in ("exporter", "remediator", "upkeeper")]
    assert all(name.startswith("upkeeper.up.supervise") or name in ("upkeeper", "upkeeper.up") for name in ours)


def test_the_wait_doubles_and_is_bounded() -> None:
    assert [backoff(ends) for ends in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]


def test_an_ending_is_named() -> None:
    assert ending(2) == "ended with status 2"
    assert ending(-9) == "was killed by SIGKILL"
    assert ending(-40) == "was killed by signal 40"
