"""Log directories that hold the same logs are named by `upkeeper check`."""

from pathlib import Path

import pytest

from tests.remediator.tasks.log_rotation.logdir import bound, mounted, overlaid
from upkeeper.look.check_config import check
from upkeeper.look.check_overlaps import may_meet


async def warnings(tmp_path: Path, *directories: str) -> list[str]:
    """What `check` says of log directories, each given as the inside of a YAML mapping without name and limit."""
    file = tmp_path / "upkeeper.yml"
    lines = (f"  - {{name: d{n}, max_bytes: 1GiB, {text}}}\n" for n, text in enumerate(directories))
    file.write_text("logs:\n" + "".join(lines))
    problems = await check(file, {})
    assert all(problem.severity == "warning" for problem in problems)
    return [problem.message for problem in problems if "hold the same logs" in problem.message]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    for path in ("logs/nginx/old", "logs/nginx-extra", "elsewhere"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "link").symlink_to("logs")
    return tmp_path / "logs"


async def test_the_same_path_twice(tmp_path: Path, logs: Path) -> None:
    [message] = await warnings(tmp_path, f"path: {logs}", f"path: {logs}")
    assert message == f"'{logs}' and '{logs}' of 'd0' hold the same logs, which both rotate"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_one_inside_a_recursive_one(tmp_path: Path, logs: Path, order: tuple[int, int]) -> None:
    both = (f"path: {logs}, recursive: true", f"path: {logs}/nginx")
    assert len(await warnings(tmp_path, *(both[place] for place in order))) == 1
    assert await warnings(tmp_path, f"path: {logs}", f"path: {logs}/nginx") == []
    assert await warnings(tmp_path, f"path: {logs}/nginx, recursive: true", f"path: {logs}/nginx-extra") == []


async def test_through_a_linked_parent(tmp_path: Path, logs: Path) -> None:
    link = tmp_path / "link"
    assert len(await warnings(tmp_path, f"path: {link}/nginx", f"path: {logs}/nginx")) == 1
    assert len(await warnings(tmp_path, f"path: {link}/nginx", f"path: {logs}, recursive: true")) == 1


async def test_through_a_bind_mount(tmp_path: Path, logs: Path) -> None:
    away = tmp_path / "elsewhere"
    with bound(logs / "nginx", away):
        assert len(await warnings(tmp_path, f"path: {away}", f"path: {logs}/nginx")) == 1
        assert len(await warnings(tmp_path, f"path: {away}/old", f"path: {logs}, recursive: true")) == 1
        assert await warnings(tmp_path, f"path: {away}", f"path: {logs}/nginx-extra, recursive: true") == []


async def test_through_an_overlay_and_its_upper_layer(tmp_path: Path, logs: Path) -> None:
    away = tmp_path / "elsewhere"
    with overlaid(logs, away):
        assert len(await warnings(tmp_path, f"path: {away}", f"path: {logs}")) == 1
        assert len(await warnings(tmp_path, f"path: {away}/nginx", f"path: {logs}/nginx")) == 1
        assert len(await warnings(tmp_path, f"path: {away}/nginx", f"path: {logs}, recursive: true")) == 1
        assert await warnings(tmp_path, f"path: {away}/nginx", f"path: {logs}/nginx-extra") == []


async def test_what_is_mounted_inside_belongs_to_one_only(tmp_path: Path, logs: Path) -> None:
    with mounted(logs / "nginx", "tmpfs", 10**6):
        assert await warnings(tmp_path, f"path: {logs}, recursive: true", f"path: {logs}/nginx") == []
    with bound(tmp_path / "elsewhere", logs / "nginx"):
        assert await warnings(tmp_path, f"path: {logs}, recursive: true", f"path: {logs}/nginx") == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("include: ['nginx*.log']", "include: ['app*.log']"),
        ("exclude: ['nginx*']", "include: ['nginx*.log']"),
        ("recursive: true, exclude: [nginx]", "recursive: true, path: {logs}/nginx"),
    ],
)
async def test_directories_shared_by_patterns_are_no_overlap(tmp_path: Path, logs: Path, one: str, other: str) -> None:
    there = "" if "path:" in other else f"path: {logs}, "
    assert await warnings(tmp_path, f"path: {logs}, {one}", there + other.format(logs=logs)) == []


async def test_directories_that_are_not_there_say_so_themselves(tmp_path: Path, logs: Path) -> None:
    assert await warnings(tmp_path, f"path: {logs}/nowhere", f"path: {logs}/nowhere") == []


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("*.log", "*.log", True),
        ("*.log", "app*", True),
        ("a*.log", "b*.log", False),
        ("*.log", "*.txt", False),
        ("a?.log", "ab.log", True),
        ("a[bc].log", "ad.log", True),
        ("a.log", "a.log.1", False),
        ("*", "x", True),
        ("*a*", "*b*", True),
        ("a**b", "ab", True),
        ("a[", "a[", True),
    ],
)
def test_patterns_that_may_meet(one: str, other: str, meet: bool) -> None:
    assert may_meet(one, other) is meet
    assert may_meet(other, one) is meet
