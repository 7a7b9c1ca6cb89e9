"""The size of container logs and their limits."""

from pathlib import Path

import pytest

from exporter.docker.logfile import LogConfig

MIB = 1024**2


@pytest.mark.parametrize(
    ("driver", "options", "limit"),
    [
        ("json-file", {}, None),
        ("json-file", {"max-file": "3"}, None),
        ("json-file", {"max-size": "-1"}, None),
        ("json-file", {"max-size": "10m"}, 10 * MIB),
        ("json-file", {"max-size": "10M", "max-file": "3"}, 30 * MIB),
        ("json-file", {"max-size": "1.5g"}, 1536 * MIB),
        ("json-file", {"max-size": "20kb"}, 20 * 1024),
        ("json-file", {"max-size": "4096"}, 4096),
        ("json-file", {"max-size": "0"}, None),
        ("json-file", {"max-size": "much"}, None),
        ("json-file", {"max-size": "10m", "max-file": "many"}, None),
        ("local", {}, 100 * MIB),
        ("local", {"max-size": "10m", "max-file": "2"}, 20 * MIB),
        ("journald", {"max-size": "10m"}, None),
        ("", {}, None),
    ],
)
def test_the_limit_is_the_sum_of_all_files(driver: str, options: dict[str, str], limit: int | None) -> None:
    assert LogConfig(driver, options).max_bytes == limit


@pytest.mark.parametrize(("driver", "kept"), [("json-file", True), ("local", True), ("none", False), ("syslog", False)])
def test_drivers_that_keep_files(driver: str, kept: bool) -> None:
    assert LogConfig(driver).kept is kept


def test_rotated_and_compressed_files_count(tmp_path: Path) -> None:
    path = tmp_path / "x-json.log"
    for name, size in {"": 100, ".1": 1000, ".2.gz": 50, ".3.gz": 60, ".5": 9999}.items():
        (tmp_path / f"x-json.log{name}").write_bytes(b"x" * size)
    assert LogConfig("json-file", path=str(path)).size() == 1210


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    assert LogConfig("json-file", path=str(tmp_path / "gone")).size() is None
    assert LogConfig("json-file").size() is None
    (tmp_path / "x").write_bytes(b"x")
    assert LogConfig("local", path=str(tmp_path / "x")).size() is None
