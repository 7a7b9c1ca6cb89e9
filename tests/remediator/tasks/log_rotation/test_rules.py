"""Names and choices of log-rotation, without a file system."""

from itertools import islice
from typing import Any

import pytest

from exporter.inventory.logs import LogDirectory
from remediator.files.writers import FREE, UNKNOWN, WRITTEN, Use
from remediator.tasks.log_rotation.choose import choose
from remediator.tasks.log_rotation.names import (
    Work,
    is_for,
    is_log,
    parse_rotated,
    rotated_name,
    temporary_name,
    variants,
    work_of,
)
from remediator.tasks.log_rotation.scan import Copy, File, Log, Scan

NOW = 1_760_000_000.0
MIB = 1024**2
WORKS: tuple[Work, ...] = ("copy", "pack", "swap")


@pytest.mark.parametrize(
    ("name", "base", "own"),
    [
        ("app.log-20250131-235959", "app.log", True),
        ("app.log-20250131-235959-12.gz", "app.log", True),
        ("app.log.1", "app.log", False),
        ("app.log.12.gz", "app.log", False),
        ("app.log.2.xz", "app.log", False),
        ("app.log-20250131", "app.log", False),
        ("app.log-2025013123.gz", "app.log", False),
        ("app.log-20250131-1738368000", "app.log", False),
        ("app.log.2025-01-31", "app.log", False),
        ("app.log.2025-01-31_23-59-59", "app.log", False),
    ],
)
def test_rotated_files_are_known_by_their_names(name: str, base: str, own: bool) -> None:
    rotated = parse_rotated(name)
    assert rotated is not None
    assert (rotated.base, rotated.own) == (base, own)


@pytest.mark.parametrize(
    "name",
    [
        "app.log",
        "app.log.gz",
        "app-20250131.log",
        "app.log-2025",
        "app.log-20251331-235959",
        "app.log.1.bak",
        "1",
        "app.log.\u06612",
        "app.log-202501\u066331",
        "app.log-20250131-23595\u06619",
        "app.log.2025-0\u0661-31",
    ],
)
def test_other_files_are_not(name: str) -> None:
    assert parse_rotated(name) is None


def test_names_are_made_and_read_back() -> None:
    name = rotated_name("app.log", NOW, compressed=True)
    assert name == "app.log-20251009-085320.gz"
    assert list(islice(variants(name), 3)) == [name, "app.log-20251009-085320-1.gz", "app.log-20251009-085320-2.gz"]
    for variant in islice(variants(name), 3):
        rotated = parse_rotated(variant)
        assert rotated is not None
        assert (rotated.base, rotated.stamp, rotated.compressed) == ("app.log", NOW, True)
    assert work_of(name) is None
    for work in WORKS:
        temporary = temporary_name("0a1b-12", work, "app.log")
        assert work_of(temporary) == work
        assert [is_for(temporary, work, name) for name in ("app.log", "App.log")] == [True, False]
    # The build of November 2026 had names without the work.
    assert (work_of(f".{name}.upkeeper-tmp"), work_of(".app.log.upkeeper-tmp")) == ("copy", "swap")


@pytest.mark.parametrize(
    ("name", "include", "exclude", "result"),
    [
        ("app.log", ["*.log"], [], True),
        ("app.txt", ["*.log"], [], False),
        ("app.log", ["*.log"], ["a*"], False),
        (".app.log", ["*.log"], [], False),
        (".app.log", [".*.log"], [], True),
        ("dump.gz", ["*"], [], False),
        ("app.log", [], [], False),
        ("app.log", [""], [], False),
    ],
)
def test_patterns_select_logs(name: str, include: list[str], exclude: list[str], result: bool) -> None:
    assert is_log(name, include, exclude) is result


def file(path: str, size: int, age: float = 0, use: Use = FREE, links: int = 1) -> File:
    inode = abs(hash(path))
    return File(path, 1, inode, size, int((NOW - age) * 1e9), size, links, use)


def log(path: str, size: int, **facts: Any) -> Log:
    return Log(file(path, size, **facts), None, blank=False, stored=size)


def copy(path: str, size: int, *, changed: float | None = None, **facts: Any) -> Copy:
    """changed: seconds since its last change; as its age where nothing is said."""
    name, of = parse_rotated(path), file(path, size, **facts)
    assert name is not None
    ctime_ns = of.mtime_ns if changed is None else int((NOW - changed) * 1e9)
    return Copy(*of, name.base, *name[1:], ctime_ns=ctime_ns)


def directory(max_bytes: int = 10**12, **rotation: Any) -> LogDirectory:
    return LogDirectory.model_validate(
        {"name": "logs", "path": "/logs", "max_bytes": max_bytes, "rotation": {"max_file_bytes": MIB, **rotation}}
    )


@pytest.mark.parametrize(
    ("use", "configured", "method"),
    [
        (FREE, "auto", "rename"),
        (WRITTEN, "auto", "copytruncate"),
        (UNKNOWN, "auto", "copytruncate"),
        (WRITTEN, "rename", "rename"),
        (FREE, "copytruncate", "copytruncate"),
    ],
)
def test_the_method_is_the_cautious_one(use: Use, configured: str, method: str) -> None:
    plan = choose(Scan("r", [log("a.log", 2 * MIB, use=use)]), directory(method=configured), 0, NOW)
    assert plan.actions[0].params["method"] == method


def test_a_rotated_file_whose_use_cannot_be_seen_is_not_compressed() -> None:
    found = Scan("r", copies=[copy("a.log-20250901-000000", MIB, use=UNKNOWN)])
    plan = choose(found, directory(keep_age="9999d"), 0, NOW)
    assert plan.actions == []
    assert "no permission to see whether a process writes to it" in plan.notes[0]


def test_what_frees_space_without_taking_any_comes_first() -> None:
    found = Scan(
        "r",
        [log("a.log", 2 * MIB)],
        [copy("a.log-20250101-000000.gz", MIB, age=300 * 86400), copy("a.log-20251001-000000", MIB, age=86400)],
    )
    kinds = [action.kind for action in choose(found, directory(), 0, NOW).actions]
    assert kinds == ["delete", "compress", "rotate", "compress"]


def test_what_is_compressed_counts_as_freed_before_more_is_deleted() -> None:
    copies = [copy(f"a.log-2025100{day}-000000.gz", MIB, age=(9 - day) * 86400) for day in (1, 2, 3)]
    found = Scan("r", [log("a.log", 10 * MIB)], copies)
    assert len(choose(found, directory(max_bytes=6 * MIB), 13 * MIB, NOW).actions) == 2
    plan = choose(found, directory(max_bytes=4 * MIB), 13 * MIB, NOW)
    assert [action.object for action in plan.actions[2:]] == ["a.log-20251001-000000.gz"]
    assert plan.notes == []


def test_many_files_are_counted_in_a_note() -> None:
    found = Scan("r", [log(f"{n}.log", 2 * MIB, links=2) for n in range(7)])
    (note,) = choose(found, directory(), 0, NOW).notes
    assert note == "Left alone (has other hard links): 0.log, 1.log, 2.log, 3.log, 4.log and 2 more."


YEAR = 365.25 * 86400


@pytest.mark.parametrize(
    ("log_age", "changed", "gone"),
    [
        # A clock that leapt by 20 years, with the services writing by it, at once and some days later.
        (0, [20 * YEAR, 20 * YEAR + 86400, 20 * YEAR + 40 * 86400], ""),
        (0, [2 * 86400, 20 * YEAR, 20 * YEAR + 86400], ""),
        (0, [31 * 86400, 20 * YEAR, 20 * YEAR + 86400], "1"),
        # Nothing writes here any more: it stays as well, which nobody is hurt by.
        (3 * YEAR, [3 * YEAR, 3.1 * YEAR, 3.2 * YEAR], ""),
        # A quiet log, and one that was always in use.
        (1.9 * YEAR, [2 * YEAR, 2.1 * YEAR, 2.2 * YEAR], "123"),
        (0, [40 * 86400, 1.5 * YEAR, 3 * YEAR], "123"),
        # Old files that were put here lately: a clock did not do that.
        (0, [86400, 86400, 86400], "123"),
    ],
)
def test_a_clock_that_leapt_makes_nothing_expire(log_age: float, changed: list[float], gone: str) -> None:
    ages = [max(40 * 86400.0, since) if since != 2 * 86400 else since for since in changed]
    copies = [
        copy(f"app.log.{number}", 10, age=age, changed=since)
        for number, (age, since) in enumerate(zip(ages, changed, strict=True), 1)
    ]
    found = Scan("1:2", logs=[log("app.log", 10, age=log_age)], copies=copies)
    plan = choose(found, directory(keep_age="30d", keep_count=10, max_file_age=None), 0, NOW)
    assert {action.object for action in plan.actions} == {f"app.log.{number}" for number in gone}
    assert any("the clock may be wrong" in note for note in plan.notes) is (gone != "123")
