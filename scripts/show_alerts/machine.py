"""What the stack looks after: a disk, a service, a Docker engine and a PostgreSQL server, and the config of them."""

import contextlib
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.alertmanager.mailbox import Mailbox
from tests.dockerd import Dockerd
from tests.exporter.serving import answering
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer

MIB = 1024 * 1024


@dataclass(frozen=True)
class Machine:
    """service: the status with which it answers, by the key ``status``. root: below which all directories are."""

    root: Path
    url: str
    service: dict[str, int]
    docker: Dockerd
    postgres: PostgresServer
    disk: Path


@contextlib.contextmanager
def small_disk(root: Path) -> Iterator[Path]:
    """An ext4 file system of 64 MiB."""
    image, mounted = root / "disk.img", root / "disk"
    with image.open("wb") as file:
        file.truncate(64 * MIB)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    mounted.mkdir()
    subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "-l", mounted], check=True)


@contextlib.asynccontextmanager
async def web_service() -> AsyncIterator[tuple[str, dict[str, int]]]:
    """A service, and the status that it answers with."""
    state = {"status": 200}

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=state["status"])

    async with answering(answer) as url:
        yield url, state


def config(machine: Machine, mailbox: Mailbox, *, whole: bool) -> Any:
    """All at the pace of seconds. whole: with what the machine itself has, which may be wrong on its own, and with the
    jobs of the calendar.
    """
    root, docker, postgres = machine.root, machine.docker, machine.postgres
    for name in ("logs", "asked", "gone", "backups", "small"):
        (root / name).mkdir()
    a_set(root / "backups", "backup-20261128-010000", MIB)
    a_set(root / "small", "backup-20261128-010000", MIB)
    password = root / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    quick = {"interval": "5s", "deadline": "4s"}
    return {
        "services": [{"name": "n8n", "probes": [{"url": machine.url, "means": "database not reachable"}]}],
        "filesystems": {
            "warn_used_ratio": 0.99,
            "critical_used_ratio": 0.995,
            "limits": [{"mountpoint": str(machine.disk), "warn_used_ratio": 0.8, "critical_used_ratio": 0.9}],
        },
        "logs": [
            {"name": "pa", "path": str(root / "logs"), "max_bytes": "2MiB"},
            {"name": "asked", "path": str(root / "asked"), "max_bytes": "2MiB", "rotation": {"max_file_bytes": "1MiB"}},
            {"name": "gone", "path": str(root / "gone"), "max_bytes": "2MiB"},
        ],
        "backups": [
            {
                "name": name, "path": str(root / name), "pattern": "backup-*", "max_age": "1d", "min_bytes": "64KiB",
                "settle": "1s",
            }
            for name in ("backups", "small")
        ],
        "docker": {
            "host": docker.host,
            "cleanable_max_bytes": "1MiB",
            "cleanup": {"images_min_age": "0s", "containers_min_age": "1h"},
        },
        "postgres": [
            {
                "name": "supabase", "host": "127.0.0.1", "port": postgres.port, "user": SUPERUSER,
                "password_file": str(password), "limits": {"transaction_max_age": "10s"},
            }
        ],
        "collectors": {
            **dict.fromkeys(("services", "filesystem", "logs", "backups", "docker", "postgres"), quick),
            "docker_usage": {"interval": "10s", "deadline": "9s"},
            **{name: {"enabled": whole} for name in ("host", "updates", "systemd", "findings")},
        },
        "remedies": [
            {
                "name": "rotate-logs", "match": ['alertname="UpkeeperLogDirectoryOverLimit"', 'directory="asked"'],
                "task": "log-rotation", "target_label": "directory", "autonomy": "approve",
            }
        ],
        "schedule": {} if whole else {"jobs": []},
        "watchdog": {"lost_after": "150s"},
        "notify": {
            "email": {
                "to": "ann@example.org", "from": "up@example.org", "smarthost": mailbox.address, "require_tls": False,
            },
            "host": "pa-host",
        },
    }  # fmt: skip


def a_set(directory: Path, name: str, size: int, age: float = 0.0) -> None:
    """A set of a backup; age: in seconds."""
    made = directory / name
    made.mkdir(exist_ok=True)
    (made / "dump.sql").write_bytes(os.urandom(size))
    moment = time.time() - age
    os.utime(made / "dump.sql", (moment, moment))
    os.utime(made, (moment, moment))
