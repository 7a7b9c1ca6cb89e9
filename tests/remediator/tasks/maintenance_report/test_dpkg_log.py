"""What dpkg's log tells, of each line, of rotated files, of one that cannot be read, and of dpkg itself."""

import gzip
import os
import subprocess
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.tasks.maintenance_report import dpkg_log
from remediator.tasks.maintenance_report.dpkg_log import entries, read_log
from tests.helpers import require_program

AT = datetime(2026, 11, 28, 6, 12, 33, tzinfo=UTC).timestamp()
BEGIN, END = AT - 60, AT + 60
STAMP = "2026-11-28 06:12:33"


def told(*lines: str) -> list[tuple[str, str, str, str]]:
    found = entries([line.encode() for line in lines], BEGIN, END, UTC)
    return [(one["package"], one["does"], one["installed"], one["candidate"]) for one in found]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("upgrade libc6:amd64 2.36-9 2.36-10", ("libc6:amd64", "upgrade", "2.36-9", "2.36-10")),
        ("install curl:amd64 <none> 1:7.88-1", ("curl:amd64", "install", "", "1:7.88-1")),
        ("install curl:amd64 7.87-1 7.88-1", ("curl:amd64", "install", "", "7.88-1")),
        ("remove curl:amd64 7.88-1 <none>", ("curl:amd64", "remove", "7.88-1", "")),
        ("disappear old:all 1 <none>", ("old:all", "remove", "1", "")),
        ("purge curl:amd64 7.88-1 <none>", None),
        ("status installed curl:amd64 7.88-1", None),
        ("configure curl:amd64 7.88-1 <none>", None),
        ("startup archives unpack", None),
        ("upgrade libc6:amd64 2.36-9", None),
        ("", None),
    ],
)
def test_a_line(line: str, expected: tuple[str, str, str, str] | None) -> None:
    assert told(f"{STAMP} {line}") == ([expected] if expected else [])


def test_times_are_those_of_the_machine_and_of_the_span() -> None:
    line = b"2026-11-28 07:12:33 install a:all <none> 1"
    assert len(list(entries([line], BEGIN, END, timezone(timedelta(hours=1))))) == 1
    assert list(entries([line], BEGIN, END, UTC)) == []
    for stamp in ("2026-11-28 06:11:33", "2026-11-28 06:13:32"):
        assert told(f"{stamp} install a:all <none> 1"), "the first and the last second of it"
    for stamp in ("2026-11-28 06:11:32", "2026-11-28 06:13:33", "2026-13-01 00:00:00", "yesterday 06:12:33"):
        assert told(f"{stamp} install a:all <none> 1") == []


@given(st.lists(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: f"{STAMP} {text}".encode())))
def test_any_bytes_are_read(lines: list[bytes]) -> None:
    for one in entries(lines, BEGIN, END, UTC):
        assert one["does"] in ("upgrade", "install", "remove")


def line(at: float, name: str) -> bytes:
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M:%S} install {name}:all <none> 1\n".encode()


def write(path: Path, content: bytes, at: float) -> None:
    path.write_bytes(content)
    os.utime(path, (at, at))


def names(path: Path, since: float, until: float) -> tuple[list[str], str]:
    found, problem = read_log(path, since, until)
    return [one["package"].removesuffix(":all") for one in found], problem


def test_rotated_logs_are_read_as_far_back_as_the_span(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, day = time.time(), 86400.0
    log = tmp_path / "dpkg.log"
    assert names(log, now - 90 * day, now) == ([], "")
    write(log, line(now - day, "new"), now - day)
    write(tmp_path / "dpkg.log.1", line(now - 30 * day, "month"), now - 30 * day)
    write(tmp_path / "dpkg.log.2.gz", gzip.compress(line(now - 60 * day, "older")), now - 60 * day)
    write(tmp_path / "dpkg.log.3.gz", b"not looked at, as it is too old", now - 99 * day)
    assert names(log, now - 90 * day, now) == (["older", "month", "new"], "")
    assert names(log, now - 40 * day, now - 2 * day) == (["month"], "")

    write(tmp_path / "dpkg.log.2.gz", gzip.compress(line(now - 60 * day, "older"))[:-9], now - 60 * day)
    found, problem = names(log, now - 90 * day, now)
    assert found == ["month", "new"]
    assert problem.startswith(f"{tmp_path}/dpkg.log.2.gz cannot be read: ")
    (tmp_path / "dpkg.log.1").unlink()
    (tmp_path / "dpkg.log.1").mkdir()
    found, problem = names(log, now - 40 * day, now)
    assert (found, problem) == (["new"], f"{tmp_path}/dpkg.log.1 cannot be read: Is a directory")


def test_what_is_read_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    log = tmp_path / "dpkg.log"
    content = b"".join(line(now - 60, f"p{number:04}") for number in range(100))
    write(log, content, now)
    write(tmp_path / "dpkg.log.1.gz", gzip.compress(content), now - 1)
    size = len(line(now, "p0000"))
    monkeypatch.setattr(dpkg_log, "MOST_BYTES", size * 10)
    found, problem = names(log, now - 3600, now)
    assert found == [f"p{number:04}" for number in (*range(10), *range(90, 100))]
    assert problem == f"of {log} only {size * 10} B were read"
    monkeypatch.setattr(dpkg_log, "MOST_ENTRIES", 3)
    assert names(log, now - 3600, now) == (["p0000", "p0001", "p0002"], f"{log} has more than 3 changes")


def test_dpkg_itself_writes_it(tmp_path: Path) -> None:
    """In a root of its own, where it has nothing but two versions of a package to do."""
    require_program("dpkg-deb", "dpkg")
    root, log = tmp_path / "root", tmp_path / "dpkg.log"
    for name in ("updates", "info", "triggers"):
        (root / "var/lib/dpkg" / name).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()

    def dpkg(*arguments: str | Path) -> None:
        options = (f"--root={root}", f"--log={log}", "--force-not-root", "--force-unsafe-io", "--force-bad-path")
        subprocess.run(["dpkg", *options, *arguments], check=True, capture_output=True, timeout=60)

    def deb(version: str) -> Path:
        source = tmp_path / version
        (source / "DEBIAN").mkdir(parents=True)
        fields = {"Package": "tiny", "Version": version, "Architecture": "all", "Maintainer": "m <m@example.org>",
                  "Description": "d"}  # fmt: skip
        (source / "DEBIAN/control").write_text("".join(f"{key}: {value}\n" for key, value in fields.items()))
        built = tmp_path / f"{version}.deb"
        subprocess.run(["dpkg-deb", "--build", source, built], check=True, capture_output=True, timeout=60)
        return built

    begin = time.time() - 2
    for act in (("-i", deb("1.0")), ("-i", deb("1.1")), ("--purge", "tiny")):
        dpkg(*act)
    found, problem = read_log(log, begin, time.time() + 2)
    assert problem == ""
    assert [tuple(one.values()) for one in found] == [
        ("tiny:all", "install", "", "1.0"),
        ("tiny:all", "upgrade", "1.0", "1.1"),
        ("tiny:all", "remove", "1.1", ""),
    ]
