"""backup-retention on real directories: what goes, what stays whatever happens, and what is noticed."""

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from exporter.backups import manifest as manifests
from exporter.backups import proofs, seen
from exporter.backups.manifest import Manifest
from exporter.backups.seen import Moment, Seen
from exporter.inventory.backups import MANIFEST, Backup
from remediator.files import linux
from remediator.files.compress import Stopped
from remediator.files.folder import Folder, open_root
from remediator.model.task import Action, Plan, TaskError
from remediator.tasks.backup_retention.delete import GOING, delete_set, token_of
from remediator.tasks.backup_retention.task import BackupRetention

DAY = 86400.0


class House:
    """A series with sets, one a day, the newest made a moment ago."""

    def __init__(self, directory: Path) -> None:
        self.path, self.state = directory / "sets", directory / "state"
        self.path.mkdir()
        self.state.mkdir()
        self.now = time.time()
        given = {"name": "pa", "path": str(self.path), "pattern": "backup-*", "make": {"files": ["/etc"]},
                 "keep": {"last": 2, "daily": 3}}  # fmt: skip
        self.series = Backup.model_validate(given)
        self.task = BackupRetention([self.series], self.state, clock=lambda: self.now)

    def lay(self, days: float, *, proven: bool = True, size: int = 1000) -> str:
        at = self.now - 60 - days * DAY
        name = f"backup-{time.strftime('%Y-%m-%dT%H%M%SZ', time.gmtime(at))}"
        made = self.path / name
        (made / "deep" / "er").mkdir(parents=True)
        (made / "deep" / "er" / "data").write_bytes(os.urandom(size))
        (made / MANIFEST).write_bytes(manifests.render(Manifest(backup="pa", started=at, finished=at, files=[])))
        if proven:
            for proof in ("checksums", "readable"):
                proofs.record(made, manifests.digest(made), proof, proofs.Shown(True, at))  # type: ignore[arg-type]
        return name

    @property
    def names(self) -> list[str]:
        return sorted(entry.name for entry in self.path.iterdir())

    async def plan(self, **params: bool) -> Plan:
        return await self.task.plan("pa", params)

    async def run(self, **params: bool) -> list[str]:
        effects = [await self.task.apply("pa", action) for action in (await self.plan(**params)).actions]
        return [f"{effect.state}: {effect.detail}" for effect in effects]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def tree(path: Path) -> list[tuple[str, int, float]]:
    """Everything below, to compare."""
    return sorted((str(each), each.lstat().st_size, each.lstat().st_mtime) for each in path.rglob("*"))


async def test_what_nothing_keeps_goes_oldest_first_and_the_plan_says_both(house: House) -> None:
    sets = [house.lay(days) for days in range(6)]
    outside = house.path / "notes.txt"
    outside.write_text("mine")
    before = tree(house.path.parent)
    plan = await house.plan()
    assert tree(house.path.parent) == before, "a plan changes nothing"
    assert [action.object for action in plan.actions] == sets[:2:-1]
    rows = [row.model_dump() for row in plan.rows]
    assert [(row["verdict"], row["proven"]) for row in rows] == [("keep", True)] * 3 + [("drop", True)] * 3
    assert plan.notes[0] == f"Keeps {sets[0]}: last; daily; the newest proven."
    measured = await house.task.measure("pa")
    assert measured.values["droppable"] == 3
    assert await house.run() == ["done: deleted"] * 3
    assert house.names == sorted([*sets[:3], "notes.txt"])
    after = await house.task.measure("pa")
    assert house.task.improved(measured, after)
    assert not (await house.plan()).actions
    for action in plan.actions:
        effect = await house.task.apply("pa", action)
        assert (effect.state, effect.detail) == ("skipped", "gone, or kept by now")


async def test_what_was_replaced_or_is_needed_by_now_stays(house: House) -> None:
    sets = [house.lay(days) for days in range(5)]
    oldest, next_ = (await house.plan()).actions
    (house.path / oldest.object).rename(house.path / "aside")
    house.lay(4)
    effect = await house.task.apply("pa", oldest)
    assert (effect.state, effect.detail) == ("skipped", "another set by now")
    for name in sets[:2]:
        subprocess.run(["rm", "-r", house.path / name], check=True)
    with pytest.raises(TaskError, match="refused: the newest set is"):
        await house.task.apply("pa", next_)
    assert sets[3] in house.names


async def test_links_are_removed_and_not_followed(house: House, tmp_path: Path) -> None:
    [house.lay(days) for days in range(3)]
    old = house.path / house.lay(9)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "data").write_text("not a backup")
    (old / "out").symlink_to(precious)
    (old / "deep" / "file").symlink_to(precious / "data")
    os.mkfifo(old / "fifo")
    assert await house.run() == ["done: deleted"]
    assert (precious / "data").read_text() == "not a backup"
    assert len(house.names) == 3


async def test_a_deletion_that_is_interrupted_is_no_set_and_is_finished(house: House) -> None:
    for days in range(3):
        house.lay(days)
    old = house.lay(9)
    (action,) = (await house.plan()).actions
    stop = threading.Event()
    stop.set()
    with open_root(str(house.path)) as root:
        token = token_of((house.path / old).stat())
        with pytest.raises(Stopped):
            delete_set(root, old, token, stop)
    inode = token.partition(":")[2]
    assert [name for name in house.names if name.startswith(".")] == [f"{GOING}{old}@{inode}"]
    assert (await house.task.measure("pa")).values["sets"] == 3
    effect = await house.task.apply("pa", action)
    assert effect.state == "skipped"
    assert await house.run() == ["done: deleted"]
    assert len(house.names) == 3
    finish = Action(kind="finish-deletion", object=old, reason="", params={"set": old})
    assert (await house.task.apply("pa", finish)).detail == "gone"


async def test_a_set_that_gets_the_name_of_one_that_goes_is_never_taken_for_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put there between the look and the renaming, while somebody else takes the name; also if it is killed then."""
    sets = [house.lay(days) for days in range(3)]
    old = house.lay(9)
    kept = (house.path / sets[1] / "deep" / "er" / "data").read_bytes()
    (action,) = (await house.plan()).actions
    rename = linux.rename_to_free

    def swapped(fd: int, name: str, free: str) -> bool:
        monkeypatch.setattr(linux, "rename_to_free", rename)
        linux.exchange(-100, str(house.path / old), str(house.path / sets[1]))
        renamed = rename(fd, name, free)
        (house.path / old).mkdir()
        return renamed

    monkeypatch.setattr(linux, "rename_to_free", swapped)
    with pytest.raises(TaskError, match="is not the set that was to go, and stays"):
        await house.task.apply("pa", action)
    (house.path / old).rmdir()
    stray = next(name for name in house.names if name.startswith(GOING))
    (house.path / sets[1]).rename(house.path / old)  # the other one has its own name again
    plan = await house.plan(accept=True)
    assert plan.actions == [], "nothing is finished, and the others are kept"
    assert plan.notes[0].startswith(f"{stray} is not the set that was to go")
    finish = Action(kind="finish-deletion", object=old, reason="", params={"set": old})
    assert (await house.task.apply("pa", finish)).detail == "gone"
    assert (house.path / stray / "deep" / "er" / "data").read_bytes() == kept


async def test_what_is_swapped_in_as_it_is_deleted_stays(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = [house.lay(days) for days in range(3)]
    house.lay(9)
    (action,) = (await house.plan()).actions
    before = tree(house.path / sets[1])
    real = Folder.folder

    def swapped(parent: Folder, name: str) -> Folder:
        if name.startswith(GOING):
            monkeypatch.setattr(Folder, "folder", real)
            linux.exchange(-100, str(house.path / name), str(house.path / sets[1]))
        return real(parent, name)

    monkeypatch.setattr(Folder, "folder", swapped)
    with pytest.raises(TaskError, match="something in it was another directory by now; the rest goes next time"):
        await house.task.apply("pa", action)
    stray = next(name for name in house.names if name.startswith(GOING))
    assert len(tree(house.path / stray)) == len(before)
    (house.path / stray).rename(house.path / "aside")
    (house.path / sets[1]).rename(house.path / stray)
    (house.path / "aside").rename(house.path / sets[1])
    assert await house.run() == ["done: deleted"]
    assert tree(house.path / sets[1]) == before


async def test_what_an_earlier_release_left_is_finished(house: House) -> None:
    for days in range(3):
        house.lay(days)
    old = house.lay(9)
    (house.path / old).rename(house.path / f"{GOING}{old}")
    assert await house.run() == ["done: deleted"]
    assert len(house.names) == 3


@pytest.mark.parametrize("what", ["future", "smaller", "unproven", "overdue"])
async def test_it_refuses_and_deletes_nothing(house: House, what: str) -> None:
    for days in range(1 if what != "overdue" else 5, 9):
        house.lay(days, proven=what != "unproven")
    if what == "future":
        house.lay(-30)
    if what != "overdue":
        house.lay(0, size=10 if what == "smaller" else 1000, proven=what != "unproven")
    if what == "smaller":
        house.series = house.series.model_copy(update={"min_bytes": 1500})
        house.task = BackupRetention([house.series], house.state, clock=lambda: house.now)
    before = house.names
    with pytest.raises(TaskError, match=r"^refused: ") as refused:
        await house.plan()
    assert ("accept" in str(refused.value)) == (what == "smaller")
    if what == "smaller":
        assert len((await house.plan(accept=True)).actions) > 3
    else:
        with pytest.raises(TaskError, match=r"^refused: "):
            await house.plan(accept=True)
    assert house.names == before


async def test_a_missing_mount_is_no_empty_series(house: House) -> None:
    for days in range(6):
        house.lay(days)
    assert len(await house.run()) == 3
    house.path.rename(house.path.with_name("unmounted"))
    with pytest.raises(TaskError, match=r"cannot read .*sets: No such file"):
        await house.plan()
    house.path.mkdir()
    with pytest.raises(TaskError, match=r"no set any more, where there were some"):
        await house.plan()
    for days in range(20, 29):
        house.lay(days)
    with pytest.raises(TaskError, match="is another disk mounted there"):
        await house.plan()


async def test_a_clock_that_jumped_is_noticed_once_something_was_deleted(house: House) -> None:
    for days in range(6):
        house.lay(days)
    await house.run()
    house.lay(9)
    house.now -= 2 * 3600
    with pytest.raises(TaskError, match=r"the clock went back"):
        await house.plan()
    house.now += 4 * 3600
    with pytest.raises(TaskError, match=r"the clock jumped by 2h"):
        await house.plan()


def test_clocks_over_a_restart_of_the_machine() -> None:
    before = Seen(now=1e9, running=5000.0, boot="a", newest=["x"])
    assert not seen.clock_problem(before, Moment(1e9 + 30 * DAY, 60.0, "b"))
    assert not seen.clock_problem(before, Moment(1e9 + 3500, 5000.0, "a"))
    assert seen.clock_problem(before, Moment(1e9 + 3700, 5000.0, "a"))
    assert not seen.clock_problem(None, Moment(1.0, 1.0, ""))
    assert not seen.missing_problem(before, ["x", "y"])
    assert not seen.missing_problem(None, [])


async def test_only_series_with_keep_and_a_path_are_targets(house: House) -> None:
    without = house.series.model_copy(update={"name": "all", "keep": None})
    assert await BackupRetention([house.series, without], None).targets() == ["pa"]
    with pytest.raises(TaskError, match="no backup of the name 'all'"):
        await house.task.plan("all")


async def test_a_set_that_is_made_notes_what_is_there(house: House) -> None:
    """So that a clock that jumps is noticed before the first deletion; what looks wrong by then is not noted over."""
    names = ["backup-2026-11-24T020000Z"]
    seen.note(house.state, "pa", lambda: house.now, names)
    before = seen.read(house.state, "pa")
    assert before is not None
    assert before.newest == names
    seen.note(house.state, "pa", lambda: house.now - DAY, names)
    seen.note(house.state, "pa", lambda: house.now + DAY, names)
    seen.note(house.state, "pa", lambda: house.now, ["of another disk"])
    assert seen.read(house.state, "pa") == before
    house.task = BackupRetention([house.series], house.state, clock=lambda: house.now + DAY)
    with pytest.raises(TaskError, match="the clock jumped by"):
        await house.task.plan("pa")
