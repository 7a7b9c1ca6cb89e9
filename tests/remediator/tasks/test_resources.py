"""What tasks share: connections that are made once and end with their config, and what outlives it."""

import asyncio
from collections import Counter

import pytest

from exporter.docker.engine import DockerEngine
from remediator.config.config import Config
from remediator.model.task import TaskError
from remediator.tasks.health_check.facts import HEALTH_CHECK
from remediator.tasks.health_check.task import Seen
from remediator.tasks.registry import build_tasks
from remediator.tasks.resources import Memory, Resources


class Engine(DockerEngine):
    """Tells whether it was closed, and lets calls wait for a word."""

    def __init__(self) -> None:
        super().__init__("unix:///nowhere/a.sock")
        self.closed = False
        self.called = asyncio.Event()
        self.answers = asyncio.Event()

    async def call(self, function):  # type: ignore[no-untyped-def]
        self.called.set()
        await self.answers.wait()
        assert not self.closed
        return []

    def close(self) -> None:
        assert not self.closed
        self.closed = True
        super().close()


def config(host: str) -> Config:
    return Config.model_validate({"docker": {"host": f"unix:///nowhere/{host}.sock"}})


def test_a_reload_hands_on_the_connections_that_it_does_not_change() -> None:
    resources = Resources(config("a"))
    engine = resources.docker
    assert resources.docker is engine
    assert resources.renewed(config("a")).docker is engine
    assert resources.renewed(config("b")).docker is not engine


async def test_a_connection_is_closed_once_no_config_in_force_has_it() -> None:
    first = Resources(config("a"), docker=Engine)
    engine = first.docker
    assert isinstance(engine, Engine)
    second = first.renewed(config("a"))
    first.close()
    first.close()
    third = second.renewed(config("b"))
    assert not engine.closed
    second.close()
    assert engine.closed
    third.close()


@pytest.mark.parametrize("through", ["a", "b"])
async def test_a_step_under_way_goes_on_with_what_it_began_with(through: str) -> None:
    """Through two reloads, the first of which may hand on the connection."""
    first = Resources(config("a"), docker=Engine)
    engine = first.docker
    assert isinstance(engine, Engine)
    task = build_tasks(config("a"), first)[HEALTH_CHECK.name]
    step = asyncio.create_task(task.measure("all"))
    await engine.called.wait()
    second = first.renewed(config(through))
    first.close()
    second.renewed(config("c"))
    second.close()
    assert not engine.closed
    engine.answers.set()
    await step
    assert engine.closed
    with pytest.raises(TaskError, match="config was changed"):
        await task.measure("all")


def test_nothing_is_opened_in_order_to_be_closed() -> None:
    def never() -> DockerEngine:
        raise AssertionError

    resources = Resources(config("a"), docker=never)
    resources.renewed(config("a")).close()
    resources.close()


def test_memory_holds_one_of_a_kind_about_each_thing() -> None:
    memory = Memory()
    memory.of(Counter, "a").update("x")
    assert memory.of(Counter, "a") == Counter("x")
    assert memory.of(Counter, "b") == memory.of(Counter) == Counter()


async def test_an_engine_that_answered_before_a_reload_is_missed_after_it() -> None:
    """On a machine without Docker containers are left out; where there was an engine, its silence is a failure."""
    resources = Resources(config("a"))
    assert not (await build_tasks(config("a"), resources)[HEALTH_CHECK.name].measure("all")).breached
    resources.memory.of(Seen, config("a").docker.host).answered = True
    for host, missed in (("a", True), ("b", False)):
        again = build_tasks(config(host), resources.renewed(config(host)))
        assert (await again[HEALTH_CHECK.name].measure("all")).breached == missed


POSTGRES = {"name": "db", "host": "127.0.0.1", "databases": ["app"]}
NEO4J = {"name": "graph", "uri": "bolt://127.0.0.1:7687"}


@pytest.mark.parametrize("section", ["postgres", "neo4j"])
def test_a_reload_hands_on_the_way_to_a_database_server_that_it_does_not_change(section: str) -> None:
    """So that a refused login is remembered, and what a step has open is closed when nothing uses it any more."""
    given = POSTGRES if section == "postgres" else NEO4J

    def config(**more: object) -> Config:
        return Config.model_validate({section: [given | more]})

    def door(resources: Resources, config: Config) -> object:
        return resources.postgres(config.postgres[0]) if config.postgres else resources.neo4j(config.neo4j[0])

    first = Resources(config())
    opened = door(first, config())
    same, other = first.renewed(config()), first.renewed(config(name="another"))
    assert door(first, config()) is opened
    assert door(same, config()) is opened
    assert door(other, config(name="another")) is not opened
    for resources in (first, same, other):
        resources.close()
