"""One exporter in place of three: ours beside node_exporter, blackbox_exporter and postgres_exporter, for one machine
with six services and a PostgreSQL. Where ``UPKEEPER_CADVISOR`` names a cadvisor, in place of four, with ten containers.

Each figure of the peers is their sum: what Prometheus has to ask, and what has to run, to know as much.
"""

import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from bench.containers import CADVISOR, NAMES, cadvisor, engine, named_cadvisor, wait_until_seen
from bench.processes import UPKEEPER, cpu_seconds, our_versions, program, running, version_of
from bench.report import Goal, Result, Skipped
from bench.scrape import Connection
from bench.stats import percentile
from tests.ports import free_port
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer, private_postgres

SERVICES = ("letta", "open-webui", "n8n", "health-monitor", "supabase-db", "neo4j")
ROUNDS = 200
WARM_UP = 10
INTERVAL_SECONDS = 15.0
"""Prometheus scrapes each of them this often while processor time is counted."""
MINUTE = 60.0
STARTS = 5
WITHOUT_CADVISOR = (
    f"cadvisor is left out of the sum, and our docker collectors are off, since {CADVISOR} names no program: "
    "Debian 12 has no package of it"
)


@dataclass(frozen=True)
class Side:
    """One of the two ways to measure the machine: its processes, and the requests that read everything once."""

    processes: Sequence[psutil.Process]
    connections: Sequence[Connection]

    def scrape(self) -> None:
        for connection in self.connections:
            connection.scrape()

    def cpu_seconds(self) -> float:
        return sum(cpu_seconds(process) for process in self.processes)

    def resident_bytes(self) -> int:
        return sum(process.memory_info().rss for process in self.processes)


@contextmanager
def _ours(root: Path, service: str, database: PostgresServer, host: str | None) -> Iterator[tuple[Side, float]]:
    """Our exporter, and the median time from its start to its first complete scrape, in seconds.

    host: of the Docker engine that it watches, if any.
    """
    password = root / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    config = root / "upkeeper.yml"
    config.write_text(
        yaml.safe_dump(
            {
                "services": [
                    {"name": name, "probes": [{"url": f"{service}/{name}", "body_regex": '"status":"ok"'}]}
                    for name in SERVICES
                ],
                "postgres": [
                    {"name": "db", "port": database.port, "user": SUPERUSER, "password_file": str(password)},
                ],
                "docker": {"host": host} if host else {},
                "collectors": {
                    # What none of the peers measures.
                    kind: {"enabled": False}
                    for kind in ("updates", "findings", *(() if host else ("docker", "docker_usage")))
                },
            }
        )
    )

    @contextmanager
    def exporter() -> Iterator[tuple[psutil.Process, int]]:
        port = free_port()
        command = [*UPKEEPER, "exporter", "--config", config, "--listen", f"127.0.0.1:{port}"]
        with running(command, f"http://127.0.0.1:{port}/-/ready", root / "exporter.log") as process:
            yield process, port

    starts = []
    for _ in range(STARTS):
        start = time.perf_counter()
        with exporter() as (_, port), closing(Connection(port)) as connection:
            connection.scrape()
            starts.append(time.perf_counter() - start)
    with exporter() as (process, port), closing(Connection(port)) as connection:
        if host:
            wait_until_seen(f"http://127.0.0.1:{port}/metrics", 'container="{}"')
        yield Side([process], [connection]), percentile(starts, 50)


@contextmanager
def _peers(
    root: Path, service: str, database: PostgresServer, programs: Mapping[str, str], containers: tuple[str, str] | None
) -> Iterator[Side]:
    """The three peers, with the default collectors of each.

    containers: the path of cadvisor, and the Docker engine that it watches; None leaves it out.
    """
    modules = root / "blackbox.yml"
    modules.write_text(
        yaml.safe_dump(
            {
                "modules": {
                    "service": {
                        "prober": "http",
                        "timeout": "5s",
                        "http": {
                            "fail_if_body_not_matches_regexp": ['"status":"ok"'],
                            "preferred_ip_protocol": "ip4",
                            "follow_redirects": False,
                        },
                    }
                }
            }
        )
    )
    ports = {name: free_port() for name in programs}
    arguments: Mapping[str, Sequence[str]] = {
        "node_exporter": (),
        "blackbox_exporter": (f"--config.file={modules}",),
        "postgres_exporter": (),
    }
    source = f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{database.port}/postgres?sslmode=disable"
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(
                running(
                    [path, *arguments[name], f"--web.listen-address=127.0.0.1:{ports[name]}"],
                    f"http://127.0.0.1:{ports[name]}/metrics",
                    root / f"{name}.log",
                    {**os.environ, "DATA_SOURCE_NAME": source},
                )
            )
            for name, path in programs.items()
        }
        asked = [
            (ports["node_exporter"], "/metrics"),
            *((ports["blackbox_exporter"], f"/probe?module=service&target={service}/{name}") for name in SERVICES),
            (ports["postgres_exporter"], "/metrics"),
        ]
        if containers is not None:
            processes["cadvisor"], port = stack.enter_context(cadvisor(*containers, root / "cadvisor.log"))
            asked.append((port, "/metrics"))
        connections = [stack.enter_context(closing(Connection(port, path))) for port, path in asked]
        yield Side(list(processes.values()), connections)


def _timed(scrape: Callable[[], None], times: list[float]) -> None:
    start = time.perf_counter()
    scrape()
    times.append(time.perf_counter() - start)


async def run() -> AsyncIterator[Result]:
    """Scrape p50 and p99, processor time a minute, resident memory, and our start."""
    programs = {
        f"{name}_exporter": program(f"prometheus-{name}-exporter", f"prometheus-{name}-exporter")
        for name in ("node", "blackbox", "postgres")
    }
    if not Path("/usr/lib/postgresql/15/bin/initdb").exists():
        raise Skipped("PostgreSQL 15 is not installed (Debian package postgresql)")
    watcher = named_cadvisor()
    named = {**programs, **({"cadvisor": watcher} if watcher else {})}
    versions = {**our_versions(), **{name: version_of(path, "--version") for name, path in named.items()}}
    peers_name = " + ".join(named)
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="upkeeper-bench-")))
        database = stack.enter_context(private_postgres(15, {"autovacuum": "on"}))
        port = free_port()
        service = f"http://127.0.0.1:{port}"
        stack.enter_context(running([sys.executable, "-m", "bench.target", port], service, root / "target.log"))
        host = stack.enter_context(engine(root / "engine")) if watcher else None
        containers = (watcher, host) if watcher and host else None
        ours, start = stack.enter_context(_ours(root, service, database, host))
        peers = stack.enter_context(_peers(root, service, database, programs, containers))

        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(WARM_UP + ROUNDS):
            _timed(ours.scrape, times[0])
            _timed(peers.scrape, times[1])
        before = time.monotonic(), ours.cpu_seconds(), peers.cpu_seconds()
        while time.monotonic() - before[0] < MINUTE:
            ours.scrape()
            peers.scrape()
            time.sleep(INTERVAL_SECONDS)
        minutes = (time.monotonic() - before[0]) / 60
        spent = (ours.cpu_seconds() - before[1]) / minutes, (peers.cpu_seconds() - before[2]) / minutes
        resident = ours.resident_bytes(), peers.resident_bytes()
        each = zip(named, peers.processes, strict=True)
        shares = ", ".join(f"{name} {process.memory_info().rss / 1e6:.1f} MB" for name, process in each)

    command = "python -m bench exporters"
    notes = (
        f"{ROUNDS} times in turns: one GET of ours; one of node_exporter, one of postgres_exporter, "
        f"{len(SERVICES)} of blackbox_exporter{', one of cadvisor' if containers else ''}",
    )
    watched = (f"{len(NAMES)} containers, each seen by ours and by cadvisor" if containers else WITHOUT_CADVISOR,)
    for percent in (50, 99):
        yield Result(
            f"everything once, p{percent}",
            percentile(times[0][WARM_UP:], percent) * 1000,
            percentile(times[1][WARM_UP:], percent) * 1000,
            "ms",
            Goal("ratio", "<=", 0.1),
            command,
            versions,
            peers_name,
            (*notes, *watched) if percent == 50 else (),
        )
    yield Result(
        "processor time a minute",
        *spent,
        "s",
        Goal("ratio", "<=", 1.0),
        command,
        versions,
        peers_name,
        (f"all scraped every {INTERVAL_SECONDS:g} s for a minute; ours measures in the background meanwhile",),
    )
    yield Result(
        "resident memory",
        resident[0] / 1e6,
        resident[1] / 1e6,
        "MB",
        Goal("ratio", "<=", 0.6),
        command,
        versions,
        peers_name,
        (shares, *watched),
    )
    yield Result(
        "start to first complete scrape",
        start,
        None,
        "s",
        Goal("ours", "<", 1.5),
        command,
        versions,
        notes=(f"median of {STARTS} starts, until /-/ready says that every collector has been through",),
    )
