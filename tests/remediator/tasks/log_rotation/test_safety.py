"""What log-rotation leaves alone, whatever happens between its plan and its actions."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remediator.files import linux
from remediator.files.folder import Folder
from remediator.model.task import Action, TaskError
from remediator.tasks.log_rotation.task import LogRotation
from tests.helpers import missing
from tests.remediator.tasks.log_rotation.logdir import (
    DAY,
    bound,
    content,
    lines,
    listed,
    mounted,
    names,
    run,
    snapshot,
    task,
    write_log,
)

NOW = 1_760_000_000.0
STAMP = "20251009-085320"
METHODS = pytest.mark.parametrize("method", ["rename", "copytruncate"])
OLD = "app.log-20250101-000000.gz"
"""A rotated file of app.log that is over keep_age."""


def make_old(directory: Path, name: str = OLD) -> Path:
    path = directory / name
    path.write_bytes(b"old")
    os.utime(path, (NOW - 300 * DAY, NOW - 300 * DAY))
    return path


async def plan_of_one(rotation: LogRotation, kind: str) -> Action:
    (action,) = [action for action in (await rotation.plan("logs")).actions if action.kind == kind]
    return action


@METHODS
async def test_a_log_that_vanished_is_skipped(tmp_path: Path, method: str) -> None:
    write_log(tmp_path / "app.log")
    rotation = task(tmp_path, rotation={"method": method})
    actions = (await rotation.plan("logs")).actions
    (tmp_path / "app.log").unlink()
    for action in actions:
        assert (await rotation.apply("logs", action)).detail == "left alone: gone"
    assert names(tmp_path) == []


@METHODS
async def test_a_log_that_another_program_rotated_is_skipped(tmp_path: Path, method: str) -> None:
    write_log(tmp_path / "app.log")
    rotation = task(tmp_path, at=NOW, rotation={"method": method})
    action = await plan_of_one(rotation, "rotate")
    (tmp_path / "app.log").rename(tmp_path / "app.log.1")
    write_log(tmp_path / "app.log", start=9000)
    before = snapshot(tmp_path)
    assert (await rotation.apply("logs", action)).detail == "left alone: another file by now"
    assert snapshot(tmp_path) == before


@METHODS
async def test_a_log_that_was_truncated_since_the_plan_is_skipped(tmp_path: Path, method: str) -> None:
    write_log(tmp_path / "app.log")
    rotation = task(tmp_path, at=NOW, rotation={"method": method})
    action = await plan_of_one(rotation, "rotate")
    os.truncate(tmp_path / "app.log", 10)
    assert (await rotation.apply("logs", action)).detail == "left alone: truncated since the plan"
    assert names(tmp_path) == ["app.log"]


@METHODS
@pytest.mark.parametrize("compress", [True, False])
async def test_a_taken_name_is_never_overwritten(tmp_path: Path, method: str, compress: bool) -> None:
    before = write_log(tmp_path / "app.log")
    rotation = task(tmp_path, at=NOW, rotation={"method": method, "compress": compress})
    action = await plan_of_one(rotation, "rotate")
    suffix = ".gz" if method == "copytruncate" and compress else ""
    for name in (f"app.log-{STAMP}{suffix}", f"app.log-{STAMP}-1{suffix}"):
        (tmp_path / name).write_bytes(b"someone else's")
    effect = await rotation.apply("logs", action)
    assert effect.detail.endswith(f"app.log-{STAMP}-2{suffix}")
    assert content(tmp_path / f"app.log-{STAMP}-2{suffix}") == before
    assert (tmp_path / f"app.log-{STAMP}{suffix}").read_bytes() == b"someone else's"


async def test_compressing_does_not_overwrite_either(tmp_path: Path) -> None:
    (tmp_path / "app.log").touch()
    before = write_log(tmp_path / f"app.log-{STAMP}")
    rotation = task(tmp_path, at=NOW)
    action = await plan_of_one(rotation, "compress")
    (tmp_path / f"app.log-{STAMP}.gz").write_bytes(b"someone else's")
    assert (await rotation.apply("logs", action)).state == "done"
    assert content(tmp_path / f"app.log-{STAMP}-1.gz") == before
    assert (tmp_path / f"app.log-{STAMP}.gz").read_bytes() == b"someone else's"


async def test_a_plan_in_the_same_second_takes_the_next_name(tmp_path: Path) -> None:
    write_log(tmp_path / "app.log")
    (tmp_path / f"app.log-{STAMP}.gz").write_bytes(b"")
    os.utime(tmp_path / f"app.log-{STAMP}.gz", (NOW, NOW))
    action = await plan_of_one(task(tmp_path, at=NOW, rotation={"method": "copytruncate"}), "rotate")
    assert action.params["to"] == f"app.log-{STAMP}-1.gz"


async def test_a_rotated_file_that_changed_is_neither_deleted_nor_compressed(tmp_path: Path) -> None:
    (tmp_path / "app.log").touch()
    old = make_old(tmp_path)
    write_log(tmp_path / "app.log-20251001-000000")
    rotation = task(tmp_path, at=NOW)
    actions = (await rotation.plan("logs")).actions
    assert [action.kind for action in actions] == ["delete", "compress"]
    for path in (old, tmp_path / "app.log-20251001-000000"):
        path.touch()
    before = snapshot(tmp_path)
    for action in actions:
        assert (await rotation.apply("logs", action)).detail == "left alone: changed since the plan"
    assert snapshot(tmp_path) == before


async def test_symbolic_links_are_not_followed(tmp_path: Path) -> None:
    outside, logs = tmp_path / "outside", tmp_path / "logs"
    for directory in (outside, logs):
        directory.mkdir()
    write_log(outside / "secret.log")
    make_old(outside)
    (logs / "app.log").symlink_to(outside / "secret.log")
    (logs / OLD).symlink_to(outside / OLD)
    (logs / "deeper").symlink_to(outside)
    before = snapshot(tmp_path)
    rotation = task(logs, at=NOW, recursive=True)
    plan = await rotation.plan("logs")
    assert (plan.actions, snapshot(tmp_path)) == ([], before)
    assert any("a symbolic link" in note and "app.log" in note for note in plan.notes)


async def test_a_root_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(TaskError, match="is a symbolic link; configure the directory that it leads to"):
        await task(tmp_path / "link").plan("logs")


def _replaced_by_link(directory: Path, outside: Path) -> None:
    directory.rename(directory.with_name("moved"))
    directory.symlink_to(outside)


def _replaced_by_directory(directory: Path, outside: Path) -> None:
    directory.rename(directory.with_name("moved"))
    outside.rename(directory)


@METHODS
@pytest.mark.parametrize("swap", [_replaced_by_link, _replaced_by_directory])
@pytest.mark.parametrize("level", ["root", "sub"])
async def test_a_directory_swapped_after_the_plan_is_not_entered(
    tmp_path: Path, method: str, swap: Callable[[Path, Path], None], level: str
) -> None:
    root = tmp_path / "logs"
    sub, outside = root / "sub", tmp_path / "outside"
    for directory in (root, sub, outside):
        directory.mkdir()
    for directory in (sub, outside):
        write_log(directory / "app.log")
        make_old(directory)
    (outside / "sub").mkdir()
    write_log(outside / "sub" / "app.log")
    make_old(outside / "sub")
    rotation = task(root, at=NOW, recursive=True, rotation={"method": method})
    actions = (await rotation.plan("logs")).actions
    assert {action.kind for action in actions} >= {"rotate", "delete"}
    swap(root if level == "root" else sub, outside)
    before = snapshot(tmp_path)
    for action in actions:
        if root.is_symlink():
            with pytest.raises(TaskError, match="is a symbolic link"):
                await rotation.apply("logs", action)
        else:
            assert (await rotation.apply("logs", action)).state == "skipped"
    assert snapshot(tmp_path) == before


async def test_another_directory_at_the_same_path_is_left_alone_even_with_the_same_files(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    write_log(logs / "app.log")
    make_old(logs)
    rotation = task(logs, at=NOW)
    actions = (await rotation.plan("logs")).actions
    logs.rename(tmp_path / "moved")
    logs.mkdir()
    for path in (tmp_path / "moved").iterdir():
        path.rename(logs / path.name)
    before = snapshot(tmp_path)
    for action in actions:
        assert "is another directory by now" in (await rotation.apply("logs", action)).detail
    assert snapshot(tmp_path) == before


async def test_a_log_replaced_in_the_last_moment_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another rotation tool gets in between the last look and the exchange of the names."""
    before = write_log(tmp_path / "app.log")
    rotation = task(tmp_path, at=NOW)
    action = await plan_of_one(rotation, "rotate")

    def late_exchange(directory: int, one: str, other: str, real: Callable[..., bool] = linux.exchange) -> bool:
        monkeypatch.setattr(linux, "exchange", real)
        (tmp_path / "app.log").rename(tmp_path / "app.log.1")
        (tmp_path / "app.log").write_bytes(b"a new log\n")
        return real(directory, one, other)

    monkeypatch.setattr(linux, "exchange", late_exchange)
    assert (await rotation.apply("logs", action)).detail == "left alone: another file by now"
    assert names(tmp_path) == ["app.log", "app.log.1"]
    assert (tmp_path / "app.log").read_bytes() == b"a new log\n"
    assert (tmp_path / "app.log.1").read_bytes() == before


async def test_a_file_swapped_for_a_link_is_left_alone(tmp_path: Path) -> None:
    write_log(tmp_path / "target")
    write_log(tmp_path / "app.log")
    old = make_old(tmp_path)
    rotation = task(tmp_path, at=NOW, rotation={"method": "copytruncate"})
    actions = (await rotation.plan("logs")).actions
    for path in (old, tmp_path / "app.log"):
        path.unlink()
        path.symlink_to("target")
    before = snapshot(tmp_path)
    for action in actions:
        assert (await rotation.apply("logs", action)).state == "skipped"
    assert snapshot(tmp_path) == before


@METHODS
async def test_a_fifo_in_place_of_a_log_does_not_block(tmp_path: Path, method: str) -> None:
    write_log(tmp_path / "app.log")
    rotation = task(tmp_path, at=NOW, rotation={"method": method})
    action = await plan_of_one(rotation, "rotate")
    (tmp_path / "app.log").unlink()
    os.mkfifo(tmp_path / "app.log")
    assert (await rotation.apply("logs", action)).state == "skipped"
    assert any("not a regular file" in note for note in (await rotation.plan("logs")).notes)


@METHODS
async def test_files_with_other_hard_links_are_left_alone(tmp_path: Path, method: str) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    write_log(logs / "app.log")
    write_log(logs / "app.log-20251001-000000")
    make_old(logs)
    rotation = task(logs, at=NOW, max_bytes=1, rotation={"method": method})
    actions = (await rotation.plan("logs")).actions
    for path in list(logs.iterdir()):
        os.link(path, tmp_path / path.name)
    plan = await rotation.plan("logs")
    assert plan.actions == []
    assert any("hard links" in note and OLD in note and "app.log" in note for note in plan.notes)
    before = snapshot(tmp_path)
    for action in actions:
        detail = (await rotation.apply("logs", action)).detail
        assert detail in ("left alone: has other hard links", "left alone: gone")
    assert snapshot(tmp_path) == before


@METHODS
async def test_names_may_hold_any_bytes(tmp_path: Path, method: str) -> None:
    name = b"caf\xe9 \xff\n%41'\"\x1b[31m.log"
    (tmp_path / os.fsdecode(name)).write_bytes(b"a line\n" * 20_000)
    (tmp_path / "\N{SNOWMAN}").mkdir()
    write_log(tmp_path / "\N{SNOWMAN}" / "app.log")
    rotation = task(tmp_path, at=NOW, recursive=True, rotation={"method": method})
    plan = await rotation.plan("logs")
    restored = type(plan).model_validate_json(plan.model_dump_json())
    assert (list(restored.actions), list(restored.notes)) == (list(plan.actions), list(plan.notes))
    for action in restored.actions:
        assert (await rotation.apply("logs", action)).state == "done"
    assert sorted(os.listdir(os.fsencode(tmp_path))) == sorted(
        [name, name + b"-20251009-085320.gz", "\N{SNOWMAN}".encode()]
    )


async def test_other_file_systems_below_are_left_alone(tmp_path: Path) -> None:
    with mounted(tmp_path / "other", "tmpfs", 10**6) as other:
        write_log(other / "app.log")
        before = snapshot(other)
        plan = await task(tmp_path, recursive=True).plan("logs")
        assert (plan.actions, snapshot(other)) == ([], before)
        assert any("a mount of its own" in note for note in plan.notes)


@METHODS
async def test_bind_mounts_of_the_same_file_system_are_left_alone(tmp_path: Path, method: str) -> None:
    logs, outside = tmp_path / "logs", tmp_path / "outside"
    for directory in (logs, outside, logs / "sub"):
        directory.mkdir()
    write_log(outside / "app.log")
    rotation = task(logs, recursive=True, rotation={"method": method})
    with bound(outside, logs / "sub"):
        assert (await rotation.plan("logs")).actions == []
    (logs / "file.log").touch()
    with bound(outside / "app.log", logs / "file.log"):
        plan = await rotation.plan("logs")
        assert plan.actions == []
        assert any("a mount of its own" in note and "file.log" in note for note in plan.notes)
    write_log(logs / "sub" / "app.log")
    action = await plan_of_one(rotation, "rotate")
    before = snapshot(outside)
    with bound(outside, logs / "sub"):
        assert (await rotation.apply("logs", action)).detail == "left alone: a mount of its own"
    assert snapshot(outside) == before


async def test_protected_names_win_also_when_they_were_protected_after_the_plan(tmp_path: Path) -> None:
    write_log(tmp_path / "app.log")
    write_log(tmp_path / "keep.log")
    write_log(tmp_path / "keep.log-20251001-000000")
    make_old(tmp_path, "keep.log-20250101-000000.gz")
    (tmp_path / "private").mkdir()
    write_log(tmp_path / "private" / "app.log")
    settings = {"recursive": True, "max_bytes": 1}
    protected = task(tmp_path, at=NOW, exclude=["keep*", "private"], **settings)
    assert {name.split("-")[0] for _, name in listed(await protected.plan("logs"))} == {"app.log"}
    actions = (await task(tmp_path, at=NOW, **settings).plan("logs")).actions
    before = snapshot(tmp_path)
    for action in actions:
        if not action.object.startswith("app.log"):
            assert (await protected.apply("logs", action)).detail == "left alone: protected by `exclude:`"
    assert snapshot(tmp_path) == before


async def test_a_rotated_file_that_is_written_to_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "app.log").touch()
    old = make_old(tmp_path)
    write_log(tmp_path / "app.log-20251001-000000")
    rotation = task(tmp_path, at=NOW)
    actions = (await rotation.plan("logs")).actions
    with old.open("r+b"), (tmp_path / "app.log-20251001-000000").open("ab"):
        before = snapshot(tmp_path)
        for action in actions:
            assert (await rotation.apply("logs", action)).detail == "left alone: a process still writes to it"
        assert snapshot(tmp_path) == before


async def test_tampered_parameters_reach_nothing(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    write_log(logs / "app.log")
    write_log(tmp_path / "app.log")
    rotation = task(logs, at=NOW)
    action = await plan_of_one(rotation, "rotate")
    before = snapshot(tmp_path)
    for change in (
        {"path": "../app.log"},
        {"path": "%2e%2e/app.log"},
        {"path": "/etc/passwd"},
        {"path": "app.log%00"},
        {"to": "../x"},
        {"file": "1:2"},
        {"method": "shred"},
        {"extra": 1},
    ):
        with pytest.raises(TaskError, match="with these parameters"):
            await rotation.apply("logs", action.model_copy(update={"params": {**action.params, **change}}))
    with pytest.raises(TaskError, match="cannot do 'burn'"):
        await rotation.apply("logs", action.model_copy(update={"kind": "burn"}))
    for change in ({"path": "notes.txt"}, {"path": f"app.log-{STAMP}"}):
        changed = action.model_copy(update={"params": {**action.params, **change}})
        assert (await rotation.apply("logs", changed)).detail == "left alone: not covered by `include:`"
    assert snapshot(tmp_path) == before


def test_the_rights_of_an_ordinary_user_are_enough_for_own_logs(tmp_path: Path) -> None:
    """What belongs to others is left as it is, with a sentence."""
    if os.geteuid() != 0:
        missing("becoming another user needs root")
    write_log(tmp_path / "warm-up.log")
    asyncio.run(run(task(tmp_path)))  # imports everything while it may still be read
    with tempfile.TemporaryDirectory() as directory:
        logs = Path(directory)
        logs.chmod(0o777)
        for name, owner in (("own.log", 12345), ("others.log", 0)):
            write_log(logs / name)
            (logs / name).chmod(0o666)
            os.chown(logs / name, owner, owner)
        assert _as_user(12345, lambda: _details(logs)) == [
            "cannot rotate others.log: Operation not permitted",
            f"renamed to own.log-{STAMP}",
            f"compressed to own.log-{STAMP}.gz",
        ]
        assert names(logs) == ["others.log", "own.log", f"own.log-{STAMP}.gz"]
        assert {path.stat().st_uid for path in logs.glob("own*")} == {12345}


def _details(logs: Path) -> list[str]:
    async def details() -> list[str]:
        rotation = task(logs, at=NOW)
        found = []
        for action in (await rotation.plan("logs")).actions:
            try:
                found.append((await rotation.apply("logs", action)).detail)
            except TaskError as error:
                found.append(str(error))
        return found

    return asyncio.run(details())


def _as_user(user: int, work: Callable[[], list[str]]) -> list[str]:
    """What the work returns when a forked process with that user and group does it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            os.write(writing, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    result: list[str] = json.loads(text)
    return result


async def test_another_program_that_renames_logs_all_the_time_loses_nothing(tmp_path: Path) -> None:
    """Another rotation tool moves the log away and makes a new one, at any moment of ours."""
    root, archive = tmp_path / "logs", tmp_path / "moved"
    root.mkdir()
    other = subprocess.Popen(
        [sys.executable, "-m", "tests.remediator.tasks.log_rotation.log_mover", str(root / "app.log"), str(archive)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        rotation = task(root, rotation={"max_file_bytes": 1, "method": "rename", "compress": False})
        states: set[str] = set()
        for _ in range(1000):
            states |= {effect.state for action, effect in await run(rotation) if action.kind == "rotate"}
            if states == {"done", "skipped"}:
                break
    finally:
        output, _ = other.communicate(timeout=60)
    found = lines(root) + Counter(archive.read_bytes().splitlines())
    assert found == {b"%d" % n: 1 for n in range(int(output))}


@pytest.mark.parametrize("count", [3, 60])
async def test_a_file_written_to_in_place_with_its_time_set_back_stays(tmp_path: Path, count: int) -> None:
    """Its size and the time of its last write are as the plan saw them; the time of its last change nobody can set."""
    (tmp_path / "app.log").touch()
    for number in range(1, count + 1):
        write_old(tmp_path / f"app.log.{number}")
    rotation = task(tmp_path, at=NOW)
    actions = (await rotation.plan("logs")).actions
    changed = tmp_path / "app.log.2"
    before = changed.stat()
    with changed.open("r+b") as file:
        file.write(b"THE ONLY ONE")
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))
    effects = [await rotation.apply("logs", action) for action in actions]
    assert {path.name for path in tmp_path.iterdir()} == {"app.log", "app.log.2"}
    assert any("changed since the plan" in effect.detail for effect in effects)


async def test_a_file_written_to_while_it_is_compressed_stays_though_its_time_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app.log").touch()
    source = tmp_path / "app.log-20260920-000000"
    write_log(source)
    rotation = task(tmp_path, at=NOW)
    action = await plan_of_one(rotation, "compress")
    give = Folder.give

    def written_to(*args: Any, **kwargs: Any) -> str:
        name = give(*args, **kwargs)
        before = source.stat()
        with source.open("r+b") as file:
            file.write(b"THE ONLY ONE")
        os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
        return name

    monkeypatch.setattr(Folder, "give", written_to)
    effect = await rotation.apply("logs", action)
    assert (effect.state, effect.detail) == ("skipped", "left alone: changed while it was compressed")
    assert source.read_bytes().startswith(b"THE ONLY ONE")
    assert {path.name for path in tmp_path.iterdir()} == {"app.log", source.name}


@pytest.mark.parametrize("count", [2, 60])
async def test_a_link_made_after_the_plan_anywhere_below_the_root_spares_what_it_leads_to(
    tmp_path: Path, count: int
) -> None:
    for name in ("beside/below", "logs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "logs" / "app.log").touch()
    for number in range(1, count + 1):
        write_old(tmp_path / "logs" / f"app.log.{number}")
    rotation = task(tmp_path, at=NOW, recursive=True)
    actions = (await rotation.plan("logs")).actions
    (tmp_path / "beside" / "below" / "current").symlink_to("../../logs/app.log.2")
    effects = [await rotation.apply("logs", action) for action in actions]
    assert {path.name for path in (tmp_path / "logs").iterdir()} == {"app.log", "app.log.2"}
    assert any("a symbolic link leads to it, so it is a log" in effect.detail for effect in effects)


def write_old(path: Path) -> None:
    path.write_bytes(b"an old line, long enough\n")
    os.utime(path, (NOW - 400 * 86400, NOW - 400 * 86400))
