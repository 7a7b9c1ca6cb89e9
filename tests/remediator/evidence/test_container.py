"""What containers of a private engine leave behind."""

from collections.abc import Iterator

import pytest

from exporter.docker.engine import DockerEngine
from remediator.evidence.container import container_sources
from remediator.evidence.gather import gather
from tests.dockerd import Dockerd
from tests.helpers import wait_until

pytestmark = pytest.mark.servers

SECRET = "Zq9xW7hunter2"


@pytest.fixture
def engine(clean_dockerd: Dockerd) -> Iterator[DockerEngine]:
    connection = DockerEngine(clean_dockerd.host)
    yield connection
    connection.close()


async def test_how_it_ended_and_its_last_words_without_secrets(clean_dockerd: Dockerd, engine: DockerEngine) -> None:
    said = ("connecting to postgres://bob:$DB_PASSWORD@db", "got $DB_PASSWORD", "token=abcdefg", "bye >&2")
    script = "; ".join([*(f"echo {line}" for line in said), "exit 3"])
    clean_dockerd.run("crashed", script, environment={"DB_PASSWORD": SECRET})

    def ended() -> bool:
        return clean_dockerd.client.api.inspect_container("crashed")["State"]["Status"] == "exited"

    await wait_until(ended, what="the container to end")

    async def find() -> str:
        return "crashed"

    state, log = await gather(container_sources(engine, find))
    assert (state.problem, log.problem) == ("", "")
    assert state.lines[0] == "crashed: exited, exit status 3"
    assert "killed for lack of memory: no" in state.lines
    assert "restarted by Docker: 0 times" in state.lines
    text = "\n".join(log.lines)
    assert SECRET not in text
    assert "abcdefg" not in text
    assert "connecting to postgres://bob:(not shown)@db" in text
    assert "got (not shown)" in text
    assert "bye" in text


async def test_what_its_health_check_said(clean_dockerd: Dockerd, engine: DockerEngine) -> None:
    clean_dockerd.run("sick", "sleep 1000", healthcheck=f"echo cannot reach it, api_key={SECRET}; exit 1")

    def unhealthy() -> bool:
        return clean_dockerd.client.api.inspect_container("sick")["State"]["Health"]["Status"] == "unhealthy"

    await wait_until(unhealthy, what="the container to be unhealthy")

    async def find() -> str:
        return "sick"

    state, _ = await gather(container_sources(engine, find))
    text = "\n".join(state.lines)
    assert "health: unhealthy, failed " in text
    assert "exit status 1:" in text
    assert "cannot reach it, api_key=(not shown)" in text
    assert SECRET not in text


async def test_a_container_that_is_gone_is_said(engine: DockerEngine) -> None:
    async def find() -> str:
        return "nobody"

    state, log = await gather(container_sources(engine, find))
    assert "No such container" in state.problem
    assert "No such container" in log.problem
