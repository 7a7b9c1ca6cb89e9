"""The docker collector on recorded answers: what it chooses, what it leaves out, and what it remembers."""

import asyncio
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.core import Metric

from exporter.collectors.docker import DockerCollector
from exporter.docker.container_figures import Figures, KernelFiles
from exporter.docker.containers import ListedContainer
from exporter.docker.engine import DockerUnavailable
from exporter.docker.events import LOOK_BACK_SECONDS, ContainerEvents, Event
from exporter.docker.families import Measured, container_families
from exporter.docker.measured_containers import selector
from exporter.exposition import Format, join, render
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.docker import Docker
from tests.exporter.docker.kernel_files import WEB
from tests.exporter.docker.test_container_figures import STATISTICS
from tests.exporter.fakes import FakeClock
from tests.golden import docker as golden

COMPOSE = {"com.docker.compose.project": "pa"}


def value(families: Sequence[Metric], name: str, container: str) -> float | None:
    found = [
        float(sample.value)
        for family in families
        for sample in family.samples
        if sample.name == f"upkeeper_container_{name}" and sample.labels["container"] == container
    ]
    return found[0] if found else None


async def test_every_family_has_a_sample_and_is_as_recorded() -> None:
    families = await golden.families()
    assert all(family.samples for family in families)
    lines = join([render(families)], Format.TEXT).decode().splitlines()
    assert (
        'upkeeper_container_info{compose_project="pa",compose_service="letta",container="letta",'
        'image="letta/letta:0.11"} 1.0' in lines
    )
    assert 'upkeeper_container_oom_kills_total{container="letta"} 3.0' in lines
    assert 'upkeeper_container_oom_kills_total{container="n8n"} 1.0' in lines
    assert 'upkeeper_container_oom_killed{container="n8n"} 1.0' in lines
    assert 'upkeeper_container_oom_timestamp_seconds{container="n8n"} 1.6999997e+09' in lines
    assert 'upkeeper_container_exit_code{container="n8n"} 137.0' in lines
    assert 'upkeeper_container_exit_code{container="letta"} 3.0' in lines, "by its event, though it runs again"
    assert 'upkeeper_container_start_timestamp_seconds{container="letta"} 1.6999928005e+09' in lines
    assert 'upkeeper_container_log_bytes{container="letta"} 11234.0' in lines
    assert 'upkeeper_container_log_max_bytes{container="letta"} 3.145728e+07' in lines
    assert 'upkeeper_container_log_limited{container="n8n"} 0.0' in lines
    assert 'upkeeper_docker_usage_bytes{kind="build_cache"} 0.0' in lines
    assert 'upkeeper_docker_usage_bytes{kind="containers"} 1.2345678e+07' in lines
    assert not [line for line in lines if "n8n" in line and ("cpu" in line or "memory" in line)]


@pytest.mark.parametrize("state", ["created", "running", "paused", "restarting", "removing", "exited", "dead"])
def test_each_state_is_one_of_a_set(state: str) -> None:
    families = container_families([Measured(ListedContainer("c", "web", state))])
    found = next(family for family in families if family.name == "upkeeper_container_state")
    assert [sample.labels["upkeeper_container_state"] for sample in found.samples if sample.value] == [state]
    assert len(found.samples) == 7


@pytest.mark.parametrize(
    ("settings", "name", "labels", "wanted"),
    [
        ({}, "web", {}, True),
        ({}, "web", {"upkeeper.ignore": "false"}, False),
        ({"exclude_containers": "^web"}, "web-1", {}, False),
        ({"exclude_containers": "^eb"}, "web", {}, True),
        ({"projects": ["pa", "other"]}, "web", COMPOSE, True),
        ({"projects": ["other"]}, "web", COMPOSE, False),
        ({"projects": ["pa"]}, "web", {}, False),
        ({"projects": ["pa"], "exclude_containers": "web"}, "web", COMPOSE, False),
    ],
)
def test_which_containers_are_measured(
    settings: dict[str, object], name: str, labels: Mapping[str, str], wanted: bool
) -> None:
    assert selector(Docker.model_validate(settings))(name, labels) is wanted


class Client(golden.RecordedClient):
    """Lets the statistics be asked for, and notes what was."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.asked: list[str] = []
        self.inspected: list[str] = []
        self.answer: Callable[[], dict[str, Any]] = lambda: STATISTICS

    def inspect_container(self, key: str) -> dict[str, Any]:
        self.inspected.append(key)
        return super().inspect_container(key)

    def stats(self, key: str, *, stream: bool, one_shot: bool) -> dict[str, Any]:
        assert (stream, one_shot) == (False, True)
        self.asked.append(key)
        return self.answer()


class OtherMachine(golden.RecordedEngine):
    """An engine that is reached over the network."""

    socket = None


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)


def collector(
    client: Client,
    files: KernelFiles | None = None,
    engine: type[golden.RecordedEngine] = OtherMachine,
    **docker: object,
) -> DockerCollector:
    nowhere = KernelFiles("/nowhere", "/nowhere")
    return DockerCollector(engine(client), Docker.model_validate(docker), CollectorSettings(), files or nowhere)


async def test_what_is_not_chosen_is_neither_inspected_nor_shown_but_known(client: Client) -> None:
    made = collector(client, exclude_containers="^n8n$")
    families = await made.collect()
    assert client.inspected == [WEB]
    assert value(families, "restarts", "letta") == 2
    assert value(families, "restarts", "n8n") is None
    assert {container.name for container in made.containers} == {"letta", "n8n"}


async def test_an_engine_of_another_machine_is_asked_for_its_statistics(client: Client) -> None:
    families = await collector(client).collect()
    assert client.asked == [WEB]  # n8n does not run
    assert value(families, "cpu_seconds_total", "letta") == 3.412070214
    assert value(families, "memory_limit_bytes", "letta") == 209715200
    assert value(families, "network_receive_bytes_total", "letta") == 15
    assert value(families, "log_bytes", "letta") is None
    assert value(families, "oom_kills_total", "letta") is None
    assert value(families, "oom_kills_total", "n8n") == 1  # by its end


@pytest.mark.parametrize("error", [DockerUnavailable("slow"), OSError("404 Client Error")])
async def test_statistics_that_fail_cost_only_themselves(client: Client, error: Exception) -> None:
    def fail() -> dict[str, Any]:
        raise error

    client.answer = fail
    families = await collector(client).collect()
    assert value(families, "cpu_seconds_total", "letta") is None
    assert value(families, "restarts", "letta") == 2


class Files(KernelFiles):
    """Reads what it is told to, or hangs until it is released."""

    def __init__(self, figures: dict[str, Figures]) -> None:
        super().__init__()
        self.figures = figures
        self.release = threading.Event()
        self.release.set()

    def read(self, containers: Sequence[ListedContainer]) -> dict[str, Figures]:
        self.release.wait()
        return self.figures


async def test_files_that_hang_leave_out_the_figures_and_nothing_else(client: Client) -> None:
    files = Files({WEB: Figures(received=5, sent=6)})
    made = DockerCollector(OtherMachine(client), Docker(), CollectorSettings(deadline=0.5), files)
    files.release.clear()
    for _ in range(3):
        families = await made.collect()
        assert value(families, "network_receive_bytes_total", "letta") is None
        assert value(families, "restarts", "letta") == 2
    assert [thread.name for thread in threading.enumerate()].count("blocking 'control groups'") == 1
    assert client.asked == []  # the engine would hang on the same files
    files.release.set()
    while value(await made.collect(), "network_receive_bytes_total", "letta") is None:
        await asyncio.sleep(0)


async def test_a_listing_that_was_given_up_is_not_joined_by_another(client: Client) -> None:
    made = collector(client)
    release, begun = threading.Event(), threading.Event()

    def slow(**_: object) -> list[dict[str, Any]]:
        begun.set()
        release.wait()
        return golden.CONTAINERS

    client.containers = slow  # type: ignore[method-assign]
    earlier = threading.Thread(target=made._look, args=(client,))
    earlier.start()
    await asyncio.to_thread(begun.wait)
    with pytest.raises(DockerUnavailable, match="still busy"):
        made._look(client)  # type: ignore[arg-type]
    release.set()
    earlier.join()
    assert len(made._look(client)[0]) == 2  # type: ignore[arg-type]


async def test_a_container_that_the_files_do_not_know_any_more_is_inspected_again(client: Client) -> None:
    """Of a machine whose other containers they do know."""
    files = Files({golden.STOPPED: Figures()})
    made = collector(client, files)
    await made.collect()
    client.inspected.clear()
    await made.collect()
    assert client.inspected == [WEB]


async def test_a_reload_keeps_the_counts(client: Client) -> None:
    files = Files({})
    before = collector(client, files, golden.RecordedEngine)
    await before.collect()
    after = collector(client, files, golden.RecordedEngine)
    after.continue_from(before)
    assert after.containers == before.containers
    assert value(await after.collect(), "oom_kills_total", "n8n") == 1


class EventClient:
    """An engine that tells these events, or answers with this status."""

    base_url, api_version, timeout = "http+docker://localhost", "1.41", 5.0

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.text = ""
        self.asked: list[dict[str, str]] = []

    def get(self, url: str, params: dict[str, str], timeout: float) -> SimpleNamespace:
        assert url == "http+docker://localhost/v1.41/events"
        assert timeout == 5.0
        self.asked.append(params)
        return SimpleNamespace(ok=self.status < 400, status_code=self.status, text=self.text)


def test_events_since_the_last_time_are_asked_for(tmp_path: Path) -> None:
    clock, client = FakeClock(1000.0), EventClient()
    events = ContainerEvents(clock)
    client.text = oom("b", 500)
    assert events.read(client) == [Event("b", 500.0)]  # type: ignore[arg-type]
    assert events.began == 1000.0
    clock.now = 1015.0
    client.text = f"{oom('c', 1000)}\n{oom('d', 1010.5)}{die('d', 1011, '137')}"
    assert events.read(client) == [Event("d", 1010.5), Event("d", 1011.0, 137)]  # type: ignore[arg-type]
    assert [(asked["since"], asked["until"]) for asked in client.asked] == [
        (f"{1000 - LOOK_BACK_SECONDS:.9f}", "1000.000000000"),
        ("1000.000000000", "1015.000000000"),
    ]
    clock.now = 900.0  # put back
    assert events.read(client) == []  # type: ignore[arg-type]
    clock.now = 930.0
    client.text = oom("c", 910)
    assert events.read(client) == [Event("c", 910.0)]  # type: ignore[arg-type]


def test_events_of_other_kinds_and_without_an_exit_code_are_left_out() -> None:
    clock, client = FakeClock(1000.0), EventClient()
    client.text = f'{die("a", 900, "")}{die("b", 900, "x")}{oom("c", 900).replace("oom", "start")}{{"Actor": null}}\n'
    assert ContainerEvents(clock).read(client) == []  # type: ignore[arg-type]


def oom(key: str, at: float) -> str:
    return f"{json.dumps({'Action': 'oom', 'Actor': {'ID': key}, 'timeNano': int(at * 10**9)})}\n"


def die(key: str, at: float, code: str) -> str:
    actor = {"ID": key, "Attributes": {"exitCode": code, "image": "app:1"}}
    return f"{json.dumps({'Action': 'die', 'Actor': actor, 'timeNano': int(at * 10**9)})}\n"


@pytest.mark.parametrize(("status", "asked"), [(403, 1), (500, 2)])
def test_an_engine_that_refuses_is_not_asked_again(status: int, asked: int) -> None:
    clock, client = FakeClock(1000.0), EventClient(status)
    events = ContainerEvents(clock)
    for _ in range(2):
        clock.now += 15
        assert events.read(client) == []  # type: ignore[arg-type]
    assert len(client.asked) == asked
    assert events.refused is (status == 403)
