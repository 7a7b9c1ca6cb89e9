"""The load generator of the acceptance benchmark, a process of its own: ``python -m bench.load`` with a Load as JSON on
standard input; the answer, a Measured as JSON, on standard output.

It speaks HTTP/1.1 by hand, so that it needs far less of the processor than the server that it measures.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

# The keys and sizes of what Alertmanager sends. "%s" stands for what differs.
_ALERT = json.dumps(
    {
        "status": "%s",
        "labels": {
            "alertname": "UpkeeperLogDirectoryOverLimit",
            "directory": "%s",
            "instance": "127.0.0.1:10746",
            "job": "upkeeper",
            "severity": "warning",
            "item": "%d",
        },
        "annotations": {
            "summary": "The log directory app is over its limit.",
            "description": "It takes up 1.4 GiB of the 1 GiB that it may hold. Rotation and compression free the most.",
            "runbook_url": "docs/runbooks/UpkeeperLogDirectoryOverLimit.md",
        },
        "startsAt": "2026-01-01T00:00:00.123Z",
        "endsAt": "%s",
        "generatorURL": "http://127.0.0.1:10748/graph?g0.expr=upkeeper_log_allocated_bytes&g0.tab=1",
        "fingerprint": "%016x",
    }
)
_BODY = json.dumps(
    {
        "receiver": "upkeeper",
        "status": "firing",
        "alerts": ["%s"],
        "groupLabels": {"alertname": "UpkeeperLogDirectoryOverLimit"},
        "commonLabels": {"alertname": "UpkeeperLogDirectoryOverLimit", "directory": "app"},
        "commonAnnotations": {},
        "externalURL": "http://127.0.0.1:10749",
        "version": "4",
        "groupKey": '{}:{alertname="UpkeeperLogDirectoryOverLimit"}',
        "truncatedAlerts": 0,
    }
).replace('"%s"', "%s")
_HEAD = (
    "POST /api/v1/alertmanager HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: Alertmanager/0.25.0\r\n"
    "Content-Type: application/json\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n"
)
_ENDS = {"firing": "0001-01-01T00:00:00Z", "resolved": "2026-01-01T01:00:00Z"}


@dataclass(frozen=True)
class Load:
    """What is sent. Every alert is an episode of its own."""

    port: int
    token: str = field(repr=False)
    status: Literal["firing", "resolved"]
    connections: int
    alerts_per_webhook: int
    seconds: float
    first: int = 1
    """Number of the first episode."""
    webhooks_per_second: float | None = None
    """None: each connection sends its next webhook as soon as the one before is answered."""
    directories: Sequence[str] = ("app",)
    """What the alerts are about, in turn."""


@dataclass(frozen=True)
class Measured:
    """latencies: seconds from when each webhook was due to its 202. seconds: from the first webhook to the last 202."""

    latencies: list[float]
    seconds: float


def bodies(load: Load) -> Iterator[bytes]:
    """Payloads as Alertmanager sends them, for ever."""
    number = load.first
    while True:
        alerts = []
        for _ in range(load.alerts_per_webhook):
            directory = load.directories[number % len(load.directories)]
            alerts.append(_ALERT % (load.status, directory, number, _ENDS[load.status], number))
            number += 1
        yield (_BODY % ",".join(alerts)).encode()


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, load: Load, body: bytes) -> None:
    writer.write(_HEAD.format(port=load.port, token=load.token, length=len(body)).encode() + body)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    answer = await reader.readexactly(length)
    if not head.startswith(b"http/1.1 202"):
        raise RuntimeError(f"a webhook was not accepted: {head!r} {answer!r}")


async def _connection(load: Load, number: int, start: float, source: Iterator[bytes], latencies: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    interval = load.connections / load.webhooks_per_second if load.webhooks_per_second else 0.0
    due = start + interval * number / load.connections
    try:
        while due - start < load.seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await _post(reader, writer, load, next(source))
            # Timed from when it was due, so that a server that falls behind cannot hide it.
            latencies.append(time.perf_counter() - due)
            due = due + interval if interval else time.perf_counter()
    finally:
        writer.close()
        await writer.wait_closed()


async def generate(load: Load) -> Measured:
    """Sends for so many seconds. Raises RuntimeError when a webhook is not accepted, and OSError."""
    latencies: list[float] = []
    source = bodies(load)
    start = time.perf_counter()
    async with asyncio.TaskGroup() as connections:
        for number in range(load.connections):
            connections.create_task(_connection(load, number, start, source, latencies))
    return Measured(latencies, time.perf_counter() - start)


def main() -> None:
    """Reads a Load, sends it, prints what was measured."""
    measured = asyncio.run(generate(Load(**json.load(sys.stdin))))
    json.dump(asdict(measured), sys.stdout)


if __name__ == "__main__":
    main()
