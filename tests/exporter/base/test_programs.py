"""Programs that answer, fail, write without end, or hang with their children."""

import asyncio
import os
import signal
import threading
from pathlib import Path

import psutil
import pytest

from exporter.base.programs import CommandFailed, Program, run
from tests.exporter.scripts import HANG, alive, script
from tests.helpers import wait_until


async def test_what_a_program_leaves_behind(tmp_path: Path) -> None:
    done = await run([str(script(tmp_path, "p", "echo out; echo first >&2; echo 'bad thing' >&2; exit 3"))])
    assert (done.status, done.output, done.errors) == (3, "out\n", "first\nbad thing\n")
    assert done.complaint == "exit status 3: bad thing"


async def test_one_that_a_signal_ends(tmp_path: Path) -> None:
    done = await run([str(script(tmp_path, "p", "kill -9 $$"))])
    assert done.status == -9
    assert done.complaint == "exit status -9"


async def test_credentials_of_urls_are_not_repeated(tmp_path: Path) -> None:
    urls = "https://me:hunter2-hunter2@deb.example.org/x http://hunter2-hunter2@proxy:3128 https://plain.example.org"
    done = await run([str(script(tmp_path, "p", f"echo 'E: cannot fetch {urls}' >&2; exit 100"))])
    assert done.complaint == (
        "exit status 100: E: cannot fetch https://deb.example.org/x http://proxy:3128 https://plain.example.org"
    )


async def test_one_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        await run(["/nowhere/program"], polite=False)


async def test_it_speaks_english_has_nothing_to_read_and_knows_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_PASSWORD", "hunter2-hunter2")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    done = await run([str(script(tmp_path, "p", "cat; env"))], environment={"MORE": "1"})
    environment = dict(line.split("=", 1) for line in done.output.splitlines() if "=" in line)
    assert environment["LC_ALL"] == "C"
    assert environment["PATH"] == os.environ["PATH"]
    assert environment["MORE"] == "1"
    assert "hunter2" not in done.output


async def test_it_gives_way_to_everything_else(tmp_path: Path) -> None:
    body = "nice; ionice 2>/dev/null || echo idle"
    polite = await run([str(script(tmp_path, "p", body))])
    assert polite.output.split() == ["19", "idle"]
    assert (await run([str(tmp_path / "p")], polite=False)).output.split()[0] == str(os.nice(0))


async def test_one_that_writes_without_end_is_ended(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = script(tmp_path, "p", f"echo $$ > {pids}; yes a long line of nothing at all")
    with pytest.raises(CommandFailed, match="wrote more than 8388608 bytes"):
        await run([str(program)])
    await wait_until(lambda: not alive([int(pids.read_text())]))


async def test_what_is_thrown_away_may_be_much(tmp_path: Path) -> None:
    program = script(tmp_path, "p", "head -c 9000000 /dev/zero; echo no >&2; exit 3")
    done = await run([str(program)], output=False)
    assert (done.status, done.output, done.errors) == (3, "", "")


def test_as_much_as_the_caller_allows(tmp_path: Path) -> None:
    program = str(script(tmp_path, "p", "printf 12345"))
    assert Program().run([program], {}, max_output=5).output == "12345"
    with pytest.raises(CommandFailed, match="wrote more than 4 bytes"):
        Program().run([program], {}, max_output=4)


async def test_where_it_runs_and_what_of_ours_it_gets_besides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", "/somewhere")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    program = str(script(tmp_path, "p", "pwd; echo ${DOCKER_CONFIG-none} ${SSH_AUTH_SOCK-none}"))
    names = ("DOCKER_CONFIG", "SSH_AUTH_SOCK")
    assert (await run([program], cwd=str(tmp_path), passed_on=names)).output == f"{tmp_path}\n/somewhere none\n"
    assert (await run([program])).output == "/\nnone none\n"


async def test_much_on_standard_error_is_cut_to_whole_lines(tmp_path: Path) -> None:
    done = await run([str(script(tmp_path, "p", "seq 1 100000 >&2; echo well"))])
    assert done.output == "well\n"
    assert 60 * 1024 < len(done.errors) <= 64 * 1024
    first, *_, last = (int(line) for line in done.errors.splitlines())
    assert len(done.errors.splitlines()) == last - first + 1
    assert done.complaint == "exit status 0: 100000"
    endless = await run([str(script(tmp_path, "p", "head -c 100000 /dev/zero | tr '\\0' s >&2; exit 4"))])
    assert (endless.errors, endless.complaint) == ("", "exit status 4")


async def given_up(program: Path, pids: Path) -> None:
    """Gives up on one that goes on, half a second after it has noted its process id."""
    running = asyncio.create_task(run([str(program)]))
    await wait_until(lambda: pids.exists() and pids.read_text().strip(), what="it to run")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await running


async def test_one_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = script(tmp_path, "p", HANG.format(pids=pids))
    running = asyncio.create_task(run([str(program)]))
    await wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 4)
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(alive(started)) == 4
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await wait_until(lambda: not alive(started))


@pytest.mark.slow
async def test_one_that_is_cancelled_at_any_moment_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = script(tmp_path, "p", f"echo $$ >> {pids}; sleep 1000 & echo $! >> {pids}; wait")
    for number in range(40):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(number / 2000):
                await run([str(program)], polite=number % 2 == 0)
    before = len(pids.read_text().split()) if pids.exists() else 0
    running = asyncio.create_task(run([str(program)]))
    await wait_until(lambda: pids.exists() and len(pids.read_text().split()) >= before + 2, what="it to run")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    started = [int(pid) for pid in pids.read_text().split()]
    await wait_until(lambda: not alive(started))


async def test_a_child_that_left_the_group_keeps_no_thread_busy(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = script(tmp_path, "p", f"setsid sh -c 'echo $$ > {pids}; exec sleep 1000' & wait")
    threads = threading.active_count()
    try:
        await given_up(program, pids)
        await wait_until(lambda: threading.active_count() <= threads)
    finally:
        os.kill(int(pids.read_text()), signal.SIGKILL)


async def test_one_that_writes_no_more_but_goes_on(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = script(tmp_path, "p", f"echo $$ > {pids}; exec >&- 2>&-; exec sleep 1000")
    await given_up(program, pids)
    await wait_until(lambda: not alive([int(pids.read_text())]))


async def test_one_that_ended_but_left_somebody_with_its_output(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = script(tmp_path, "p", f"sleep 1000 & echo $! > {pids}; echo well")
    await given_up(program, pids)
    await wait_until(lambda: not alive([int(pids.read_text())]))


async def test_what_it_leaves_behind_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    body = f"sleep 1000 > /dev/null 2>&1 & echo $! > {pids}; echo well"
    assert (await run([str(script(tmp_path, "p", body))])).output == "well\n"
    await wait_until(lambda: not alive([int(pids.read_text())]))


def test_one_that_is_given_up_before_it_starts_never_does(tmp_path: Path) -> None:
    program = Program()
    program.kill()
    with pytest.raises(CommandFailed, match="given up"):
        program.run([str(script(tmp_path, "p", f"touch {tmp_path}/started"))], {})
    assert not (tmp_path / "started").exists()


@pytest.mark.slow
async def test_a_hundred_that_answer_fail_or_hang_leave_nothing_behind(tmp_path: Path) -> None:
    well, bad = script(tmp_path, "well", "echo x"), script(tmp_path, "bad", "exit 1")
    hung = script(tmp_path, "hung", "sleep 1000")
    me = psutil.Process()
    await run([str(well)])
    files, children, threads = me.num_fds(), len(me.children(recursive=True)), threading.active_count()
    for _ in range(30):
        await run([str(well)])
        await run([str(bad)])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await run([str(hung)])
    await wait_until(lambda: len(me.children(recursive=True)) <= children)
    await wait_until(lambda: threading.active_count() <= threads)
    await wait_until(lambda: me.num_fds() <= files, what=f"open files to be {files} again")
