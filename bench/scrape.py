"""What a scrape costs: our exporter beside node_exporter, both idle, asked in turns as Prometheus asks."""

import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.processes import UPKEEPER, cpu_seconds, our_versions, program, running, version_of
from bench.report import Goal, Result
from bench.stats import percentile
from tests.ports import free_port

ROUNDS = 500
WARM_UP = 20
LOG_DIRECTORIES = 4

# What Prometheus 2.42 sends.
_REQUEST = (
    "GET {path} HTTP/1.1\r\n"
    "Host: 127.0.0.1:{port}\r\n"
    "User-Agent: Prometheus/2.42.0\r\n"
    "Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n"
    "Accept-Encoding: gzip\r\n"
    "X-Prometheus-Scrape-Timeout-Seconds: 10\r\n"
    "\r\n"
)


class Connection:
    """A keep-alive connection that does as little as it can, so that what is timed is the server."""

    def __init__(self, port: int, path: str = "/metrics") -> None:
        self._request = _REQUEST.format(port=port, path=path).encode()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def scrape(self) -> int:
        """Asks once. The bytes of the answer. Raises ConnectionError when it is not a whole 200 with gzip."""
        self._socket.sendall(self._request)
        answer = b""
        while not _complete(answer):
            part = self._socket.recv(1 << 18)
            if not part:
                raise ConnectionError("the connection was closed in the middle of an answer")
            answer += part
        return len(answer)

    def close(self) -> None:
        self._socket.close()


def _complete(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if not head.startswith(b"HTTP/1.1 200") or fields.get(b"content-encoding") != b"gzip":
        raise ConnectionError(f"not a 200 with gzip: {head[:200]!r}")
    if fields.get(b"transfer-encoding") == b"chunked":
        return body.endswith(b"\r\n0\r\n\r\n")
    return len(body) == int(fields[b"content-length"])


@dataclass(frozen=True)
class Times:
    """Seconds of each scrape of ours and of the peer's."""

    ours: Sequence[float]
    peer: Sequence[float]


def _in_turns(ours: Callable[[], object], peer: Callable[[], object]) -> Times:
    measured: tuple[list[float], list[float]] = ([], [])
    for turn in range(WARM_UP + ROUNDS):
        for times, scrape in zip(measured, (ours, peer), strict=True):
            start = time.perf_counter()
            scrape()
            if turn >= WARM_UP:
                times.append(time.perf_counter() - start)
    return Times(*measured)


def _fresh(port: int) -> int:
    with closing(Connection(port)) as connection:
        return connection.scrape()


def _config(root: Path) -> Path:
    """The default config with some log directories."""
    directories = []
    for number in range(LOG_DIRECTORIES):
        path = root / f"logs-{number}"
        path.mkdir()
        for log in range(10):
            (path / f"app-{log}.log").write_text("a line of a log\n" * 1000)
        directories.append({"name": path.name, "path": str(path), "max_bytes": "1GiB"})
    config = root / "upkeeper.yml"
    config.write_text(yaml.safe_dump({"logs": directories}))
    return config


async def run() -> AsyncIterator[Result]:
    """p50 and p99 of a scrape, on a connection that is kept and on one made for each scrape."""
    node_exporter = program("prometheus-node-exporter", "prometheus-node-exporter")
    versions = {**our_versions(), "node_exporter": version_of(node_exporter, "--version")}
    with tempfile.TemporaryDirectory(prefix="upkeeper-bench-") as directory:
        root = Path(directory)
        port, peer_port = free_port(), free_port()
        exporter = [*UPKEEPER, "exporter", "--config", _config(root), "--listen", f"127.0.0.1:{port}"]
        peer = [node_exporter, f"--web.listen-address=127.0.0.1:{peer_port}"]
        with (
            running(exporter, f"http://127.0.0.1:{port}/-/ready", root / "exporter.log") as our_process,
            running(peer, f"http://127.0.0.1:{peer_port}/", root / "node_exporter.log") as peer_process,
            closing(Connection(port)) as ours,
            closing(Connection(peer_port)) as theirs,
        ):
            before = cpu_seconds(our_process), cpu_seconds(peer_process)
            warm = _in_turns(ours.scrape, theirs.scrape)
            after = cpu_seconds(our_process), cpu_seconds(peer_process)
            sizes = ours.scrape(), theirs.scrape()
            fresh = _in_turns(lambda: _fresh(port), lambda: _fresh(peer_port))
    cost = [(end - start) / (WARM_UP + ROUNDS) * 1000 for start, end in zip(before, after, strict=True)]
    notes = (
        f"{ROUNDS} scrapes of each in turns; answers of {sizes[0]} and {sizes[1]} bytes, gzip",
        f"processor time a scrape, background collection included: {cost[0]:.2f} ms and {cost[1]:.2f} ms",
    )
    for kind, times, goal in (("kept connection", warm, Goal("ratio", "<=", 0.1)), ("new connection", fresh, None)):
        for percent in (50, 99):
            yield Result(
                name=f"scrape, {kind}, p{percent}",
                ours=percentile(times.ours, percent) * 1000,
                peer=percentile(times.peer, percent) * 1000,
                peer_name="node_exporter",
                unit="ms",
                goal=goal if percent == 50 else None,
                command="python -m bench scrape",
                versions=versions,
                notes=notes if kind == "kept connection" and percent == 50 else (),
            )
