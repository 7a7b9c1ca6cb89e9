"""The docker collectors on what an engine said of the personal-assistant stack, and on the kernel's files of it."""

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, TypeVar

from prometheus_client.core import Metric

from exporter.collectors.docker import DockerCollector
from exporter.collectors.docker_usage import DockerUsageCollector
from exporter.docker.container_figures import KernelFiles
from exporter.docker.engine import DockerEngine
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.docker import Docker
from tests.exporter.docker.kernel_files import V2, V2_MEMBERSHIPS, WEB, write_process, write_tree

T = TypeVar("T")

NOW = 1_700_000_000.0
STOPPED = "c7b8bf93b58104125d197e538168ab6511092eb4e2e07cbcfefd86bc86325244"


def _compose(service: str) -> dict[str, str]:
    return {"com.docker.compose.project": "pa", "com.docker.compose.service": service}


CONTAINERS: list[dict[str, Any]] = [
    {
        "Id": "0" * 64,
        "Names": ["/upkeeper-sandbox-0001-n8n"],
        "Image": "n8nio/n8n:1.64.0",
        "State": "running",
        "Status": "Up 3 days",
        "Labels": {"upkeeper.sandbox": "upkeeper-sandbox-0001", "upkeeper.sandbox.until": "1699990000"},
    },
    {
        "Id": WEB,
        "Names": ["/letta"],
        "Image": "letta/letta:0.11",
        "State": "running",
        "Status": "Up 2 hours (healthy)",
        "Labels": _compose("letta"),
    },
    {
        "Id": STOPPED,
        "Names": ["/n8n"],
        "Image": "n8nio/n8n:1.100.0",
        "State": "exited",
        "Status": "Exited (137) 5 minutes ago",
        "Labels": _compose("n8n"),
    },
]


def inspections(directory: Path) -> dict[str, dict[str, Any]]:
    """By container id; the logs lie in the directory."""
    return {
        WEB: {
            "State": {"Status": "running", "Pid": 42, "OOMKilled": False, "StartedAt": "2023-11-14T20:13:20.5Z"},
            "RestartCount": 2,
            "LogPath": str(directory / "letta-json.log"),
            "HostConfig": {
                "Memory": 209715200,
                "NetworkMode": "pa_default",
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
            },
            "Config": {"Image": "letta/letta:0.11"},
        },
        STOPPED: {
            "State": {
                "Status": "exited",
                "Pid": 0,
                "OOMKilled": True,
                "ExitCode": 137,
                "StartedAt": "2023-11-14T21:13:20.5Z",
                "FinishedAt": "2023-11-14T22:08:20Z",
            },
            "RestartCount": 0,
            "LogPath": str(directory / "n8n-json.log"),
            "HostConfig": {"Memory": 0, "NetworkMode": "pa_default", "LogConfig": {"Type": "json-file", "Config": {}}},
            "Config": {"Image": "n8nio/n8n:1.100.0"},
        },
    }


EVENTS = [
    {
        "Type": "container",
        "Action": "die",
        "Actor": {"ID": WEB, "Attributes": {"exitCode": "3"}},
        "timeNano": int((NOW - 600) * 10**9),
    },
    {"Type": "container", "Action": "oom", "Actor": {"ID": STOPPED}, "timeNano": int((NOW - 300) * 10**9)},
]

DISK_USAGE: dict[str, Any] = {
    "LayersSize": 1_500_000_000,
    "Images": [
        {"Id": "sha256:1", "RepoTags": ["letta/letta:0.11"], "Size": 900_000_000, "SharedSize": 0, "Containers": 1},
        {"Id": "sha256:2", "RepoTags": None, "Size": 600_000_000, "SharedSize": 0, "Created": NOW - 30 * 86400},
    ],
    "Containers": [
        {**CONTAINERS[0], "ImageID": "sha256:1", "SizeRw": 12_345_678, "Created": NOW - 7200},
        {**CONTAINERS[1], "ImageID": "sha256:3", "Created": NOW - 7200},
    ],
    "Volumes": [{"Name": "pa_db", "UsageData": {"Size": 3_000_000_000, "RefCount": 1}}],
    "BuildCache": None,
}


class RecordedClient:
    """Answers as the engine did."""

    base_url = "http+docker://localhost"
    api_version = "1.41"
    timeout = 5.0

    def __init__(self, directory: Path) -> None:
        self._inspections = inspections(directory)

    def ping(self) -> bool:
        return True

    def containers(self, **_: object) -> list[dict[str, Any]]:
        return CONTAINERS

    def inspect_container(self, key: str) -> dict[str, Any]:
        return self._inspections[key]

    def inspect_image(self, key: str) -> dict[str, Any]:
        return {"Id": key, "Comment": "buildkit.dockerfile.v0", "Metadata": {"LastTagTime": "2023-10-01T00:00:00Z"}}

    def networks(self) -> list[dict[str, Any]]:
        return []

    def get(self, url: str, **_: object) -> SimpleNamespace:
        if url.endswith("/events"):
            return SimpleNamespace(ok=True, text="".join(f"{json.dumps(event)}\n" for event in EVENTS))
        return SimpleNamespace(ok=True, json=lambda: DISK_USAGE)


class RecordedEngine(DockerEngine):
    """Hands out one client that does not connect to anything."""

    def __init__(self, client: Any) -> None:
        super().__init__("unix:///recorded.sock")
        self._recorded = client

    def patient(self, timeout: float, threads: int = 2) -> DockerEngine:
        return self

    async def call(self, function: Callable[[Any], T]) -> T:
        return function(self._recorded)


async def families() -> Sequence[Metric]:
    """Of both docker collectors."""
    with TemporaryDirectory() as temporary:
        directory = Path(temporary)
        write_tree(directory / "cgroup", V2)
        write_process(directory / "proc", 1, "0::/init.scope\n", namespace="net:[1]")
        write_process(directory / "proc", 42, V2_MEMBERSHIPS)
        (directory / "letta-json.log").write_bytes(b"x" * 1234)
        (directory / "letta-json.log.1").write_bytes(b"x" * 10_000)
        (directory / "n8n-json.log").write_bytes(b"x" * 56_789)
        engine, settings = RecordedEngine(RecordedClient(directory)), CollectorSettings()
        files = KernelFiles(str(directory / "proc"), str(directory / "cgroup"))
        clock = itertools.count(NOW - 900, 900)
        engine_collector = DockerCollector(engine, Docker(), settings, files, lambda: next(clock))
        usage_collector = DockerUsageCollector(engine, Docker(), settings, lambda: NOW)
        return [*await engine_collector.collect(), *await usage_collector.collect()]
