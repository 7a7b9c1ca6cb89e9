"""Why something dies, from what it left."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from remediator.tasks.service_restart.endings import LAST_LINES, explain
from tests.postgres_server import _as_user, binaries


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("write /data/x: No space left on device", "the disk is full"),
        ("listen tcp 0.0.0.0:80: bind: address already in use", "something else has its port"),
        ("mkdir: can't create directory '/data': Permission denied", "it may not use something"),
        ("Error: getaddrinfo ENOTFOUND db", "has no address"),
        ("dial tcp 10.0.0.2:5432: connect: connection refused", "does not answer"),
        ("open /etc/x: Read-only file system", "read-only for it"),
    ],
)
def test_what_it_said(line: str, expected: str) -> None:
    first, last = explain(["starting", line], 1)
    assert expected in first
    assert last == f"It said last: starting | {line}"


@pytest.mark.parametrize(
    ("code", "oom", "limit", "expected"),
    [
        (137, True, 512 * 1024**2, "It ran out of memory, of which it may have 512 MiB: give it more"),
        (1, True, 0, "It was killed as the machine ran out of memory"),
        (137, False, 0, "It was killed (SIGKILL)"),
        (127, False, 0, "Exit code 127: its command does not exist in the image."),
        (139, False, 0, "Exit code 139: it crashed (SIGSEGV)."),
        (3, False, 0, "It ended with exit code 3 and said nothing."),
    ],
)
def test_how_it_ended(code: int, oom: bool, limit: int, expected: str) -> None:
    (found,) = explain([], code, oom=oom, memory_limit=limit)
    assert found.startswith(expected)


def test_what_it_said_is_bounded_and_on_one_line() -> None:
    (found,) = explain([f"\x1b[31m{number} {'x' * 500}\n" for number in range(100)], 1)
    assert found.count("|") == LAST_LINES - 1
    assert len(found) < 1100
    assert found.isprintable()


@pytest.mark.servers
def test_data_of_another_major_version_of_postgresql() -> None:
    """The real message of the program of 15, on a directory that says to be of 16."""
    data = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        (data / "PG_VERSION").write_text("16\n")
        (data / "postgresql.conf").touch()
        (data / "global").mkdir()
        (data / "global" / "pg_control").touch()
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", str(_as_user()["user"]), data], check=True)
        program = [binaries(15) / "postgres", "-D", data]
        done = subprocess.run(program, capture_output=True, text=True, check=False, cwd="/", timeout=30, **_as_user())
    finally:
        shutil.rmtree(data)
    found = explain(done.stderr.splitlines(), done.returncode)
    assert found[0].startswith("Its data directory is of PostgreSQL 16, and its program is 15.")
    assert "Put the image of 16 back" in found[0]


def test_an_image_that_keeps_data_elsewhere() -> None:
    """As docker-entrypoint.sh of the official image of 18 says it; recorded, as no image can be had here."""
    lines = [
        "Error: in 18+, these Docker images are configured to store database data in a",
        '       format which is compatible with "pg_ctlcluster" (specifically, using',
        "       Counter to that, there appears to be PostgreSQL data in:",
        "         /var/lib/postgresql/data (unused mount/volume)",
    ]
    assert explain(lines, 1)[0].startswith("Its image keeps data elsewhere")
