"""Stacks in the shape of published ones, written anew: what the audit says of them, and that it misses nothing that
Compose refuses when one thing in them is broken.

In their shape: Langfuse (traces), Letta (agents), Supabase (backend), Open WebUI (chat), n8n's kit (flows), Graphiti
(graph), Immich (photos), Sentry (errors), mailcow (mail).
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.findings.audit import Report
from tests.compose import judges
from tests.exporter.findings.inputs import SECRET, audit
from tests.helpers import long_form

STACKS = Path(__file__).parent / "stacks"
MAX_LINES = 25

CRITICAL = {
    ("traces", ""): [],
    ("traces", "secrets.env"): [],
    ("agents", ""): ["port 5432 of agent_db is open to every network of this host, and belongs to PostgreSQL"],
    ("backend", ""): ["port 5432 of pooler is open to every network of this host, and belongs to PostgreSQL"],
    ("backend", "example.env"): [
        "10 variables still hold placeholders, which anybody can know: POSTGRES_PASSWORD, JWT_SECRET, "
        "DASHBOARD_PASSWORD and 7 more",
        "port 5432 of pooler is open to every network of this host, and belongs to PostgreSQL",
    ],
    ("chat", ""): [],
    ("flows", ""): [],
    ("graph", ""): [
        "port 7474 of neo4j is open to every network of this host, and belongs to Neo4j's browser",
        "port 7687 of neo4j is open to every network of this host, and belongs to Neo4j",
    ],
    ("photos", ""): [],
    ("errors", ""): [],
    ("mail", ""): ["2 services, of which each is privileged, that is, root on this host: netfilter-mail, ipv6nat-mail"],
    ("mail", "generated.env"): [
        "2 services, of which each is privileged, that is, root on this host: netfilter-mail, ipv6nat-mail"
    ],
}
"""What is critical of each with an env file, and true: databases that are open, containers that are root."""
NAMES = sorted({name for name, _ in CRITICAL})


def copy(name: str, env: str, directory: Path) -> Path:
    """A stack with an env file as ``.env``, and with modes as a careful person gives them."""
    target = directory / name
    shutil.copytree(STACKS / name, target)
    if env:
        (target / env).rename(target / ".env")
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o600 if path.suffix == ".env" or path.name == ".env" else 0o644)
    return target


async def look(path: Path) -> Report:
    return await audit(compose_files=[f"{path}/compose.yaml"])


@pytest.fixture(autouse=True)
def no_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit itself finds no Compose; the judges are asked by their paths."""
    monkeypatch.setenv("PATH", "/nonexistent")


@pytest.mark.parametrize(("name", "env"), CRITICAL)
async def test_nothing_false_is_critical_and_all_fits_a_screen(name: str, env: str, tmp_path: Path) -> None:
    report = await look(copy(name, env, tmp_path))
    assert report.problems == []
    assert [line.message for line in report.lines if line.severity == "critical"] == CRITICAL[name, env]
    assert len(report.lines) <= MAX_LINES
    assert SECRET not in repr(report)
    assert sum(len(line.parts) or 1 for line in report.lines) == len(report.findings), "no finding is lost in a line"


async def test_the_largest_has_two_hundred_places_in_a_few_lines(tmp_path: Path) -> None:
    report = await look(copy("errors", "", tmp_path))
    assert len(report.findings) > 200
    assert len(report.lines) <= 10


async def test_with_every_secret_set_no_default_counts(tmp_path: Path) -> None:
    report = await look(copy("traces", "secrets.env", tmp_path))
    assert not {"placeholders", "plain-secrets"} & {one.check for one in report.findings}


Break = Callable[[dict[str, Any], Path], None]


def last(document: dict[str, Any]) -> dict[str, Any]:
    """The last service that its profile does not keep away, and that Compose therefore looks at."""
    service: dict[str, Any] = [
        one for one in document["services"].values() if not any(one.get("profiles", ())) and "network_mode" not in one
    ][-1]
    return service


def env(line: str) -> Break:
    def broken(_: dict[str, Any], path: Path) -> None:
        file = path / ".env"
        file.write_text((file.read_text() if file.exists() else "") + f"\n{line}\n")

    return broken


def change(**values: object) -> Break:
    return lambda document, _: last(document).update(values)


def without_image(document: dict[str, Any], _: Path) -> None:
    for key in ("image", "build"):
        last(document).pop(key, None)


def in_a_circle(document: dict[str, Any], _: Path) -> None:
    broken = last(document)
    name = next(name for name, one in document["services"].items() if one is broken)
    document["services"]["other"] = {"image": "x", "depends_on": [name]}
    broken["links"] = ["other"]


BREAKS: dict[str, Break] = {
    "no image": without_image,
    "an image of a variable that is not set": change(image="${NOT_SET_ANYWHERE}", build=None),
    "a mount of a variable that is not set": change(volumes=["${NOT_SET_ANYWHERE}:/data"]),
    "a circle": in_a_circle,
    "waits for none": change(depends_on=["nothing-of-this-name"]),
    "links to none": change(links=["nothing-of-this-name:x"]),
    "volumes from none": change(volumes_from=["nothing-of-this-name"]),
    "the network of none": change(network_mode="service:nothing-of-this-name", networks=None, links=None),
    "no such network": change(networks=["nothing-of-this-name"]),
    "no such volume": change(volumes=["nothing-of-this-name:/data"]),
    "no such secret": change(secrets=["nothing-of-this-name"]),
    "a list of mappings": change(environment=[{"A": "1"}]),
    "no port": change(ports=["http:80"]),
    "no env file": change(env_file=["nothing-of-this-name.env"]),
    "a section of no name": lambda document, _: document.update(service={}),
    "required and not set": change(command="x ${NOT_SET_ANYWHERE:?}"),
    "an open reference": change(command="x ${NOT_SET_ANYWHERE"),
    "a line that is no variable": env("no variable"),
    "a quote that is never closed": env("A='x"),
    "an open reference in the env file": env("A_PASSWORD=abc${def"),
    "a required one in the env file": env("A=${NOT_SET_ANYWHERE:?}"),
}


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize("name", NAMES)
async def test_nothing_is_missed_that_the_real_compose_refuses(name: str, tmp_path: Path) -> None:
    every = judges(name)
    whole = copy(name, "generated.env" if name == "mail" else "", tmp_path / "whole")
    for compose in every:
        judged = compose.config(whole, "-q")
        assert not judged.refused, (compose.program, judged.complaint)
        report = await look(whole)
        unset = {one.subject for one in report.findings if one.check == "unset-variables"}
        assert judged.unset == unset, compose.program
    for number, (what, broken) in enumerate(BREAKS.items()):
        if not long_form() and (number + NAMES.index(name)) % 4:  # each break in a quarter of the stacks
            continue
        path = copy(name, "generated.env" if name == "mail" else "", tmp_path / str(number))
        document = yaml.safe_load((path / "compose.yaml").read_text())
        broken(document, path)
        (path / "compose.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        refused = {compose.config(path, "-q").refused for compose in every}
        found = {
            f"{one.check}: {one.message}"
            for one in (await look(path)).findings
            if one.severity == "critical" and one.check in ("compose-valid", "env-files", "unset-variables")
        }
        assert refused == {bool(found)}, (what, found)
