"""Commands before and after a backup: in order, bounded, and ``after`` whatever happens."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from exporter.backups import seen
from remediator.model.task import Effect, TaskError
from remediator.tasks.backup.journal import Owner
from remediator.tasks.backup.task import Backup
from tests.helpers import wait_until
from tests.remediator.tasks.backup.series import applied, series, task

WRITE = "import os, sys; open(sys.argv[1], 'a').write(sys.argv[2] + ' ' + os.environ['UPKEEPER_BACKUP'] + '\\n')"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    for name in ("sets", "pa", "state"):
        (tmp_path / name).mkdir()
    (tmp_path / "pa" / "file").write_text("content")
    return tmp_path


def says(house: Path, word: str) -> list[str]:
    return [sys.executable, "-c", WRITE, str(house / "said"), word]


def fails(text: str) -> list[str]:
    return [sys.executable, "-c", f"import sys; print('x' * 5000, file=sys.stderr); sys.exit({text!r})"]


def backup(house: Path, before: list[list[str]], after: list[list[str]], **make: Any) -> Backup:
    every = {"files": [str(house / "pa")], "before": before, "after": after, **make}
    return task(series(house / "sets", every), owner=Owner(host="kitchen", state=str(house / "state")))


def said(house: Path) -> list[str]:
    return (house / "said").read_text().splitlines() if (house / "said").exists() else []


def owed(house: Path) -> bool:
    return (house / "state" / "stopped-for-backups" / "pa.after.json").exists()


async def test_they_run_around_the_copies(house: Path) -> None:
    one = backup(house, [says(house, "a"), says(house, "b")], [says(house, "c"), says(house, "d")])
    plan = await one.plan("pa")
    assert [action.kind for action in plan.actions] == ["run-before", "back-up", "run-after", "finish-set"]
    assert said(house) == []
    for action in plan.actions[:-2]:
        await one.apply("pa", action)
    assert said(house) == ["a pa", "b pa"]
    assert owed(house)
    for action in plan.actions[-2:]:
        await one.apply("pa", action)
    assert said(house) == ["a pa", "b pa", "c pa", "d pa"]
    assert not owed(house)
    assert len(list((house / "sets").iterdir())) == 1


async def test_before_that_fails_stops_the_backup_and_after_runs(house: Path) -> None:
    one = backup(house, [fails("no quiet"), says(house, "never")], [says(house, "after")])
    effects = await applied(one)
    assert isinstance(effects[0], str)
    assert effects[0].endswith("no quiet")
    assert "ended with exit status 1" in effects[0]
    assert len(effects[0]) < 600
    assert isinstance(effects[1], Effect)
    assert effects[1].state == "skipped"
    assert isinstance(effects[2], Effect)
    assert isinstance(effects[3], str)
    assert effects[3].startswith("no set was made: before: ")
    assert said(house) == ["after pa"]
    assert not owed(house)
    assert list((house / "sets").iterdir()) == []


async def test_after_that_fails_fails_the_run_and_the_set_is_made(house: Path) -> None:
    one = backup(house, [], [fails("oh"), says(house, "all the same"), ["/no/such"]])
    effects = await applied(one)
    assert isinstance(effects[1], str)
    assert "oh; /no/such cannot be run: No such file or directory" in effects[1]
    assert said(house) == ["all the same pa"]
    assert len(list((house / "sets").iterdir())) == 1


async def test_a_copy_that_fails_does_not_keep_after_from_running(house: Path) -> None:
    one = backup(house, [], [says(house, "after")])
    plan = await one.plan("pa")
    (house / "pa" / "file").unlink()
    (house / "pa").rmdir()
    effects = await applied(one, plan)
    assert isinstance(effects[0], str)
    assert said(house) == ["after pa"]
    assert list((house / "sets").iterdir()) == []


async def test_one_that_takes_too_long_is_ended_with_all_that_it_started(house: Path) -> None:
    script = "import os, time, sys; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    slow = [sys.executable, "-c", script, str(house / "pid")]
    one = backup(house, [slow], [], command_timeout=2)
    effects = await applied(one)
    assert isinstance(effects[0], str)
    assert effects[0].endswith("took longer than 2s and was ended")
    pid = int((house / "pid").read_text())
    await wait_until(lambda: Path(f"/proc/{pid}").exists() and _state(pid) != "Z", equals=False)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


async def test_no_shell_reads_them(house: Path) -> None:
    one = backup(house, [[sys.executable, "-c", WRITE, str(house / "said"), "$HOME; `id` && *"]], [])
    await applied(one)
    assert said(house) == ["$HOME; `id` && * pa"]


async def test_after_that_a_killed_run_owes_comes_first_in_the_next(house: Path) -> None:
    one = backup(house, [says(house, "before")], [says(house, "after")])
    killed = await one.plan("pa")
    await one.apply("pa", killed.actions[0])
    plan = await one.plan("pa")
    assert [action.kind for action in plan.actions] == [
        "run-after", "remove-unfinished", "run-before", "back-up", "run-after", "finish-set",
    ]  # fmt: skip
    assert plan.actions[0].reason == "an earlier run of this series did not come to it"
    await applied(one, plan)
    assert said(house) == ["before pa", "after pa", "before pa", "after pa"]


async def test_a_run_that_is_cancelled_is_cleared_up_after(house: Path) -> None:
    one = backup(house, [says(house, "before")], [says(house, "after")])
    plan = await one.plan("pa")
    for action in plan.actions[:2]:
        await one.apply("pa", action)
    (left,) = (house / "sets").iterdir()
    assert left.name.endswith(".partial")
    for _ in range(2):
        done = await one.clear_up("pa", plan.actions)
    assert done.endswith("gone, or no longer what it was")
    assert said(house) == ["before pa", "after pa"]
    assert list((house / "sets").iterdir()) == []


async def test_what_another_makes_is_not_cleared_up(house: Path) -> None:
    other = task(series(house / "sets", {"files": [str(house / "pa")]}), owner=Owner(host="garage", state="/other"))
    plan = await other.plan("pa")
    await other.apply("pa", plan.actions[0])
    await backup(house, [], []).clear_up("pa", plan.actions)
    assert len(list((house / "sets").iterdir())) == 1


async def test_a_whole_set_is_not_cleared_up(house: Path) -> None:
    one = backup(house, [], [])
    plan = await one.plan("pa")
    await applied(one, plan)
    (whole,) = (house / "sets").iterdir()
    await one.clear_up("pa", plan.actions)
    assert whole.exists()
    assert os.listdir(whole)
    with pytest.raises(TaskError):
        await one.clear_up("nobody", plan.actions)


async def test_a_set_that_is_made_is_noted_for_retention(house: Path) -> None:
    owner = Owner(host="kitchen", state=str(house / "state"))
    one = task(series(house / "sets", {"files": [str(house / "pa")]}, keep={"last": 3}), owner=owner)
    assert seen.read(house / "state", "pa") is None
    await one.plan("pa")
    assert seen.read(house / "state", "pa") is None
    await applied(one)
    await applied(one)
    noted = seen.read(house / "state", "pa")
    assert noted is not None
    assert len(noted.newest) == 1


def test_a_run_that_stops_containers_interrupts(house: Path) -> None:
    assert backup(house, [], []).facts.disruption == "none"
    assert backup(house, [], [], volumes=["v"]).facts.disruption == "none"
    assert backup(house, [], [], volumes=[{"name": "v", "pause": ["c"]}]).facts.disruption == "outage"
