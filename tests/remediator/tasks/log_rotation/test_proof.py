"""What proves that a file is a rotated one, and how old it is: nothing that was never rotated is deleted."""

import os
from pathlib import Path

import pytest

from remediator.tasks.log_rotation import delete
from remediator.tasks.log_rotation.delete import delete_file
from tests.remediator.tasks.log_rotation.logdir import (
    DAY,
    KIB,
    done,
    listed,
    names,
    rotated,
    run,
    snapshot,
    task,
    write_log,
)

NOW = 1_790_000_000.0
"""2026-09-21"""
STRICT = {"keep_count": 1, "keep_age": "1d", "max_file_age": None, "max_file_bytes": 10**9}


def make(path: Path, age: float, size: int = 8 * KIB) -> Path:
    path.write_bytes(os.urandom(size))
    os.utime(path, (NOW - age, NOW - age))
    return path


async def untouched(directory: Path, **settings: object) -> str:
    """Asserts that nothing is planned, even over the limit. Returns the notes."""
    before = snapshot(directory)
    plan = await task(directory, at=NOW, max_bytes=1, rotation=STRICT, **settings).plan("logs")
    assert listed(plan) == []
    assert snapshot(directory) == before
    return "\n".join(plan.notes)


async def test_what_a_link_beside_it_leads_to_is_a_log(tmp_path: Path) -> None:
    """cronolog's way: the program writes to a dated file, and a link leads to it. Quiet for 31 days."""
    make(tmp_path / "app.log.2026-08-20", 31 * DAY)
    make(tmp_path / "app.log.2026-08-19", 32 * DAY)
    (tmp_path / "app.log").symlink_to("app.log.2026-08-20")
    notes = await untouched(tmp_path)
    assert "app.log.2026-08-19, app.log.2026-08-20" in notes


@pytest.mark.parametrize("target", ["app.log.2", "./app.log.2", "{root}/app.log.2", "middle", "sub/app.log.2"])
async def test_also_by_any_other_name_and_way(tmp_path: Path, target: str) -> None:
    (tmp_path / "sub").mkdir()
    for folder in (tmp_path, tmp_path / "sub"):
        (folder / "app.log").touch()
        for number in (1, 2):
            make(folder / f"app.log.{number}", number * 40 * DAY)
    (tmp_path / "middle").symlink_to("app.log.2")
    if target != "middle":
        (tmp_path / "middle").unlink()
    (tmp_path / "current").symlink_to(target.format(root=tmp_path))
    plan = await task(tmp_path, at=NOW, recursive=True, rotation=STRICT).plan("logs")
    spared = "sub/app.log.2" if target.startswith("sub/") else "app.log.2"
    everything = {f"{folder}app.log.{number}" for folder in ("", "sub/") for number in (1, 2)}
    assert {name for _, name in listed(plan)} == everything - {spared}
    assert any("a symbolic link leads to it" in note and spared in note for note in plan.notes)


async def test_a_log_that_a_link_leads_to_is_rotated_where_its_own_name_is_a_logs(tmp_path: Path) -> None:
    write_log(tmp_path / "app.log.2026-08-20")
    (tmp_path / "app.log").symlink_to("app.log.2026-08-20")
    rotation = task(tmp_path, at=NOW, include=["app.log*"], rotation={"method": "rename"})
    assert done(await run(rotation)) == [
        ("rotate", "app.log.2026-08-20"),
        ("compress", "app.log.2026-08-20-20260921-141320"),
    ]
    assert (tmp_path / "app.log").read_bytes() == b""


@pytest.mark.parametrize("kind", ["directory", "link", "dangling", "fifo", "missing"])
@pytest.mark.parametrize("form", ["build.log.{}", "build.log-2026010{}-120000.gz", "build.log-2026010{}-120000"])
async def test_without_a_regular_file_beside_it_a_name_proves_nothing(tmp_path: Path, kind: str, form: str) -> None:
    for number in range(1, 8):
        make(tmp_path / form.format(number), (40 - number) * DAY)
    base = tmp_path / "build.log"
    if kind == "directory":
        base.mkdir()
    elif kind == "link":
        (tmp_path / "other").touch()
        base.symlink_to("other")
    elif kind == "dangling":
        base.symlink_to("nowhere")
    elif kind == "fifo":
        os.mkfifo(base)
    notes = await untouched(tmp_path)
    assert form.format(1) in notes


async def test_with_it_the_same_names_are_rotated_files(tmp_path: Path) -> None:
    (tmp_path / "build.log").touch()
    for number in range(1, 4):
        make(tmp_path / f"build.log.{number}", number * DAY / 2)
    plan = await task(tmp_path, at=NOW, rotation=STRICT).plan("logs")
    assert sorted(listed(plan)) == [("delete", "build.log.2"), ("delete", "build.log.3")]


async def test_a_log_that_went_after_the_plan_takes_its_proof_along(tmp_path: Path) -> None:
    (tmp_path / "app.log").touch()
    for number in range(1, 61):
        make(tmp_path / f"app.log.{number}", 40 * DAY)
    rotation = task(tmp_path, at=NOW, rotation=STRICT)
    actions = (await rotation.plan("logs")).actions
    (tmp_path / "app.log").unlink()
    before = snapshot(tmp_path)
    for action in actions:
        effect = await rotation.apply("logs", action)
        assert effect.state == "skipped"
        assert "the log that it would come from is not there" in effect.detail
    assert snapshot(tmp_path) == before


async def test_a_log_with_a_time_that_cannot_be_is_neither_rotated_nor_deleted_by_age(tmp_path: Path) -> None:
    """A machine without a clock of its own writes its first log in 1970."""
    log = tmp_path / "boot.log"
    write_log(log, 1 * KIB)
    for time in (0, 946_684_800, NOW + 90 * 365 * DAY):
        os.utime(log, (time, time))
        born = log.stat().st_ctime
        rotation = {"max_file_age": "1d", "keep_age": "30d", "method": "rename"}
        assert (await task(tmp_path, at=born + DAY / 2, rotation=rotation).plan("logs")).actions == []


@pytest.mark.parametrize("method", ["rename", "copytruncate"])
async def test_a_rotated_file_is_as_old_as_its_rotation(tmp_path: Path, method: str) -> None:
    log = tmp_path / "boot.log"
    write_log(log)
    os.utime(log, (0, 0))
    rotation = {"keep_age": "30d", "method": method}
    await run(task(tmp_path, at=NOW, rotation=rotation))
    (packed,) = rotated(tmp_path, "boot.log")
    for days in (0, 1, 29):
        assert listed(await task(tmp_path, at=NOW + days * DAY, rotation=rotation).plan("logs")) == []
    later = await task(tmp_path, at=NOW + 31 * DAY, rotation=rotation).plan("logs")
    assert listed(later) == [("delete", packed.name)]
    assert later.actions[0].reason == "31d old, over keep_age (30d)"


@pytest.mark.parametrize(
    ("name", "written", "expired"),
    [
        ("app.log-20260801-000000.gz", 90, True),  # both say so
        ("app.log-20260901-000000.gz", 90, False),  # a quiet log, rotated 20 days ago
        ("app.log-20260801-000000", 1, False),  # renamed, and its program went on writing
        ("app.log-20260801.gz", 90, True),
        ("app.log-20260901.gz", 90, False),
        ("app.log-2026090112", 90, False),
        ("app.log-20260901-1788220800", 90, False),
        ("app.log.2026-09-01", 90, False),
        ("app.log.2026-09-01_12-00", 90, False),
        ("app.log.1", 31, True),
        ("app.log.1", 29, False),
        ("app.log-20990101-000000.gz", 31, True),  # its name cannot be, its last write can
        ("app.log-20990101-000000.gz", 29, False),
        ("app.log-19700101-000013.gz", 31, True),
    ],
)
async def test_age_counts_from_what_the_name_states_else_from_the_last_write(
    tmp_path: Path, name: str, written: float, expired: bool
) -> None:
    (tmp_path / "app.log").touch()
    make(tmp_path / name, written * DAY)
    rotation = {"keep_age": "30d", "compress": False}
    plan = await task(tmp_path, at=NOW, rotation=rotation).plan("logs")
    assert listed(plan) == ([("delete", name)] if expired else [])


@pytest.mark.parametrize("time", [0.0, 315_532_800.0, 946_684_801.0, NOW + 2 * DAY, NOW + 73 * 365 * DAY])
async def test_a_file_without_a_time_that_can_be_is_named_and_not_deleted_by_age(tmp_path: Path, time: float) -> None:
    (tmp_path / "app.log").touch()
    for name in ("app.log.1.gz", "app.log-20990101-000000.gz", "app.log-19700101-000013.gz"):
        make(tmp_path / name, NOW - time)
    plan = await task(tmp_path, at=NOW, rotation={"keep_age": "1d"}).plan("logs")
    assert listed(plan) == []
    (note,) = plan.notes
    assert "its times cannot be" in note
    assert "app.log-19700101-000013.gz, app.log-20990101-000000.gz, app.log.1.gz" in note


async def test_a_rotation_in_the_future_does_not_keep_a_log_from_being_rotated(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    write_log(log, 1 * KIB)
    made = log.stat().st_mtime
    make(tmp_path / "app.log-20990101-000000.gz", -73 * 365 * DAY)
    make(tmp_path / "app.log.1", -73 * 365 * DAY)
    rotation = {"max_file_age": "1d", "method": "copytruncate"}
    plan = await task(tmp_path, at=made + 2 * DAY, rotation=rotation).plan("logs")
    assert listed(plan) == [("rotate", "app.log")]


@pytest.mark.parametrize("bogus", ["app.log-20990101-000000.gz", "app.log-19700101-000013.gz"])
async def test_over_the_limit_what_has_no_time_goes_before_real_copies(tmp_path: Path, bogus: str) -> None:
    (tmp_path / "app.log").touch()
    make(tmp_path / bogus, -73 * 365 * DAY, 100 * KIB)
    for day in (1, 2, 3):
        make(tmp_path / f"app.log-2026090{day}-000000.gz", (20 - day) * DAY, 100 * KIB)
    plan = await task(tmp_path, at=NOW, max_bytes=310 * KIB).plan("logs")
    assert listed(plan) == [("delete", bogus)]


async def test_the_count_in_a_name_tells_where_the_time_does_not(tmp_path: Path) -> None:
    """logrotate on a machine whose clock was lost: ``.1`` is newer than ``.2``, whatever its time says."""
    (tmp_path / "app.log").touch()
    for number, time in ((1, 0.0), (2, NOW - 2 * DAY), (3, NOW - 3 * DAY)):
        make(tmp_path / f"app.log.{number}", NOW - time, 100 * KIB)
    rotation = task(tmp_path, at=NOW, max_bytes=210 * KIB)
    assert done(await run(rotation)) == [("delete", "app.log.3")]
    assert names(tmp_path) == ["app.log", "app.log.1", "app.log.2"]


@pytest.mark.parametrize("count", [29, 120])
@pytest.mark.parametrize("folder", ["", "sub/deep/"])
async def test_what_a_link_leads_to_since_the_plan_stays(tmp_path: Path, count: int, folder: str) -> None:
    """One by one, and in a batch; the link lies beside the file or above it."""
    below = tmp_path / folder
    below.mkdir(parents=True, exist_ok=True)
    (below / "app.log").touch()
    for number in range(1, count + 1):
        make(below / f"app.log.{number}", number * 60)
    rotation = task(tmp_path, at=NOW, recursive=True, rotation={"keep_count": 2})
    actions = (await rotation.plan("logs")).actions
    (tmp_path / "current").symlink_to(f"{folder}app.log.20")
    effects = [await rotation.apply("logs", action) for action in actions]
    assert {*names(below)} - {"current"} == {"app.log", "app.log.1", "app.log.2", "app.log.20"}
    (reason,) = [effect.detail for effect in effects if "a symbolic link leads to it" in effect.detail]
    assert count == 29 or "app.log.20 (a symbolic link leads to it, so it is a log)" in reason


async def test_a_rotated_file_that_a_link_leads_to_since_the_plan_is_not_compressed(tmp_path: Path) -> None:
    (tmp_path / "app.log").touch()
    make(tmp_path / "app.log-20260920-000000", DAY)
    rotation = task(tmp_path, at=NOW)
    (action,) = (await rotation.plan("logs")).actions
    assert action.kind == "compress"
    (tmp_path / "current").symlink_to("app.log-20260920-000000")
    effect = await rotation.apply("logs", action)
    assert (effect.state, effect.detail) == ("skipped", "left alone: a symbolic link leads to it, so it is a log")
    assert "app.log-20260920-000000" in names(tmp_path)


@pytest.mark.parametrize("change", ["link", "move"])
async def test_what_happens_in_the_middle_of_a_batch_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """The log moves away, or a link to the rest appears, when half of the files are gone."""
    (tmp_path / "app.log").touch()
    for number in range(1, 121):
        make(tmp_path / f"app.log.{number}", 40 * DAY + number)
    rotation = task(tmp_path, at=NOW, rotation=STRICT)
    (action,) = (await rotation.plan("logs")).actions
    left = 120
    monkeypatch.setattr(delete, "_LIST_SERVES", 0)

    def meddling(*arguments: object) -> int:
        nonlocal left
        left -= 1
        freed: int = delete_file(*arguments)  # type: ignore[arg-type]
        if left == 60:
            if change == "move":
                (tmp_path / "app.log").rename(tmp_path / "app.moved")
            else:
                (tmp_path / "current").symlink_to("app.log.30")
        return freed

    monkeypatch.setattr(delete, "delete_file", meddling)
    effect = await rotation.apply("logs", action)
    kept = {name for name in names(tmp_path) if name.startswith("app.log.")}
    if change == "move":
        assert kept == {f"app.log.{number}" for number in range(1, 61)}
        assert "the log that it would come from is not there" in effect.detail
    else:
        assert "app.log.30" in kept
        assert "a symbolic link leads to it" in effect.detail


async def test_a_year_or_a_port_is_no_generation(tmp_path: Path) -> None:
    (tmp_path / "app.log").touch()
    for number in (2019, 2024, 8080):
        make(tmp_path / f"app.log.{number}", 40 * DAY)
    notes = await untouched(tmp_path)
    assert "app.log.2019, app.log.2024, app.log.8080" in notes
    assert "most of those below it are missing" in notes


async def test_generations_may_be_many_and_a_few_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "app.log").touch()
    there = [number for number in range(1, 1201) if number % 20]
    for number in (*there, 9000):
        make(tmp_path / f"app.log.{number}", 40 * DAY, size=1)
    plan = await task(tmp_path, at=NOW, rotation=STRICT).plan("logs")
    assert sum(action.items for action in plan.actions) == len(there)
    assert "app.log.9000" in "\n".join(plan.notes)


async def test_what_is_written_to_a_rotated_file_makes_its_log_no_younger(tmp_path: Path) -> None:
    """Its name tells when the log began anew. So the plan is the same once that file has been deleted."""
    make(tmp_path / "app.log", 26 * DAY)
    make(tmp_path / "app.log-20260801-000000", 0)
    os.utime(tmp_path / "app.log", (NOW - 26 * DAY, NOW - 26 * DAY))
    plan = await task(tmp_path, at=NOW, rotation={"max_file_age": "1h", "keep_count": 9}).plan("logs")
    assert [(action.kind, action.object) for action in plan.actions if action.kind == "rotate"] == [
        ("rotate", "app.log")
    ]
