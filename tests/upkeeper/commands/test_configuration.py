"""``check``, ``config`` and what keeps a service from starting."""

import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from remediator import endpoints
from tests.upkeeper.commandline import Done, ended, invoke, process

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers, logging.root.level
    yield
    logging.root.handlers, logging.root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "upkeeper.yml"
    path.write_text(f'docker: {{host: "unix://{tmp_path}/no-docker.sock"}}\n')
    return path


async def test_a_good_file_is_good(config: Path) -> None:
    done = await invoke("check", "--config", config)
    first, silent, then = done.out.splitlines()
    assert (done.status, first, done.err) == (0, f"{config}: good", "")
    assert silent.startswith("WATCHING, TELLING NOBODY")
    assert then.startswith("next by the schedule: health-check ")


async def test_whether_anybody_is_told_is_known_of_the_config_alone(config: Path) -> None:
    slack = f"notify: {{slack: {{webhook_url_file: {config}, channel: '#a'}}}}\n"
    theirs = "alertmanager: {url: 'http://127.0.0.1:9093'}\n"
    plain = config.read_text()
    for more, silent in (("", True), (slack, False), (theirs, False)):
        config.write_text(plain + more)
        done = await invoke("check", "--config", config, "--json")
        assert json.loads(done.out)["tells_nobody"] is silent


async def test_no_file_is_good_too(tmp_path: Path) -> None:
    done = await invoke("check", env={"XDG_CONFIG_HOME": str(tmp_path), "UPKEEPER_STATE_DIR": str(tmp_path)})
    assert done.status == 0
    assert done.out.splitlines()[0] == "no config file: the defaults are in force: good"


async def test_the_file_of_what_runs_is_meant_where_none_is_named(config: Path, tmp_path: Path) -> None:
    endpoints.write_config(tmp_path, config)
    env = {"XDG_CONFIG_HOME": str(tmp_path / "none")}
    assert (await invoke("check", "--state-dir", tmp_path, env=env)).out.startswith(f"{config}: good\n")
    shown = await invoke("config", "show", "--state-dir", tmp_path, env=env)
    assert shown.out.startswith(f"# Config in force: {config}")
    other = tmp_path / "other.yml"
    other.write_text("{}")
    named = {**env, "UPKEEPER_CONFIG": str(other)}
    assert (await invoke("check", "--state-dir", tmp_path, env=named)).out.startswith(f"{other}: good\n")


async def test_mistakes_exit_2_and_are_all_told(config: Path) -> None:
    config.write_text("logz: []\nservices: 7\n")
    done = await invoke("check", "--config", config)
    assert done.status == 2
    first, second, last = done.out.splitlines()
    assert first == f"{config}:1: logz: unknown key (did you mean logs?)"
    assert second.startswith(f"{config}:2: services: ")
    assert last == f"{config}: 2 mistakes"


async def test_warnings_are_no_mistakes(config: Path) -> None:
    with config.open("a") as file:
        file.write("logs: [{name: app, path: /no/such/directory, max_bytes: 50MiB}]\n")
    done = await invoke("check", "--config", config, "--json")
    assert done.status == 0
    document = json.loads(done.out)
    assert document["config"] == str(config)
    [problem] = document["problems"]
    assert (problem["severity"], problem["line"], problem["key"]) == ("warning", 2, "logs[0].path")
    assert ": good, 1 warning\n" in (await invoke("check", "--config", config)).out


async def test_the_effective_config_loads_again(config: Path, tmp_path: Path) -> None:
    shown = await invoke("config", "show", "--config", config)
    assert shown.status == 0
    again = tmp_path / "again.yml"
    again.write_text(shown.out)
    assert (await invoke("check", "--config", again)).status == 0
    document = json.loads((await invoke("config", "show", "--config", config, "--json")).out)
    assert document["config"]["docker"]["host"].endswith("no-docker.sock")
    assert document["discovered"]["filesystems"]


async def test_a_broken_config_cannot_be_shown(config: Path) -> None:
    config.write_text("logz: []\n")
    done = await invoke("config", "show", "--config", config, "--json")
    assert done.status == 2
    assert "logz" in json.loads(done.out)["error"]["message"]


async def test_the_schema_is_a_json_schema() -> None:
    schema = json.loads((await invoke("config", "schema")).out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"services", "logs", "remedies", "notify"} <= set(schema["properties"])


async def start(service: str, config: Path, listen: str) -> Done:
    """A service that ends by itself, as a process: it takes over the signals of one."""
    state = config.parent / "state"
    async with process(service, "--config", config, "--state-dir", state, "--listen", listen) as started:
        return await ended(started)


@pytest.mark.parametrize("service", ["exporter", "remediator"])
async def test_a_service_that_cannot_start_says_why_in_one_line(service: str, config: Path) -> None:
    config.write_text("logz: []\n")
    done = await start(service, config, "127.0.0.1:0")
    assert done.status == 2
    assert done.err == f"error: {config}:1: logz: unknown key (did you mean logs?)\n"


@pytest.mark.parametrize("service", ["exporter", "remediator"])
async def test_a_port_in_use_is_told(service: str, config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        done = await start(service, config, listen)
    assert done.status == 2
    assert f"error: cannot listen on {listen}" in done.err
    assert "in use" in done.err
