"""The effective config and the JSON Schema: complete, loadable, and without a secret."""

import re
from pathlib import Path

import pytest

from exporter.configfile.dialect import dump, literal
from exporter.configfile.file import ConfigError, Loaded, load
from exporter.configfile.source import read_source
from exporter.discovery import Discovery, FoundFilesystem
from exporter.docker.containers import ListedContainer
from exporter.inventory.services import Probe, Service
from remediator.config.config import Config
from remediator.config.guards import in_force
from remediator.config.shipped import default_remedies
from remediator.control.configuring import effective
from tests.upkeeper.look.corpus import ENV, GOOD, SECRET
from upkeeper.look.show_config import discovered, render_effective, schema

ROOT = Path(__file__).parents[3]


def reload(text: str, tmp_path: Path) -> Config:
    file = tmp_path / "effective.yml"
    file.write_text(text)
    return load(file, Config, env=ENV).value


@pytest.mark.parametrize("path", [*GOOD, ROOT / "upkeeper.yml"], ids=lambda path: path.stem)
def test_what_is_shown_loads_again_as_the_same(path: Path, tmp_path: Path) -> None:
    config = load(path, Config, env=ENV).value
    remedies = default_remedies() if config.remedies is None else config.remedies
    config = config.model_copy(update={"remedies": [in_force(remedy, config.guards) for remedy in remedies]})
    assert reload(render_effective(load(path, Config, env=ENV)), tmp_path) == config


def test_the_defaults_are_shown_with_the_remedies_that_ship() -> None:
    document = effective(load(None, Config))
    assert [remedy["name"] for remedy in document["remedies"]] == [each.name for each in default_remedies()]
    assert document["collectors"]["docker_usage"] == {"enabled": True, "interval": "1m", "deadline": "55s"}
    assert "host" not in document["docker"]


@pytest.fixture
def secretive(tmp_path: Path) -> Loaded[Config]:
    file = tmp_path / "upkeeper.yml"
    file.write_text(f"""\
services:
  - name: web
    probes:
      - url: http://127.0.0.1/?price=$$${{HOST}}
        headers:
          Authorization: Bearer {SECRET}
          authorization: Bearer ${{SECRET}}
          Proxy-Authorization: Basic {SECRET} ${{HOST}}
          Cookie: session={SECRET}
          X-Api-Key: {SECRET}
          X-Auth: {SECRET}
          PRIVATE-TOKEN: {SECRET}
          X-From-The-Environment: ${{SECRET}}
          Accept: text/html
remediator: {{workers: "${{WORKERS}}"}}
docker: {{cleanup: {{keep_label: upkeeper.keep}}}}
""")
    return load(file, Config, env=ENV)


def test_no_secret_is_shown_and_references_stay_references(secretive: Loaded[Config]) -> None:
    text = render_effective(secretive)
    assert SECRET not in text
    document = effective(secretive)
    probe = document["services"][0]["probes"][0]
    assert probe["url"] == "http://127.0.0.1/?price=$$${HOST}"
    assert probe["headers"] == {
        "Authorization": "(not shown)",
        "authorization": "Bearer ${SECRET}",
        "Proxy-Authorization": "(not shown)",
        "Cookie": "(not shown)",
        "X-Api-Key": "(not shown)",
        "X-Auth": "(not shown)",
        "PRIVATE-TOKEN": "(not shown)",
        "X-From-The-Environment": "${SECRET}",
        "Accept": "text/html",
    }
    assert document["remediator"]["workers"] == "${WORKERS}"
    assert document["docker"]["cleanup"]["keep_label"] == "upkeeper.keep"


def test_what_was_found_is_a_comment_that_no_name_breaks_out_of(tmp_path: Path) -> None:
    found = Discovery(
        filesystems=[FoundFilesystem("/srv/a\nlogs: []", "/dev/sda1", "ext4")],
        docker_version="24.0",
        containers=[ListedContainer("1", "web", "running", "healthy")],
        services=[Service(name="web", probes=[Probe(url="http://127.0.0.1/")])],
        label_problems={"db\u202e": "url: \x1b[31mred"},
    )
    text = render_effective(load(None, Config), found)
    comment = text.split("# Found on this machine")[1]
    assert all(line.startswith("# ") for line in comment.splitlines()[1:])
    assert text.isascii()
    assert all(line.isprintable() for line in text.splitlines())
    assert reload(text, tmp_path).logs == []
    assert discovered(found)["docker"] == {"version": "24.0"}
    assert discovered(Discovery(docker_problem="no engine"))["docker"] == {"problem": "no engine"}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "on",
        "no",
        "1e3",
        "0o17",
        "1_000",
        "12:30",
        "2026-01-31",
        "~",
        "<<",
        "=",
        "$",
        "$$",
        "$${A}",
        "${A",
        "a$",
        "é",
        "\u202e",
        "a\nb",
        " a ",
        "#",
        "- a",
    ],
)
def test_any_text_survives_being_written_and_read(value: str) -> None:
    source = read_source(dump({"key": [literal(value)], value: 1}).encode(), {})
    assert source.errors == []
    assert source.data == {"key": [value], value: 1}


def test_the_schema_names_no_host_of_ours_and_every_key_is_closed_and_explained() -> None:
    document = schema()
    assert document["$id"] == "urn:upkeeper:config"
    assert document["title"] == "upkeeper.yml"
    assert not re.search(r"https?://(?!json-schema\.org)[a-z]", str({**document, "$defs": {}}))
    anything = {"JsonValue"}  # a parameter's value is whatever the task says
    for name, section in {"Config": document, **document["$defs"]}.items():
        if name in anything:
            continue
        assert section["additionalProperties"] is False, name
        for key, value in section["properties"].items():
            assert value.get("description"), f"{name}.{key}"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (f"http://h/?a=1&api_key={SECRET}#b", "http://h/?a=1&api_key=(not shown)#b"),
        (f"https://h/?Token={SECRET};x=${{HOST}}", "https://h/?Token=(not shown);x=${HOST}"),
        ("http://h/?access_token=${HOST}", "http://h/?access_token=${HOST}"),
        (f"http://h/?password=${{HOST}}{SECRET}", "http://h/?password=(not shown)"),
        (f"http://h/?api%5Fkey={SECRET}", "http://h/?api%5Fkey=(not shown)"),
        ("http://h/?token=&monkey=banana&key", "http://h/?token=&monkey=banana&key"),
    ],
)
def test_secrets_in_the_query_of_a_url(tmp_path: Path, written: str, shown: str) -> None:
    file = tmp_path / "upkeeper.yml"
    file.write_text(f"services: [{{name: web, probes: [{{url: '{written}'}}]}}]\n")
    loaded = load(file, Config, env=ENV)
    assert effective(loaded)["services"][0]["probes"][0]["url"] == shown


def test_secrets_in_the_query_of_a_url_that_a_label_declares() -> None:
    service = Service(name="web", probes=[Probe(url=f"http://127.0.0.1/?token={SECRET}")])
    assert SECRET not in render_effective(load(None, Config), Discovery(services=[service]))


@pytest.mark.parametrize("url", ["ftp://h/?token={}", "tcp://h?token={}", "http://h:0/?token={}"])
def test_secrets_in_the_query_of_a_url_that_is_wrong(tmp_path: Path, url: str) -> None:
    file = tmp_path / "upkeeper.yml"
    file.write_text(f"services: [{{name: web, probes: [{{url: '{url.format(SECRET)}'}}]}}]\n")
    with pytest.raises(ConfigError, match=r"\?\.\.\.' must") as caught:
        load(file, Config, env=ENV)
    assert SECRET not in str(caught.value)
