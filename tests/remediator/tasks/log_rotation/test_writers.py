"""Writers that never stop, in real processes: every line they wrote is found once."""

import asyncio
import os
import threading
from collections import Counter
from pathlib import Path

import pytest

from remediator.files.compress import Copy
from remediator.files.folder import Folder, Identity, open_root
from remediator.model.task import TaskError
from remediator.tasks.log_rotation import cut
from remediator.tasks.log_rotation.names import temporary_name
from remediator.tasks.log_rotation.task import LogRotation
from tests.helpers import long_form, rounds, wait_until
from tests.remediator.tasks.log_rotation.logdir import (
    KIB,
    Writer,
    lines,
    mounted,
    names,
    numbered,
    require_collapse,
    rotated,
    run,
    task,
)

ROTATIONS = rounds("ROTATIONS", 3, 5)


def expected(count: int) -> dict[bytes, int]:
    return {b"%09d written by one that never stops" % n: 1 for n in range(count)}


async def rotate_while_it_grows(rotation: LogRotation, log: Path) -> None:
    """Rotates the log several times, each time when some more was written."""
    for number in range(1, ROTATIONS + 1):
        await wait_until(lambda: log.exists() and log.stat().st_blocks > 200, what="the log to grow")
        await run(rotation)
        assert len(rotated(log.parent)) == number


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize(
    ("append", "compress"), [(True, True), (False, False), *(((True, False), (False, True)) if long_form() else ())]
)
async def test_copytruncate_loses_no_line_of_a_writer_that_never_stops(
    tmp_path: Path, append: bool, compress: bool
) -> None:
    """Where the file system can cut a log safely. A writer without O_APPEND goes on at its own position."""
    require_collapse(tmp_path)
    log = tmp_path / "app.log"
    with Writer(log, append=append) as writer:
        await rotate_while_it_grows(task(tmp_path, rotation={"compress": compress}), log)
        count = writer.stop()
    assert lines(tmp_path) == expected(count)


@pytest.mark.torture
@pytest.mark.parametrize("reopen", [True, False])
async def test_rename_loses_no_line_of_a_writer_that_never_stops(tmp_path: Path, reopen: bool) -> None:
    """One that opens its log anew all the time, and one that goes on writing to the renamed file."""
    log = tmp_path / "app.log"
    rotation = task(tmp_path, rotation={"method": "rename"})
    with Writer(log, reopen=reopen) as writer:
        if reopen:
            await rotate_while_it_grows(rotation, log)
        else:
            await wait_until(lambda: log.exists() and log.stat().st_size > 100 * KIB, what="the log to grow")
            await run(rotation)
            await run(rotation)
            (renamed,) = rotated(tmp_path)
            size = renamed.stat().st_size
            await wait_until(lambda: renamed.stat().st_size > size, what="the renamed log to grow")
        count = writer.stop()
    assert lines(tmp_path) == expected(count)
    await run(rotation)
    assert lines(tmp_path) == expected(count)
    assert not [path for path in rotated(tmp_path) if path.suffix != ".gz"]


async def test_a_writer_too_fast_to_be_copied_where_logs_can_only_be_truncated(tmp_path: Path) -> None:
    """It is left as it is, with a sentence, unless a moment without a write was found."""
    with mounted(tmp_path / "tmpfs", "tmpfs", 200 * 1024 * KIB) as directory:
        log = directory / "app.log"
        with Writer(log) as writer:
            await wait_until(lambda: log.exists() and log.stat().st_size > 100 * KIB, what="the log to grow")
            rotation = task(directory)
            (action,) = (await rotation.plan("logs")).actions
            failure = ""
            try:
                await rotation.apply("logs", action)
            except TaskError as error:
                failure = str(error)
            count = writer.stop()
        found, written = lines(directory), expected(count)
        assert {line: 1 for line in written if line in found} == found
        missing = [number for number, line in enumerate(written) if line not in found]
        if failure:
            assert "written to faster than it can be copied" in failure
            assert names(directory) == ["app.log"]
            assert missing == []
        elif missing:
            # Only what was written between the last look and the truncation can be lost here.
            assert missing == list(range(missing[0], missing[-1] + 1))


async def test_a_slow_writer_where_logs_can_only_be_truncated(tmp_path: Path) -> None:
    with mounted(tmp_path / "tmpfs", "tmpfs", 200 * 1024 * KIB) as directory:
        log = directory / "app.log"
        before = b"a line from before\n" * 10_000
        log.write_bytes(before)
        fd = os.open(log, os.O_WRONLY | os.O_APPEND)
        try:
            await run(task(directory))
            assert log.stat().st_size == 0
            os.write(fd, b"the next line\n")
        finally:
            os.close(fd)
        assert log.read_bytes() == b"the next line\n"
        assert lines(directory) == {b"a line from before": 10_000, b"the next line": 1}


async def test_a_cancelled_action_stops_and_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(os.urandom(64 * KIB * KIB))  # takes its time, since it cannot be compressed
    before = log.stat()
    rotation = task(tmp_path, rotation={"method": "copytruncate"})
    (action,) = (await rotation.plan("logs")).actions
    running = asyncio.create_task(rotation.apply("logs", action))
    await wait_until(lambda: len(names(tmp_path)) > 1, what="the copy to begin")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert names(tmp_path) == ["app.log"]
    assert (log.stat().st_size, log.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize("size", [100, 200 * KIB])
async def test_a_stop_after_the_cut_comes_too_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Told to stop at the very moment that the log was cut, it finishes what it had begun."""
    log = tmp_path / "app.log"
    written = numbered(0, size // 30)
    log.write_bytes(written)
    stop = threading.Event()
    taken = cut._cut

    def cut_and_stop(fd: int, copy: Copy, end: int, sample: cut._Sample) -> int:
        rest = taken(fd, copy, end, sample)
        stop.set()
        return rest

    monkeypatch.setattr(cut, "_cut", cut_and_stop)
    with open_root(str(tmp_path)) as root:
        identity = Identity.of(log.stat())
        done = cut.copy_and_cut(
            root, "app.log", identity, "app.log-20260101-000000.gz", temporary_name("0-0", "copy", "app.log"), stop
        )
    assert done is not None
    assert names(tmp_path) == ["app.log", done[0]]
    assert lines(tmp_path) == Counter(written.splitlines())


@pytest.mark.parametrize("size", [100, 200 * KIB])
@pytest.mark.parametrize("compress", [True, False])
async def test_a_log_that_another_program_cut_and_that_grew_again_loses_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, compress: bool
) -> None:
    """Cut right before we cut it, and larger than before by then: what was copied is not what it holds."""
    log = tmp_path / "app.log"
    before, after = numbered(0, size // 30), numbered(10**6, size // 20)
    log.write_bytes(before)
    taken = cut._cut

    def cut_first(fd: int, copy: Copy, end: int, sample: cut._Sample) -> int:
        log.write_bytes(after)
        return taken(fd, copy, end, sample)

    monkeypatch.setattr(cut, "_cut", cut_first)
    rotation = task(tmp_path, rotation={"method": "copytruncate", "compress": compress, "max_file_bytes": 1})
    [(_, effect), *_] = await run(rotation)
    (copy,) = rotated(tmp_path)
    assert effect.state == "skipped"
    assert effect.detail == f"left alone: another program cut it while it was copied; {copy.name} keeps what was copied"
    assert log.read_bytes() == after
    assert lines(tmp_path) == Counter((before + after).splitlines())
    assert len(names(tmp_path)) == 2


@pytest.mark.parametrize("removed_before_the_cut", [True, False])
@pytest.mark.parametrize("compress", [True, False])
async def test_a_log_whose_copy_another_program_removed_loses_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed_before_the_cut: bool, compress: bool
) -> None:
    """It is not cut; or, where it was cut already, the copy is put back."""
    log = tmp_path / "app.log"
    log.write_bytes(numbered(0, 10_000))
    before = log.read_bytes()
    kept, looks = cut._is_kept, []

    def remove_first(folder: Folder, name: str, sink: int) -> bool:
        looks.append(name)
        if len(looks) == (1 if removed_before_the_cut else 2):
            for path in tmp_path.iterdir():
                if path != log:
                    path.unlink()
            (tmp_path / name).write_bytes(b"")  # another's, under the same name
        return kept(folder, name, sink)

    monkeypatch.setattr(cut, "_is_kept", remove_first)
    rotation = task(tmp_path, rotation={"method": "copytruncate", "compress": compress})
    [(_, effect), *_] = await run(rotation)
    another = tmp_path / looks[0]
    assert another.read_bytes() == b""
    another.unlink()
    assert lines(tmp_path) == Counter(before.splitlines())
    if removed_before_the_cut:
        assert (effect.state, effect.detail) == ("skipped", "left alone: another program removed its copy")
        assert names(tmp_path) == ["app.log"]
    else:
        assert effect.state == "done"
        assert len(rotated(tmp_path)) == 1
