"""What `upkeeper up` says once everything answers."""

from pathlib import Path
from typing import Any

import pytest

from exporter.discovery import Discovery, FoundFilesystem
from exporter.docker.containers import Health, ListedContainer
from exporter.inventory.services import Service
from remediator.config.config import Config
from remediator.endpoints import Endpoints
from upkeeper.screens.screen import Screen
from upkeeper.up.banner import BannerFacts, banner, left_out, watched

NOTIFY = {"slack": {"webhook_url_file": "/etc/upkeeper/slack", "channel": "#ops"}}
EVERYTHING: dict[str, Any] = {
    "config": Config.model_validate({"notify": NOTIFY}),
    "config_path": Path("/etc/upkeeper/upkeeper.yml"),
    "example": Path("/share/upkeeper.yml"),
    "state_dir": Path("/state"),
    "endpoints": Endpoints(exporter="http://127.0.0.1:1", remediator="http://127.0.0.1:2"),
    "found": Discovery(docker_version="20.10.24"),
    "root": True,
    "command": "upkeeper",
}


def facts(**changes: Any) -> BannerFacts:
    return BannerFacts(**(EVERYTHING | changes))


def test_nothing_is_left_out_where_everything_is_there() -> None:
    assert list(left_out(facts())) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"found": Discovery(docker_problem="connection refused")},
            "Docker, until an engine answers: connection refused",
        ),
        ({"config_path": None}, "log directories and services: no config names any; start from /share"),
        ({"config": Config()}, "WATCHING, TELLING NOBODY: no alert reaches a person"),
        ({"root": False}, "it does not run as root"),
        (
            {"found": Discovery(docker_version="1", label_problems={"web": "no such scheme"})},
            "the labels of the container web: no such scheme",
        ),
    ],
)
def test_each_thing_left_out_is_told_with_its_reason(change: dict[str, Any], said: str) -> None:
    (sentence,) = left_out(facts(**change))
    assert said in sentence


def test_what_is_watched_is_counted_and_named() -> None:
    config = Config.model_validate(
        {
            "logs": [{"name": "app", "path": "/var/log/app", "max_bytes": "1GiB"}],
            "services": [{"name": f"s{number}", "probes": [{"url": "tcp://db:1"}]} for number in range(4)],
            "backups": [{"name": "nightly", "path": "/srv/backups", "pattern": "backup-*"}],
            "postgres": [{"name": "db"}],
            "neo4j": [{"name": "graph", "uri": "bolt://127.0.0.1"}],
        }
    )
    found = Discovery(
        filesystems=[FoundFilesystem("/", "/dev/sda1", "ext4"), FoundFilesystem("/srv", "/dev/sdb1", "xfs")],
        docker_version="20.10.24",
        containers=[container("web", "healthy"), container("db", "none")],
        services=[Service.model_validate({"name": "labelled", "probes": [{"url": "tcp://web:80"}]})],
    )
    assert watched(config, found) == [
        "2 file systems: /, /srv",
        "1 log directory: app",
        "5 services: s0, s1, s2, s3, ...",
        "1 backup: nightly",
        "1 PostgreSQL server: db",
        "1 Neo4j server: graph",
        "Docker 20.10.24 with 2 containers, 1 of them with a health check",
    ]


def test_only_what_runs_has_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(False)
    for line in banner(facts(found=Discovery(), options="--state-dir '/my state'")):
        screen.line(*line)
    text = capsys.readouterr().out
    assert "Watching      nothing yet" in text
    assert "Remediator    http://127.0.0.1:2" in text
    assert "Prometheus  " not in text
    assert "upkeeper drill --state-dir '/my state' " in text
    assert "upkeeper status --state-dir '/my state' " in text
    assert "Ctrl-C stops everything." in text


def container(name: str, health: Health) -> ListedContainer:
    return ListedContainer(id=name, name=name, state="running", health=health)
