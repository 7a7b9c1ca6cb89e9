"""Shows the most important alerts firing and resolving on a real stack, each for its real cause, and how long it takes.

    .venv/bin/python -m scripts.show_alerts [--out FILE] [--boards FILE] [ALERT ...]

It starts `upkeeper up` with Prometheus and Alertmanager, a Docker engine, a PostgreSQL server, a small disk and a mail
server, all its own and below one temporary directory; needs root; takes a quarter of an hour. The exit status is 1 when
an alert did not come or did not go.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from aiohttp import web

from scripts import ask_boards
from tests.alertmanager.mailbox import Mailbox, part, served
from tests.dockerd import Dockerd, private_dockerd
from tests.exporter.serving import answering
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer, private_postgres
from tests.upkeeper.up.running import Up

PATIENCE = 600.0
MAIL_PATIENCE = 90.0
"""Seconds for a mail after its alert: the waits of the routes are half a minute."""
MIB = 1024 * 1024
Act = Callable[[], Awaitable[None] | None]


@dataclass
class Case:
    """An alert, what brings it about and what mends that. mailed: whether people are told, as far as is meant."""

    alert: str
    cause: str
    begin: Act
    mend: Act
    mailed: bool = True
    seconds: dict[str, float] = field(default_factory=dict)
    problem: str = ""


class Stack:
    """The parts, and what Prometheus and the mailbox say."""

    def __init__(self, up: Up, mailbox: Mailbox, http: httpx.AsyncClient) -> None:
        self.up, self.mailbox, self._http = up, mailbox, http

    async def fires(self, alert: str) -> bool:
        url = f"http://127.0.0.1:{self.up.ports.prometheus}/api/v1/alerts"
        found = (await self._http.get(url, timeout=10)).json()["data"]["alerts"]
        return any(one["labels"]["alertname"] == alert and one["state"] == "firing" for one in found)

    def told(self, alert: str, *, resolved: bool, since: int) -> bool:
        return any(
            str(message["Subject"]).startswith("[resolved") == resolved and f"Alert: {alert}" in part(message, "plain")
            for _, message in self.mailbox.mails[since:]
        )

    def process(self, name: str) -> int:
        """By the port that it listens on."""
        pid = self.up.pid_of(f"127.0.0.1:{getattr(self.up.ports, name)}")
        if pid is None:
            raise RuntimeError(f"{name} does not run")
        return pid

    async def show(self, case: Case) -> None:
        """Begins, waits for the alert and its mail, mends, and waits for the end and its mail."""
        mails = len(self.mailbox.mails)
        try:
            if await self.fires(case.alert):
                raise RuntimeError("fires before its cause")
            await self._do(case, case.begin, "fires", lambda: self.fires(case.alert), PATIENCE)
            if case.mailed:
                await self._mail(case, "mailed", mails, resolved=False)
            say(f"{case.alert} fires")
            await self._do(case, case.mend, "ends", lambda: self._ended(case.alert), PATIENCE)
            if case.mailed:
                await self._mail(case, "end mailed", mails, resolved=True)
        except (RuntimeError, OSError, httpx.HTTPError) as error:
            case.problem = str(error) or type(error).__name__
        say(f"{case.alert}: {case.problem or 'has ended'}")

    async def _ended(self, alert: str) -> bool:
        return not await self.fires(alert)

    async def _do(self, case: Case, act: Act, what: str, reached: Callable[[], Awaitable[bool]], limit: float) -> None:
        case.seconds[f"at {what}"] = time.monotonic()
        done = act()
        if done is not None:
            await done
        await self._until(case, what, f"at {what}", reached, limit)

    async def _mail(self, case: Case, what: str, since: int, *, resolved: bool) -> None:
        async def told() -> bool:
            return self.told(case.alert, resolved=resolved, since=since)

        await self._until(case, what, "at ends" if resolved else "at fires", told, MAIL_PATIENCE)

    async def _until(
        self, case: Case, what: str, since: str, reached: Callable[[], Awaitable[bool]], limit: float
    ) -> None:
        deadline = time.monotonic() + limit
        while not await reached():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what}: not within {limit:g} s")
            await asyncio.sleep(0.5)
        case.seconds[what] = time.monotonic() - case.seconds[since]


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


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


def config(
    root: Path, url: str, mailbox: Mailbox, docker: Dockerd, postgres: PostgresServer, disk: Path, *, machine: bool
) -> Any:
    """All at the pace of seconds. machine: with what the machine itself has, which may be wrong on its own, and with
    the jobs of the calendar.
    """
    for name in ("logs", "asked", "gone", "backups", "small"):
        (root / name).mkdir()
    a_set(root / "backups", "backup-20261128-010000", MIB)
    a_set(root / "small", "backup-20261128-010000", MIB)
    password = root / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    quick = {"interval": "5s", "deadline": "4s"}
    return {
        "services": [{"name": "n8n", "probes": [{"url": url, "means": "database not reachable"}]}],
        "filesystems": {
            "warn_used_ratio": 0.99,
            "critical_used_ratio": 0.995,
            "limits": [{"mountpoint": str(disk), "warn_used_ratio": 0.8, "critical_used_ratio": 0.9}],
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
            **{name: {"enabled": machine} for name in ("host", "updates", "systemd", "findings")},
        },
        "remedies": [
            {
                "name": "rotate-logs", "match": ['alertname="UpkeeperLogDirectoryOverLimit"', 'directory="asked"'],
                "task": "log-rotation", "target_label": "directory", "autonomy": "approve",
            }
        ],
        "schedule": {} if machine else {"jobs": []},
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


def replace_set(directory: Path, size: int, age: float = 0.0) -> Act:
    def act() -> None:
        for path in directory.iterdir():
            shutil.rmtree(path)
        a_set(directory, time.strftime("backup-%Y%m%d-%H%M%S", time.gmtime(time.time() - age)), size, age)

    return act


class Connections:
    """Of somebody who forgets to close them."""

    def __init__(self, postgres: PostgresServer) -> None:
        self._postgres, self._open = postgres, list[Any]()

    def open(self, count: int, *, transaction: bool = False) -> Act:
        def act() -> None:
            for _ in range(count):
                connection = self._postgres.connect()
                if transaction:
                    connection.execute("BEGIN")
                    connection.execute("SELECT txid_current()")
                self._open.append(connection)

        return act

    def close(self) -> None:
        while self._open:
            self._open.pop().close()


def cases(
    stack: Stack, root: Path, parts: tuple[dict[str, int], Dockerd, PostgresServer, Path]
) -> Sequence[Sequence[Case]]:
    """In groups: the cases of one group come one after the other, groups at once; the last group comes after all."""
    service, docker, postgres, disk = parts
    idle, busy = Connections(postgres), Connections(postgres)
    engine = docker.client
    gone, config_file = root / "gone", stack.up.config
    good = config_file.read_text()

    def signalled(name: str, number: signal.Signals) -> Act:
        return lambda: os.kill(stack.process(name), number)

    def fill(path: Path, size: int) -> Act:
        return lambda: path.write_bytes(os.urandom(size)) and None

    def in_thread(act: Callable[[], object]) -> Act:
        async def acting() -> None:
            await asyncio.to_thread(act)

        return acting

    def make_unhealthy(command: str) -> Callable[[], object]:
        return lambda: engine.containers.get("n8n").exec_run(["sh", "-c", command])

    def eat() -> object:
        return docker.run("letta", "tail /dev/zero", mem_limit="16m", memswap_limit="16m")

    def nearly(name: str = "webui") -> object:
        fills = "dd if=/dev/zero of=/dev/shm/f bs=1M count=60; sleep 3600"
        return docker.run(name, fills, mem_limit="64m", memswap_limit="64m", shm_size="64m")

    def remove(name: str) -> Callable[[], object]:
        return lambda: engine.containers.get(name).remove(force=True)

    dangling: list[str] = []

    def make_image() -> None:
        dangling.append(docker.dangling_image(4 * MIB))

    return [
        [Case("UpkeeperServiceDown", "the service answers 503", lambda: service.update(status=503),
              lambda: service.update(status=200))],
        [Case("UpkeeperLogDirectoryOverLimit", "3 MiB in a log directory of at most 2 MiB",
              fill(root / "logs" / "app.log", 3 * MIB), (root / "logs" / "app.log").unlink),
         Case("UpkeeperApprovalWaiting", "another is over its limit, and its remedy asks first",
              fill(root / "asked" / "app.log", 3 * MIB), (root / "asked" / "app.log").unlink)],
        [Case("UpkeeperLogDirectoryMissing", "a log directory was moved away",
              lambda: gone.rename(root / "elsewhere") and None, lambda: (root / "elsewhere").rename(gone) and None)],
        [Case("UpkeeperBackupOverdue", "the newest set is two days old",
              replace_set(root / "backups", MIB, 2 * 86400), replace_set(root / "backups", MIB))],
        [Case("UpkeeperBackupTooSmall", "the newest set has 1 KiB", replace_set(root / "small", 1024),
              replace_set(root / "small", MIB))],
        [Case("UpkeeperFilesystemFilling", "between 80 and 90 % of a disk used", fill(disk / "big", 42 * MIB),
              (disk / "big").unlink),
         Case("UpkeeperFilesystemFull", "95 % of a disk used", fill(disk / "big", 52 * MIB), (disk / "big").unlink)],
        [Case("UpkeeperPostgresConnectionsNearMax", "25 of 27 connections are open", in_thread(idle.open(24)),
              in_thread(idle.close)),
         Case("UpkeeperPostgresTransactionTooOld", "a transaction is left open",
              in_thread(busy.open(1, transaction=True)),
              in_thread(busy.close)),
         Case("UpkeeperPostgresDown", "the server was stopped", in_thread(postgres.terminate),
              in_thread(postgres.start))],
        [Case("UpkeeperContainerUnhealthy", "a health check fails", in_thread(make_unhealthy("touch /bad")),
              in_thread(make_unhealthy("rm /bad"))),
         Case("UpkeeperContainerOomKilled", "a container used more memory than it may", in_thread(eat),
              in_thread(remove("letta"))),
         Case("UpkeeperDockerSpaceCleanable", "an image of 4 MiB without a tag, of at most 1 MiB",
              in_thread(make_image),
              in_thread(lambda: engine.images.remove(dangling[0], force=True))),
         Case("UpkeeperContainerMemoryNearLimit", "a container holds 60 of 64 MiB", in_thread(nearly),
              in_thread(remove("webui"))),
         Case("UpkeeperDockerDown", "the engine does not answer", in_thread(docker.stop), in_thread(docker.cont))],
        [Case("UpkeeperConfigReloadFailed", "a mistake in upkeeper.yml",
              lambda: config_file.write_text(good + "logz: []\n") and None,
              lambda: config_file.write_text(good) and None)],
        [Case("UpkeeperExporterDown", "the exporter was stopped (SIGSTOP)", signalled("exporter", signal.SIGSTOP),
              signalled("exporter", signal.SIGCONT)),
         Case("UpkeeperRemediatorDown", "the remediator was stopped (SIGSTOP)",
              signalled("remediator", signal.SIGSTOP),
              signalled("remediator", signal.SIGCONT)),
         Case("UpkeeperWatchdogLost", "Alertmanager was stopped (SIGSTOP): it can tell nobody either",
              signalled("alertmanager", signal.SIGSTOP), signalled("alertmanager", signal.SIGCONT), mailed=False)],
    ]  # fmt: skip


async def show(root: Path, only: Collection[str], boards: Path | None = None) -> Sequence[Case]:
    """The cases, all or of these alerts, each with what became of it. boards: where to write which queries of the
    dashboards gave data of this stack.
    """
    with contextlib.ExitStack() as stack, served(Mailbox(), login=False) as mailbox:
        docker = stack.enter_context(private_dockerd(root / "docker"))
        docker.run("n8n", "sleep 3600", healthcheck="test ! -e /bad")
        postgres = stack.enter_context(private_postgres())
        disk = stack.enter_context(small_disk(root))
        async with web_service() as (url, service), httpx.AsyncClient() as http:
            up = Up(root)
            up.config.write_text(
                yaml.safe_dump(config(root, url, mailbox, docker, postgres, disk, machine=boards is not None))
            )
            async with up.running():
                running = Stack(up, mailbox, http)
                groups = cases(running, root, (service, docker, postgres, disk))
                *at_once, last = ([one for one in group if not only or one.alert in only] for group in groups)
                await asyncio.sleep(30)  # what a start alone brings about is over
                await asyncio.gather(*(_one_by_one(running, group) for group in at_once))
                if boards is not None:
                    await _run_tasks(up)
                    ports = up.ports
                    prometheus, exporter = f"http://127.0.0.1:{ports.prometheus}", f"127.0.0.1:{ports.exporter}"
                    asked = ask_boards.table(await ask_boards.ask(http, prometheus, exporter))
                    await asyncio.to_thread(boards.write_text, asked)
                await _one_by_one(running, last)
                return [case for group in (*at_once, last) for case in group]


async def _run_tasks(up: Up) -> None:
    """So that there is a record of runs; each is scraped before the next, or it would not be seen to grow."""
    for task in (
        ("health-check", "all"),
        ("docker-cleanup", "docker"),
        ("log-rotation", "pa"),
        ("docker-cleanup", "docker"),
    ):
        arguments = ["run", *task, f"--state-dir={up.state}", f"--config={up.config}"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "upkeeper.main", *arguments, env=up.env, stdin=subprocess.DEVNULL
        )
        async with asyncio.timeout(120):
            await process.wait()
        await asyncio.sleep(20)


async def _one_by_one(stack: Stack, group: Sequence[Case]) -> None:
    for case in group:
        await stack.show(case)


def table(found: Sequence[Case]) -> str:
    """For a page of the docs; seconds since the cause, and since it was mended."""
    columns = ("fires", "mailed", "ends", "end mailed")
    lines = [
        "| alert | real cause | fires after | mailed after | mended, ends after | end mailed after |",
        "|---|---|---|---|---|---|",
    ]
    for case in found:
        times = " | ".join(f"{case.seconds[each]:.0f} s" if each in case.seconds else "-" for each in columns)
        lines.append(f"| `{case.alert}` | {case.cause}{f' ({case.problem})' if case.problem else ''} | {times} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.show_alerts", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the table there, too")
    parser.add_argument(
        "--boards", type=Path, help="write there which queries of the dashboards gave data of the stack"
    )
    parser.add_argument("only", nargs="*", metavar="ALERT", help="only these")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="alerts-", dir="/tmp"))
    try:
        found = asyncio.run(show(root, options.only, options.boards))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    text = table(found)
    print(text)
    if options.out:
        options.out.write_text(text)
    return 1 if any(case.problem for case in found) else 0


if __name__ == "__main__":
    sys.exit(main())
