"""``upkeeper probe``: the probes of one service, run now, against real servers."""

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import structlog
from aiohttp import web

from exporter.configfile.file import load
from exporter.docker.containers import ListedContainer
from exporter.docker.engine import DockerEngine
from remediator import endpoints
from remediator.config.config import Config
from remediator.model.errors import ClientError
from tests.exporter.serving import answering
from tests.exporter.tls import make_certificate
from tests.upkeeper.commandline import Done, invoke
from upkeeper.look.probe import choose

T = TypeVar("T")

PASSWORD, TOKEN, QUERY = "hunter2-hunter2", "swordfish-swordfish", "mellon%2Bmellon"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers, logging.root.level
    yield
    logging.root.handlers, logging.root.level = handlers, level
    structlog.reset_defaults()


async def echo(request: web.Request) -> web.Response:
    """Tells more than it should: everything that it was sent."""
    document = {"database": {"status": "down"}, "sent": dict(request.headers), "url": str(request.url)}
    return web.json_response(document, headers={"X-Echo": request.headers.get("Authorization", "")})


@pytest.fixture
async def config(tmp_path: Path) -> AsyncIterator[Path]:
    """A service with one probe that is well and one that is not, and one behind a certificate that nobody trusts."""
    (tmp_path / "password").write_text(PASSWORD)
    certificate = make_certificate(tmp_path)
    path = tmp_path / "upkeeper.yml"
    async with answering(echo) as url, answering(echo, certificate.server_context()) as secure:
        path.write_text(f"""
docker: {{host: "unix://{tmp_path}/no-docker.sock"}}
services:
  - name: letta
    probes:
      - name: live
        url: "{url}/?key=${{TOKEN}}"
        headers: {{X-Token: "${{TOKEN}}", X-Short: "${{SHORT}}", X-Plain: plain}}
      - name: ready
        url: {url}/?page=1&api_key={QUERY}
        basic_auth: {{username: me, password_file: {tmp_path}/password}}
        body_json: [{{path: $.database.status, equals: ok}}]
  - name: n8n
    probes: [{{url: "{secure}/"}}]
  - name: db
    probes: [{{url: "tcp://127.0.0.1:{url.rpartition(":")[2]}"}}]
""")
        yield path


async def probe(config: Path, *arguments: str) -> Done:
    return await invoke("probe", "--config", config, *arguments, env={"TOKEN": TOKEN, "SHORT": "abc"})


async def test_all_probes_of_a_service_in_a_table(config: Path) -> None:
    done = await probe(config, "letta")
    assert (done.status, done.err) == (1, "")
    heading, live, ready = done.out.splitlines()
    assert heading.split() == ["PROBE", "RESULT", "TOOK", "DETAIL"]
    assert live.split()[:2] == ["letta/live", "ok"]
    assert ready.split()[:2] == ["letta/ready", "failed"]
    assert ready.endswith("status 200, but the body does not meet body_json: $.database.status")


async def test_one_probe_that_is_well(config: Path) -> None:
    done = await probe(config, "letta/live")
    assert done.status == 0
    assert "letta/ready" not in done.out
    assert (await probe(config, "db")).status == 0


async def test_debug_shows_each_step_in_its_order(config: Path) -> None:
    done = await probe(config, "letta/ready", "--debug")
    assert done.status == 1
    places = [
        done.out.index(text)
        for text in (
            "resolved 127.0.0.1",
            "connected to 127.0.0.1:",
            "request: GET http://127.0.0.1:",
            "Authorization: (not shown)",
            "answer: HTTP/1.1 200",
            "Content-Type: application/json",
            "body, ",
            '{"database": {"status": "down"}',
            "ok: status 200; found: status 200",
            'failed: $.database.status equals "ok"; found: "down"',
            "in all: resolve ",
            "PROBE",
        )
    ]
    assert places == sorted(places)


async def test_debug_shows_a_certificate_that_was_refused(config: Path) -> None:
    done = await probe(config, "n8n", "--debug")
    assert done.status == 1
    assert "verification certificate verify failed: self-signed certificate" in done.out
    assert "certificate 0: CN=localhost" in done.out
    assert "issued by CN=localhost" in done.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["letta"],
        ["letta", "--debug"],
        ["letta", "--json"],
        ["letta", "--debug", "--json"],
        ["letta", "--debug", "--verbose"],
    ],
)
async def test_no_secret_in_any_output(config: Path, arguments: list[str]) -> None:
    done = await probe(config, *arguments)
    text = done.out + done.err
    for secret in (PASSWORD, TOKEN, QUERY, "mellon+mellon", "bWU6aHVudGVyMi1odW50ZXIy", '"abc"', ": abc"):
        assert secret not in text
    if "--debug" in arguments:
        assert "X-Plain" in text
        assert "plain" in text


async def test_json_is_one_document(config: Path) -> None:
    document = json.loads((await probe(config, "letta", "--json", "--debug")).out)
    assert (document["target"], document["success"]) == ("letta", False)
    live, ready = document["probes"]
    assert (live["probe"], live["success"], live["http_status"]) == ("live", True, 200)
    assert live["url"] == "(not shown)"
    assert set(ready["phases_seconds"]) == {"resolve", "connect", "processing", "transfer"}
    assert [step["what"] for step in ready["steps"]][:3] == ["resolved", "connected", "request"]
    [n8n] = json.loads((await probe(config, "n8n", "--json")).out)["probes"]
    assert n8n["tls_not_after"].endswith("Z")
    assert "steps" not in n8n


class Engine(DockerEngine):
    """An engine whose containers are known."""

    def __init__(self, *containers: ListedContainer) -> None:
        super().__init__()
        self._containers: Any = list(containers)

    async def call(self, function: Callable[[Any], T]) -> T:
        found: T = self._containers
        return found


async def test_a_container_may_declare_the_service_by_its_labels(config: Path) -> None:
    labels = {"upkeeper.probe.url": "http://127.0.0.1:1/"}
    engine = Engine(*(ListedContainer("id", name, "running", labels=labels) for name in ("web", "letta")))
    loaded = load(config, Config, env={"TOKEN": TOKEN, "SHORT": "abc"})
    labelled = await choose(loaded, "web/live", engine)
    assert [probe.url for probe in labelled.probes] == ["http://127.0.0.1:1/"]
    assert len((await choose(loaded, "letta", engine)).probes) == 2, "the config wins"
    with pytest.raises(ClientError, match=r"did you mean web\?"):
        await choose(loaded, "wbe", engine)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lettta", "there is no service 'lettta' (did you mean letta?)"),
        ("xyz", "there is no service 'xyz' (there are: db, letta, n8n)"),
        ("letta/raedy", "letta has no probe 'raedy' (did you mean ready?)"),
    ],
)
async def test_an_unknown_name_exits_2_with_the_nearest(config: Path, name: str, message: str) -> None:
    done = await probe(config, name)
    assert (done.status, done.out) == (2, "")
    assert done.err.splitlines()[0] == f"error: {message}"
    as_json = await probe(config, name, "--json")
    assert json.loads(as_json.out)["error"]["exit_code"] == 2


async def test_a_broken_config_exits_2(config: Path) -> None:
    config.write_text("servces: []\n")
    done = await probe(config, "letta")
    assert done.status == 2
    assert "servces" in done.err


async def test_without_a_config_it_takes_the_one_of_what_runs_on_the_state_directory(
    config: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    endpoints.write_config(state, config)
    env = {"TOKEN": TOKEN, "SHORT": "abc"}
    done = await invoke("probe", "--state-dir", state, "letta/live", env=env)
    assert (done.status, done.err) == (0, "")
    endpoints.write_config(state, tmp_path / "gone.yml")
    done = await invoke("probe", "--state-dir", state, "letta/live", env=env)
    assert done.status == 2
    assert "there is no service 'letta'" in done.err
