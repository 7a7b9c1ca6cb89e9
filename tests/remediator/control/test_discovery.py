"""Files for Prometheus's file service discovery: whole, for everybody to read, written when something has changed."""

import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from remediator.config.config import Config
from remediator.control.discovery import DiscoveryFiles
from remediator.model.shapes.hosts import TargetGroup


class Hosts:
    """Two hosts, of which the second can go down. seen: when they gave their last sign of life."""

    def __init__(self) -> None:
        self.up, self.seen = "true", 0

    async def sd(self, *, service: str = "exporter", port: int | None = None) -> list[TargetGroup]:
        self.seen += 1
        at = {"exporter": 10746, "remediator": 10747}[service]
        return [
            {
                "targets": [f"{host}.example.org:{port or at}"],
                "labels": {"host": host, "__meta_upkeeper_up": up, "__meta_upkeeper_last_seen": str(self.seen)},
            }
            for host, up in (("a", "true"), ("b", self.up))
        ]


def files(tmp_path: Path, hosts: Hosts, *, whole: bool = True, **discovery: Any) -> DiscoveryFiles:
    fleet = {"host_label": "host", "discovery_files": {name: str(path) for name, path in discovery.items()}}
    config = Config.model_validate({"state": {"database_url_file": "/nowhere"}, "fleet": fleet})
    return DiscoveryFiles(lambda: hosts, lambda: config, lambda: whole)


async def test_each_service_has_its_file_which_changes_when_something_does(tmp_path: Path) -> None:
    hosts, exporters, remediators = Hosts(), tmp_path / "exporters.json", tmp_path / "remediators.json"
    keeper = files(tmp_path, hosts, exporter=exporters, remediator=remediators)
    await keeper.write()
    assert json.loads(exporters.read_text()) == [
        {"targets": ["a.example.org:10746"], "labels": {"host": "a", "__meta_upkeeper_up": "true"}},
        {"targets": ["b.example.org:10746"], "labels": {"host": "b", "__meta_upkeeper_up": "true"}},
    ]
    assert json.loads(remediators.read_text())[1]["targets"] == ["b.example.org:10747"]
    assert exporters.stat().st_mode & 0o777 == 0o644
    first = exporters.stat()
    await keeper.write()
    assert exporters.stat().st_ino == first.st_ino, "written though nothing has changed"
    hosts.up = "false"
    await keeper.write()
    assert exporters.stat().st_ino != first.st_ino
    assert json.loads(exporters.read_text())[1]["labels"]["__meta_upkeeper_up"] == "false"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exporters.json", "remediators.json"]


async def test_without_the_database_of_all_hosts_it_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "exporters.json"
    file.write_text("[]")
    await files(tmp_path, Hosts(), whole=False, exporter=file).write()
    assert file.read_text() == "[]"


async def test_one_that_cannot_be_written_is_told_once_and_holds_up_no_other(tmp_path: Path) -> None:
    missing, other = tmp_path / "missing" / "x.json", tmp_path / "y.json"
    keeper = files(tmp_path, Hosts(), exporter=missing, remediator=other)
    with capture_logs() as said:
        await keeper.write()
        await keeper.write()
        missing.parent.mkdir()
        await keeper.write()
    assert other.exists()
    assert missing.exists()
    assert [(one["event"], one["file"]) for one in said] == [
        ("hosts cannot be written for Prometheus", str(missing)),
        ("hosts are written again", str(missing)),
    ]


@pytest.mark.parametrize("fleet", [None, {"host_label": "host"}])
async def test_unless_it_is_asked_for_nothing_is_written(tmp_path: Path, fleet: object) -> None:
    hosts = Hosts()
    config = Config.model_validate({"state": {"database_url_file": "/nowhere"}, **({"fleet": fleet} if fleet else {})})
    await DiscoveryFiles(lambda: hosts, lambda: config, lambda: True).write()
    assert hosts.seen == 0
