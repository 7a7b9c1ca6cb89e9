"""Secrets planted in every place where one can stand are nowhere in the archive, and what stood beside them is."""

import io
import json
import shutil
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from aiohttp import web

from remediator import endpoints
from remediator.diagnosis.archive import Archive
from remediator.model.caller import Caller
from remediator.model.evidence import Section
from remediator.model.run import Request
from remediator.model.task import Action, Measurement, Plan
from remediator.statedir import StateDir
from remediator.store import alerts, runs
from remediator.store.database import Database
from remediator.store.evidence import keep
from tests.dockerd import Dockerd
from tests.remediator.stack import alert
from tests.upkeeper.served import listening
from upkeeper.look import diagnosis
from upkeeper.look.diagnosis import local

NOW = 1_790_000_000.0


class Secrets:
    """Makes secrets, each as no other text has it, and knows them all."""

    def __init__(self) -> None:
        self.made: dict[str, str] = {}

    def new(self, place: str, form: str = 'Zq{0}W"x\\y/é{0}!') -> str:
        self.made[place] = form.format(f"{len(self.made):02d}hunter")
        return self.made[place]


def unpacked(archive: Archive) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive.content), mode="r:gz") as tar:
        found = {}
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            found[member.name.partition("/")[2]] = file.read()
        return found


def leaks(files: dict[str, bytes], secrets: Secrets) -> list[tuple[str, str]]:
    """Place where it was planted, and the file where it turned up, in whatever form."""
    found = []
    for place, value in secrets.made.items():
        lines = [value, *(line for line in value.splitlines() if len(line) > 8)]
        forms = {form for line in lines for form in (line, json.dumps(line)[1:-1], quote(line, safe=""))}
        found += [(place, name) for name, content in files.items() for form in forms if form.encode() in content]
    return found


PLAIN = "Zq{0}Wx{0}"
"""One that goes anywhere without escapes."""
KEY = "\n".join(["-----BEGIN PRIVATE KEY-----", *["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC{0}AgEAAoIBAQC7"] * 2])


def plant_config(tmp: Path, secrets: Secrets, url: str, docker: str | None = None) -> Path:
    files = {}
    for name, form in (("smtp", None), ("slack", None), ("bearer", PLAIN), ("basic", None), ("key", KEY)):
        files[name] = tmp / name
        files[name].write_text(secrets.new(f"file {name}", *([form] if form else [])) + "\n")
    header, query = (secrets.new(place, PLAIN) for place in ("a header", "a query"))
    config = tmp / "upkeeper.yml"
    config.write_text(f"""
docker: {{host: "{docker or f"unix://{tmp}/none.sock"}"}}
notify:
  email:
    {{to: a@example.org, from: b@example.org, smarthost: "127.0.0.1:1", username: bob, password_file: {files["smtp"]}}}
  slack: {{webhook_url_file: {files["slack"]}, channel: "#alerts"}}
services:
  - name: planted
    probes:
      - name: header
        url: "http://127.0.0.1:1/?api_key={query}&page=seven"
        headers: {{Authorization: "Bearer {header}"}}
        timeout: 1s
      - name: files
        url: "http://127.0.0.1:1/"
        bearer_token_file: {files["bearer"]}
        timeout: 1s
      - name: basic
        url: "http://127.0.0.1:1/"
        basic_auth: {{username: bob, password_file: {files["basic"]}}}
        timeout: 1s
      - name: body
        url: "http://127.0.0.1:1/"
        method: POST
        body: '{{"password": "{secrets.new("a body", PLAIN)}", "colour": "nine"}}'
        timeout: 1s
      - name: sent
        url: "tcp://127.0.0.1:1"
        send: "AUTH {secrets.new("a line that is sent", PLAIN)}"
        timeout: 1s
      - name: tls
        url: "https://127.0.0.1:1/"
        tls_cert_file: {files["key"]}
        tls_key_file: {files["key"]}
        timeout: 1s
prometheus: {{url: "{url}"}}
""")
    return config


async def plant_record(state: StateDir, secrets: Secrets, elsewhere: str) -> int:
    """A run with all that it can have, for an alert. elsewhere: a secret that something else of the machine holds."""
    database = Database(state.database)
    await database.migrate()
    said = f"told {elsewhere} to nobody; password={secrets.new('a log line', PLAIN)} colour=ten"
    labels = {
        "password": secrets.new("a label"),
        "url": f"https://bob:{secrets.new('a label URL', PLAIN)}@db/",
        "said": said,
    }

    def fill(connection: sa.Connection) -> int:
        alerts.accept(connection, [(alert(**labels), NOW)])
        params = {"token": secrets.new("a parameter"), "page": "eleven"}
        request = Request(host=database.host, task="sweep", target="attic", caller=Caller("cli", "bob"), dry_run=False,
                          params=params)  # fmt: skip
        run = runs.create(connection, request, NOW)
        runs.begin(connection, run, NOW)
        runs.measured(connection, run, Measurement(breached=True, detail=said))
        action = Action(kind="delete", object=said, reason="twelve", params={"secret": secrets.new("an action")})
        runs.planned(connection, run, Plan(actions=[action], notes=[said]), NOW)
        keep(connection, run, [Section("log", [said, "thirteen"])], NOW)
        return run

    run = await database.write(fill)
    await database.close()
    return run


def peers(secrets: Secrets) -> web.Application:
    """A fake: answers as the exporter, the remediator, Prometheus and Alertmanager would that hold secrets."""
    metric = f'thing{{url="https://bob:{secrets.new("a metric", PLAIN)}@db/",colour="fourteen"}} 1\n'
    config = f"basic_auth:\n  username: bob\n  password: {secrets.new('Prometheus config', PLAIN)}\ncolour: fifteen\n"

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/metrics":
            return web.Response(text=metric)
        if request.path == "/api/v2/status":
            original = f"smtp_auth_password: {secrets.new('Alertmanager config', PLAIN)}\ncolour: sixteen\n"
            return web.json_response(
                {"uptime": "2026-01-01T00:00:00Z", "versionInfo": {"version": "1"}, "config": {"original": original}}
            )
        if request.path.startswith("/api/v2/"):
            return web.json_response([])
        return web.json_response({"status": "success", "data": {"yaml": config, "token": secrets.new("data", PLAIN)}})

    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    return app


class Planted(NamedTuple):
    """run: the id of one that has all that a run can have. url: of the fake peers."""

    state: StateDir
    secrets: Secrets
    run: int
    url: str

    def say(self, line: str) -> None:
        """In the exporter's log."""
        with (self.state.root / "log" / "exporter.log").open("a") as log:
            log.write(f"{line}\n")


@pytest.fixture
async def planted(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Planted]:
    secrets = Secrets()
    monkeypatch.setattr(diagnosis, "PLANS_SECONDS", 1.0)  # apt takes long to plan, and tells no secret
    monkeypatch.setenv("MY_SERVICE_PASSWORD", secrets.new("our environment"))
    state = StateDir(tmp_path / "state")
    state.root.mkdir()
    shutil.copy(migrated, state.database)
    state.ensure()
    for path in (state.operator_token, state.alertmanager_token):
        secrets.made[path.name] = path.read_text()
    run = await plant_record(state, secrets, secrets.made["our environment"])
    (state.root / "log").mkdir()
    async with listening(peers(secrets)) as url:
        endpoints.write(state.root, endpoints.Endpoints(url, None, url, url))
        found = Planted(state, secrets, run, url)
        found.say(f"eighteen Authorization: Bearer {secrets.new('a scheme', PLAIN)}")
        yield found


async def test_no_secret_is_in_the_archive(planted: Planted, tmp_path: Path) -> None:
    state, secrets, run, url = planted
    config = plant_config(tmp_path, secrets, url)
    known = [place for place in secrets.made if place.startswith(("file", "our", "a header", "operator"))]
    planted.say(" ".join([*(secrets.made[place] for place in known), "seventeen"]))
    files = unpacked(await local(state, config, run, running=False))
    assert "config/problems.json" not in files, files["config/problems.json"].decode()
    assert leaks(files, secrets) == []
    run_file = files[f"record/run-{run}.json"].decode()
    beside = {
        "config/effective.yml": ("page=seven", "nine"),
        f"record/run-{run}.json": ("ten", "eleven", "twelve", "thirteen", "told (not shown) to nobody"),
        "metrics/exporter.txt": ("fourteen",),
        "alertmanager/status.json": ("sixteen",),
        "logs/exporter.log": ("seventeen", "eighteen"),
        "record/alerts.json": ("Cluttered", "ten"),
        "plans.json": ("health-check on all",),
    }
    assert json.loads(run_file)["run"]["id"] == run
    missing = [(name, word) for name, words in beside.items() for word in words if word not in files[name].decode()]
    assert missing == []
    assert len(secrets.made) > 20


async def test_that_a_leak_would_be_found(planted: Planted) -> None:
    value = planted.secrets.made["our environment"]
    assert leaks({"x": json.dumps({"a": value}).encode()}, planted.secrets) == [("our environment", "x")]


async def test_a_broken_config_gives_an_archive_and_no_secret_of_its_own(planted: Planted, tmp_path: Path) -> None:
    state, secrets, _, url = planted
    config = plant_config(tmp_path, secrets, url)
    wrong = secrets.new("a broken line", PLAIN)
    config.write_text(f"{config.read_text()}\nnonsense: {{password: {wrong}}}\n")
    planted.say(" ".join([secrets.made["file smtp"], secrets.made["file slack"], wrong, "nineteen"]))
    files = unpacked(await local(state, config, None, running=False))
    assert leaks(files, secrets) == []
    assert "problem" in files["config/problems.json"].decode()
    assert "nineteen" in files["logs/exporter.log"].decode()


@pytest.mark.servers
async def test_no_secret_of_a_container_is_in_the_archive(
    planted: Planted, tmp_path: Path, clean_dockerd: Dockerd
) -> None:
    state, secrets, run, url = planted
    value = secrets.new("a container's environment", PLAIN)
    said = secrets.new("what it said", PLAIN)
    script = f"echo got $DB_PASSWORD twenty; echo token={said}; exit 3"
    labels = {"key": secrets.new("its label", PLAIN)}
    environment = {"DB_PASSWORD": value, "COLOUR": "red"}
    clean_dockerd.run("attic", script, environment=environment, labels=labels).wait()
    planted.say(f"a container was given {value}")
    config = plant_config(tmp_path, secrets, url, clean_dockerd.host)
    config.write_text(f"{config.read_text()}\nnonsense: 1\n")  # broken, it still says where the engine is
    files = unpacked(await local(state, config, run, running=False))
    assert leaks(files, secrets) == []
    assert "twenty" in files["docker/logs.txt"].decode()
    assert "a container was given (not shown)" in files["logs/exporter.log"].decode()
    (described,) = json.loads(files["docker/containers.json"])
    assert described["name"] == "attic"
    assert {"DB_PASSWORD", "COLOUR"} <= set(described["environment"])
    assert described["state"]["ExitCode"] == 3
