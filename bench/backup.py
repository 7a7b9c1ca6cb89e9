"""A backup beside what a script would do, ``pg_dump -Fc`` and ``tar | zstd``: ``python -m bench backup``.

``UPKEEPER_BENCH_BACKUP_MB=5000`` is the long form.
"""

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from bench.loglines import STYLES, content
from bench.processes import our_versions, program, version_of
from bench.report import Goal, Result, Skipped

COMMAND = "python -m bench backup"
SIZE = "UPKEEPER_BENCH_BACKUP_MB"
ROUNDS = 3
PEAK_MB = 80
_FILE_BYTES = 8 * 1024**2
_BINARIES = Path("/usr/lib/postgresql/15/bin")
_ROWS = 100_000
"""Of 500 bytes each, so many at once."""


async def run() -> AsyncIterator[Result]:
    """MB/s of a backup and of verifying its checksums, and the memory of ours."""
    if not (_BINARIES / "initdb").exists():
        raise Skipped("PostgreSQL 15 is not installed (Debian package postgresql)")
    zstd, tar, sha256sum = program("zstd", "zstd"), program("tar", "tar"), program("sha256sum", "coreutils")
    from tests.postgres_server import private_postgres

    total = int(os.environ.get(SIZE, "500")) * 10**6
    versions = {
        **our_versions(), "pg_dump": version_of(str(_BINARIES / "pg_dump"), "--version"),
        "zstd": version_of(zstd, "--version"), "tar": version_of(tar, "--version"),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch, private_postgres(15, {"autovacuum": "off"}) as server:
        root = Path(scratch)
        files = root / "files"
        _write(files, total * 3 // 5)
        _fill(server, total * 2 // 5)
        size = sum(path.stat().st_size for path in files.iterdir()) + _table_bytes(server)
        spec = _spec(root, server, files)
        ours, theirs, peaks = [], [], []
        verified: list[float] = []
        summed: list[float] = []
        packed = by_hand = 0
        for _ in range(ROUNDS):
            seconds, by_hand = await asyncio.to_thread(_by_hand, root / "by-hand", server, files, zstd, tar)
            theirs.append(seconds)
            one = await asyncio.to_thread(_of_ours, spec)
            ours.append(one["seconds"])
            peaks.append(one["peak_bytes"] / 1e6)
            packed = one["bytes"]
            verified.append(packed / one["verify_seconds"] / 1e6)
            summed.append(packed / await asyncio.to_thread(_sums, Path(one["set"]), sha256sum) / 1e6)
            shutil.rmtree(one["set"])
        notes = [
            f"{size / 1e6:.0f} MB, {os.cpu_count()} cores, median of {ROUNDS} rounds in turns, all in the page cache;"
            " ours counts rows, hashes all that it writes and syncs it to disk, a script does none of that.",
            "pg_dump compresses with gzip, in ours at level 3: no build with zstd was at hand. Files are no volume.",
        ]
        yield Result("backup of a database and files", size / median(ours) / 1e6, size / median(theirs) / 1e6, "MB/s",
                     Goal("ratio", ">=", 1.2), COMMAND, versions, "pg_dump -Fc, then tar | zstd", notes)  # fmt: skip
        yield Result("size of the backup", packed / 1e6, by_hand / 1e6, "MB", None, COMMAND, versions, "by hand")
        yield Result("memory of a backup, of our process at its peak", max(peaks), None, "MB",
                     Goal("ours", "<=", PEAK_MB), COMMAND, versions)  # fmt: skip
        yield Result("verification of checksums", median(verified), median(summed), "MB/s",
                     Goal("ratio", ">=", 0.9), COMMAND, versions, "sha256sum",
                     [f"{packed / 1e6:.0f} MB of a set, in the page cache; ours on all cores."])  # fmt: skip


def _write(files: Path, total: int) -> None:
    """Logs of all styles, and every fourth file of bytes that do not compress."""
    files.mkdir()
    noise = random.Random(7)
    masters = [content(style, _FILE_BYTES)[:_FILE_BYTES] for style in STYLES]
    for number in range(max(1, total // _FILE_BYTES)):
        data = noise.randbytes(_FILE_BYTES) if number % 4 == 3 else masters[number % len(masters)]
        (files / f"{number:05}").write_bytes(data)


def _fill(server: Any, total: int) -> None:
    server.sql("CREATE TABLE bench (id bigint, who text, what text)")
    for at in range(max(1, total // (500 * _ROWS))):
        server.sql(
            "INSERT INTO bench SELECT i, md5(i::text), repeat(md5((i * 7)::text), 6) || md5(random()::text) "
            f"|| repeat('lorem ipsum ', 18) FROM generate_series({at * _ROWS}, {(at + 1) * _ROWS - 1}) AS i"
        )
    server.sql("CHECKPOINT")


def _table_bytes(server: Any) -> int:
    return int(server.sql("SELECT pg_table_size('bench')")[0][0])


def _spec(root: Path, server: Any, files: Path) -> Mapping[str, Any]:
    from tests.postgres_server import PASSWORD, SUPERUSER

    (root / "password").write_text(PASSWORD)
    (root / "password").chmod(0o600)
    (root / "sets").mkdir()
    login = {"name": "main", "host": "127.0.0.1", "port": server.port, "user": SUPERUSER, "dbname": "postgres"}
    return {
        "series": {
            "name": "bench", "path": str(root / "sets"), "pattern": "set-*",
            "make": {"postgres": ["main"], "files": [str(files)]},
        },
        "server": {**login, "password_file": str(root / "password")},
    }  # fmt: skip


def _by_hand(into: Path, server: Any, files: Path, zstd: str, tar: str) -> tuple[float, int]:
    """Seconds and bytes of what a script would do, one after the other."""
    from tests.postgres_server import PASSWORD, SUPERUSER

    into.mkdir()
    os.sync()
    start = time.perf_counter()
    dump = [str(_BINARIES / "pg_dump"), "-Fc", "-f", str(into / "dump"), "-h", "127.0.0.1", "-p", str(server.port)]
    subprocess.run([*dump, "-U", SUPERUSER, "postgres"], check=True, env={**os.environ, "PGPASSWORD": PASSWORD})
    with subprocess.Popen([tar, "-C", str(files.parent), "-cf", "-", files.name], stdout=subprocess.PIPE) as reading:
        subprocess.run([zstd, "-q", "-o", str(into / "files.tar.zst")], stdin=reading.stdout, check=True)
    seconds = time.perf_counter() - start
    size = sum(path.stat().st_size for path in into.iterdir())
    shutil.rmtree(into)
    return seconds, size


def _of_ours(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """A backup in a process of its own, and what that says of itself."""
    os.sync()
    done = subprocess.run(
        [sys.executable, "-m", "bench.backup_process"],
        input=json.dumps(spec),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the backup failed: {done.stderr[-500:]}")
    answer: Mapping[str, Any] = json.loads(done.stdout)
    return answer


def _sums(directory: Path, sha256sum: str) -> float:
    files = [str(path) for path in directory.rglob("*") if path.is_file()]
    start = time.perf_counter()
    subprocess.run([sha256sum, *files], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
