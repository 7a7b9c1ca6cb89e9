"""``upkeeper state``: a backup while the remediator works, and a restore after which nothing runs twice."""

import asyncio
import gzip
import json
import os
import sqlite3
import stat
import tarfile
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from remediator.backup import archive
from remediator.control.core import Core
from remediator.model.caller import Caller
from remediator.model.hold import Pause
from remediator.model.lease import over
from remediator.model.silence import Matcher
from remediator.statedir import StateDir
from remediator.store import episodes, holds, silences
from tests.helpers import wait_until
from tests.remediator.stack import Stack, alert, settings
from tests.remediator.store.test_migrations import RELEASES
from tests.upkeeper.commandline import Done, invoke

PAT = Caller("cli", "pat")


def env(state: StateDir) -> dict[str, str]:
    return {"UPKEEPER_STATE_DIR": str(state.root)}


async def upkeeper(state: StateDir, *arguments: str | Path) -> Done:
    return await invoke(*arguments, env=env(state))


async def backed_up(stack: Stack, path: Path) -> dict[str, object]:
    done = await upkeeper(stack.core.state, "state", "backup", path, "--json")
    assert done.status == 0, done.err
    found: dict[str, object] = json.loads(done.out)
    return found


def rows(state: StateDir, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(state.database)) as connection:
        return connection.execute(query).fetchall()


async def test_a_backup_is_of_one_moment_while_others_write(stack: Stack, tmp_path: Path) -> None:
    database, path = stack.core._database, tmp_path / "b.tar.gz"
    stop = asyncio.Event()
    written = 0

    async def write_on() -> None:
        nonlocal written
        while not stop.is_set():
            pause = Pause(f"t{written}", "moving", 1.0, None, PAT)
            await database.write(partial(holds.pause, host=database.host, hold=pause))
            written += 1

    writing = asyncio.create_task(write_on())
    manifest = await backed_up(stack, path)
    during = written
    stop.set()
    await writing
    assert during > 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(tmp_path.glob(".b.tar.gz*"))
    (tmp_path / "out").mkdir()
    archive.unpack(path, tmp_path / "out")
    with closing(sqlite3.connect(tmp_path / "out" / "upkeeper.db")) as connection:
        (pauses,) = connection.execute("SELECT count(*) FROM pauses").fetchone()
        (records,) = connection.execute("SELECT count(*) FROM audit WHERE kind = 'pause.set'").fetchone()
        number, digest = connection.execute("SELECT number, hash FROM audit_heads").fetchone()
    assert pauses == records
    assert (manifest["head_number"], manifest["head_hash"]) == (number, digest)


async def test_nothing_that_ran_since_runs_again(stack: Stack, tmp_path: Path) -> None:
    state, path = stack.core.state, tmp_path / "b.tar.gz"
    await stack.core.pause(None, "for the night", None)
    await stack.receive(alert())  # held back, and would run when it is looked at again
    await stack.core.resume(None)
    rows_before = rows(state, "SELECT count(*) FROM runs")
    with closing(sqlite3.connect(state.database)) as connection, connection:
        connection.execute(
            'INSERT INTO runs (host, task, target, params, "trigger", caller, dry_run, state, reason, requested_at,'
            " notes, attempt, deaths, at_work)"
            " SELECT host, 'other', 'x', '{}', 'cli', 'pat', 0, 'applying', '', 1, '[]', 0, 0, 1"
            " FROM audit_heads LIMIT 1"
        )
    await backed_up(stack, path)
    await stack.core.close()
    done = await upkeeper(state, "state", "restore", path, "--json")
    assert done.status == 0, done.err
    said = json.loads(done.out)
    assert said["cancelled"] == 1
    kept = Path(said["aside"])
    assert (kept / "upkeeper.db").exists()
    assert rows(state, "SELECT state, outcome FROM runs WHERE task = 'other'") == [("finished", "cancelled")]
    waits = "SELECT count(*) FROM alerts WHERE decided_receptions < receptions OR due_at IS NOT NULL"
    assert rows(state, waits) == [(0,)]
    assert rows(state, "SELECT count(*) FROM sqlite_master WHERE name = 'workflow_status'") == [(0,)]
    (last,) = rows(state, "SELECT body FROM audit WHERE kind = 'state.restored'")
    body = json.loads(str(last[0]))
    assert body["made_at"] == said["restored"]["made_at"]
    assert body["aside"] == kept.name
    verified = await upkeeper(state, "audit", "verify")
    assert verified.status == 0, verified.out
    stack.clutter(2)
    stack.core = Core(state, settings(stack.task, stack.remedies), clock=stack.clock)
    await stack.core.open()
    await stack.core.start_engine()
    assert await stack.core.decider.decide_batch() == 0
    assert rows(state, "SELECT count(*) FROM runs WHERE task != 'other'") == rows_before
    await stack.receive(alert())  # Alertmanager repeats what still fires, and only then
    assert (await stack.finished(2))[-1]["outcome"] == "effective"


async def opened_again(stack: Stack) -> None:
    stack.core = Core(stack.core.state, settings(stack.task, stack.remedies), clock=stack.clock)
    await stack.core.open()


async def test_a_page_is_no_longer_held_back_for_a_run_that_the_restore_has_ended(stack: Stack, tmp_path: Path) -> None:
    """Its silence ends by the keeper's first look. A pause goes on with its own, and who sends webhooks stays known."""
    database, path = stack.core._database, tmp_path / "b.tar.gz"
    stack.clutter(1)
    stack.task.stuck = asyncio.Event()
    await stack.receive(alert())
    await wait_until(lambda: stack.task.applied, equals=["f0"])
    want = partial(
        silences.want, host=database.host, matchers=[Matcher("alertname", "Cluttered")], comment="x", now=1.0
    )
    await database.write(partial(want, purpose="page", run_id=1))
    await database.write(partial(want, purpose="pause", until=stack.clock.now + 60))
    await database.write(partial(episodes.heard, host=database.host, names=["ours"], now=1.0))
    await backed_up(stack, path)
    await stack.core.close()
    assert (await upkeeper(stack.core.state, "state", "restore", path)).status == 0
    await opened_again(stack)
    restored = stack.core._database
    leases = await restored.read(partial(silences.live, host=restored.host))
    assert [over(lease, settle=120.0, now=stack.clock.now) for lease in leases] == ["the run was cancelled", None]
    assert await restored.read(partial(episodes.receivers, host=restored.host)) == {"ours", "upkeeper"}


async def test_the_ballast_is_in_no_backup_and_stays_where_it_is(stack: Stack, tmp_path: Path) -> None:
    ballast, path = stack.core.state.root / "ballast", tmp_path / "b.tar.gz"
    ballast.write_bytes(os.urandom(8 * 1024 * 1024))
    await backed_up(stack, path)
    with tarfile.open(path) as found:
        assert sorted(found.getnames()) == ["manifest.json", "tokens/alertmanager", "tokens/operator", "upkeeper.db"]
    assert path.stat().st_size < 4 * 1024 * 1024
    await stack.core.close()
    kept = ballast.read_bytes()
    assert (await upkeeper(stack.core.state, "state", "restore", path)).status == 0
    assert ballast.read_bytes() == kept
    await opened_again(stack)


async def test_it_refuses_while_a_remediator_works_on_the_state(stack: Stack, tmp_path: Path) -> None:
    await backed_up(stack, tmp_path / "b.tar.gz")
    descriptor = stack.core.state.hold()
    try:
        done = await upkeeper(stack.core.state, "state", "restore", tmp_path / "b.tar.gz")
    finally:
        os.close(descriptor)
    assert done.status == 2
    assert f"another remediator is working on {stack.core.state.root} (process {os.getpid()})" in done.err


async def test_into_an_empty_directory_with_its_tokens(stack: Stack, tmp_path: Path) -> None:
    await backed_up(stack, tmp_path / "b.tar.gz")
    other = StateDir(tmp_path / "other")
    done = await upkeeper(other, "state", "restore", tmp_path / "b.tar.gz")
    assert done.status == 0, done.err
    for name in ("operator_token", "alertmanager_token"):
        restored: Path = getattr(other, name)
        assert restored.read_bytes() == getattr(stack.core.state, name).read_bytes()
        assert stat.S_IMODE(restored.stat().st_mode) == 0o600
    assert (await upkeeper(other, "history")).status == 0


def _again(path: Path, change: str) -> None:
    """The archive with a change."""
    folder = path.with_suffix(".d")
    folder.mkdir()
    manifest = archive.unpack(path, folder)
    if change == "database":
        with (folder / "upkeeper.db").open("r+b") as file:
            file.seek(5000)
            file.write(b"\xff" * 16)
    elif change == "record":
        with closing(sqlite3.connect(folder / "upkeeper.db")) as connection, connection:
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                connection.execute(f"DROP TRIGGER {name}")
            connection.execute("UPDATE audit SET caller = 'mallory'")
        manifest = manifest.model_copy(
            update={"files": {**manifest.files, "upkeeper.db": archive.described(folder / "upkeeper.db")}}
        )
    elif change == "version":
        manifest = manifest.model_copy(update={"version": "9999", "upkeeper": "99.0"})
    elif change == "format":
        manifest = manifest.model_copy(update={"format": 2, "upkeeper": "99.0"})
    archive.pack(folder, manifest, path)
    if change == "cut":
        path.write_bytes(path.read_bytes()[:-2000])
    if change == "names":
        with tarfile.open(path, "w:gz") as out:
            for name in ("manifest.json", "upkeeper.db"):
                out.add(folder / name, name)
            out.add(folder / "manifest.json", "../escaped")


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ("database", 1, "upkeeper.db is not what was backed up"),
        ("record", 1, "the audit in the backup is broken: record 1 is not what was recorded"),
        ("version", 2, "install Upkeeper 99.0 or newer"),
        ("format", 1, "made by a newer Upkeeper (99.0)"),
        ("cut", 1, "or it is damaged"),
        ("names", 1, "which is not in its manifest"),
    ],
)
async def test_a_backup_that_cannot_be_trusted_changes_nothing(
    stack: Stack, tmp_path: Path, change: str, status: int, says: str
) -> None:
    state, path = stack.core.state, tmp_path / "b.tar.gz"
    await backed_up(stack, path)
    _again(path, change)
    before = state.database.read_bytes()
    done = await upkeeper(state, "state", "restore", path)
    assert done.status == status, done.err
    assert says in done.err
    assert state.database.read_bytes() == before
    assert not list(state.root.glob("aside-*")) + list(state.root.glob(".restore.*"))
    assert not (state.root.parent / "escaped").exists()
    if change == "record":
        assert (await upkeeper(state, "state", "restore", path, "--even-broken")).status == 0


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x1f\x8b\x08garbage"])
async def test_what_is_no_backup_is_told(stack: Stack, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "b.tar.gz"
    path.write_bytes(content)
    for command in ("info", "restore"):
        done = await upkeeper(stack.core.state, "state", command, path)
        assert done.status == 1
        assert "is no backup of a state" in done.err


async def test_a_good_backup_is_not_replaced_by_accident(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "b.tar.gz"
    await backed_up(stack, path)
    done = await upkeeper(stack.core.state, "state", "backup", path)
    assert done.status == 2
    assert "exists already" in done.err
    assert (await upkeeper(stack.core.state, "state", "backup", path, "--force")).status == 0
    shown = await upkeeper(stack.core.state, "state", "info", path)
    assert shown.status == 0
    assert "upkeeper.db" in shown.out
    assert (await upkeeper(StateDir(tmp_path / "none"), "state", "backup", tmp_path / "c.tar.gz")).status == 2


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name.partition(".")[0])
async def test_a_backup_of_an_earlier_releases_state_is_brought_up_to_date(tmp_path: Path, release: Path) -> None:
    state = StateDir(tmp_path / "state")
    state.ensure()
    with closing(sqlite3.connect(state.database)) as connection, connection:
        connection.executescript(gzip.decompress(release.read_bytes()).decode())
    path = tmp_path / "b.tar.gz"
    assert (await upkeeper(state, "state", "backup", path)).status == 0
    done = await upkeeper(state, "state", "restore", path, "--json")
    assert done.status == 0, done.err
    assert rows(state, "SELECT count(*) FROM runs WHERE state != 'finished'") == [(0,)]
    assert (await upkeeper(state, "audit", "verify")).status == 0
