"""Listing containers, with as few inspections as tell each start and end."""

from typing import Any

import pytest

from exporter.docker.containers import Inspected, Lister, health_of, inspected, least_age
from exporter.docker.engine import EngineRefused
from exporter.docker.logfile import LogConfig
from tests.exporter.fakes import FakeClock


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("Up 2 hours (healthy)", "healthy"),
        ("Up 5 seconds (unhealthy)", "unhealthy"),
        ("Up 1 second (health: starting)", "starting"),
        ("Up 2 hours", "none"),
        ("Up 2 hours (Paused)", "none"),
        ("Exited (0) 3 days ago", "none"),
        ("", "none"),
    ],
)
def test_health_from_the_status_text(status: str, health: str) -> None:
    assert health_of(status) == health


@pytest.mark.parametrize(
    ("status", "age"),
    [
        ("Up Less than a second", 0),
        ("Up 1 second (health: starting)", 1),
        ("Up 59 seconds", 59),
        ("Up About a minute (healthy)", 60),
        ("Up 46 minutes", 46 * 60),
        ("Up About an hour", 3600),
        ("Up 2 hours (Paused)", 1.5 * 3600),
        ("Exited (137) 3 days ago", 3 * 86400),
        ("Up 5 weeks", 35 * 86400),
        ("Up 3 months", 90 * 86400),
        ("Exited (0) 2 years ago", 730 * 86400),
        ("Restarting (1) 7 seconds ago", 7),
        ("Created", 0),
        ("Dead", 0),
        ("Removal In Progress", 0),
        ("", 0),
    ],
)
def test_the_least_age_by_the_status_text(status: str, age: float) -> None:
    assert least_age(status) == age


class ScriptedClient:
    """Answers as an engine would with this one container, and counts the inspections."""

    def __init__(self) -> None:
        self.state = "running"
        self.status = "Up 2 hours"
        self.restarts = 0
        self.inspected = 0
        self.gone = False

    def containers(self, **_: object) -> list[dict[str, object]]:
        labels = {"a": "b"}
        return [{"Id": "c", "Names": ["/web"], "State": self.state, "Status": self.status, "Labels": labels}]

    def inspect_container(self, _: str) -> dict[str, object]:
        self.inspected += 1
        if self.gone:
            raise EngineRefused(404, "No such container: c")
        return {"RestartCount": self.restarts}


@pytest.fixture
def client() -> Any:
    return ScriptedClient()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.mark.parametrize(
    ("status", "later", "inspections"),
    [
        ("Up 2 hours", "Up 2 hours", 1),
        ("Up About an hour (healthy)", "Up About an hour (unhealthy)", 1),
        ("Up 5 minutes", "Up 5 minutes", 1),
        ("Up 30 seconds", "Up 45 seconds", 1),
        ("Up 2 seconds", "Up 17 seconds", 2),  # may have been restarted: the margin
        ("Up 2 hours", "Up 5 seconds", 2),
        ("Up 2 hours", "Exited (1) 5 minutes ago", 1),  # as an engine does not say it: the state is the same
        ("Created", "Created", 2),
    ],
)
def test_only_what_may_have_started_or_ended_is_inspected(
    client: Any, clock: FakeClock, status: str, later: str, inspections: int
) -> None:
    lister = Lister(monotonic=clock)
    client.status = status
    lister.read(client)
    clock.now += 15
    client.status = later
    lister.read(client)
    assert client.inspected == inspections


def test_a_long_pause_between_two_listings_lets_nothing_slip(client: Any, clock: FakeClock) -> None:
    lister = Lister(monotonic=clock)
    lister.read(client)
    clock.now += 3 * 3600
    lister.read(client)
    assert client.inspected == 2


def test_one_that_was_never_started_is_inspected_once(client: Any) -> None:
    lister = Lister()
    client.state, client.status = "created", "Created"
    for _ in range(3):
        lister.read(client)
    assert client.inspected == 1


def test_another_state_is_inspected_whatever_the_age(client: Any, clock: FakeClock) -> None:
    lister = Lister(monotonic=clock)
    lister.read(client)
    client.state, client.status = "paused", "Up 2 hours (Paused)"
    lister.read(client)
    assert client.inspected == 2


def test_a_restart_between_two_listings_is_noticed(client: Any, clock: FakeClock) -> None:
    lister = Lister(monotonic=clock)
    assert lister.read(client)[0].inspected.restarts == 0
    clock.now += 15
    client.status, client.restarts = "Up 4 seconds", 1
    assert lister.read(client)[0].inspected.restarts == 1


def test_what_turned_out_wrong_is_inspected_again(client: Any) -> None:
    lister = Lister()
    lister.read(client)
    lister.forget("c")
    lister.forget("another")
    lister.read(client)
    assert client.inspected == 2


def test_one_that_is_not_wanted_is_listed_and_not_inspected(client: Any) -> None:
    found = Lister(lambda name, labels: (name, labels) != ("web", {"a": "b"})).read(client)
    assert [(each.name, each.inspected) for each in found] == [("web", Inspected())]
    assert client.inspected == 0


def test_one_that_vanished_since_the_listing_is_left_out(client: Any) -> None:
    client.gone = True
    assert Lister().read(client) == []


def test_the_facts_of_an_inspection() -> None:
    answer = {
        "State": {"Pid": 7656, "OOMKilled": False, "StartedAt": "2023-11-14T22:13:20.5Z"},
        "RestartCount": 3,
        "LogPath": "/var/lib/docker/containers/c/c-json.log",
        "HostConfig": {
            "Memory": 33554432,
            "NetworkMode": "pa_default",
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m"}},
        },
        "Config": {"Image": "letta/letta:0.11"},
    }
    assert inspected(answer) == Inspected(
        pid=7656,
        started=1700000000.5,
        restarts=3,
        memory_limit=33554432,
        network_mode="pa_default",
        image="letta/letta:0.11",
        log=LogConfig("json-file", {"max-size": "10m"}, "/var/lib/docker/containers/c/c-json.log"),
    )


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"State": None, "HostConfig": None, "Config": None, "LogPath": None, "RestartCount": None},
        {"State": {"Pid": 0}, "HostConfig": {"Memory": 0, "LogConfig": {"Type": "", "Config": None}}},
    ],
)
def test_facts_may_be_null_or_absent(answer: dict[str, object]) -> None:
    assert inspected(answer) == Inspected()


@pytest.mark.parametrize(("pid", "killed"), [(0, True), (42, False)])
def test_the_last_end_of_one_that_runs_again_is_no_end(pid: int, killed: bool) -> None:
    """Engines may leave OOMKilled as it was."""
    assert inspected({"State": {"Pid": pid, "OOMKilled": True}}).oom_killed is killed
