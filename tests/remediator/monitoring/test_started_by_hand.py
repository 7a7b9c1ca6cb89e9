"""A real Prometheus that a person started in its directory, by the name that its config has there."""

from pathlib import Path

import pytest

from remediator.monitoring import prometheus as prom
from remediator.monitoring.place import for_prometheus
from remediator.monitoring.rules import Links
from remediator.peers.prometheus import Prometheus
from remediator.share import share_path
from remediator.tasks.monitoring_setup.task import _kept
from tests import servers

PORTS = {"upkeeper-exporter": 10746, "upkeeper-remediator": 10747}


@pytest.mark.servers
async def test_its_config_is_found_where_it_was_started(tmp_path: Path) -> None:
    home = tmp_path / "his"
    config = {"rule_files": ["rules/*.yml"]}
    async with servers.prometheus(home, config, by_hand=True) as server, Prometheus(server.url) as asked:
        seen = await prom.look(asked, [])
    assert seen.config_file == f"{home}/prometheus.yml"
    places = for_prometheus(seen, share_path(), PORTS, Links(), None)
    assert {one.object for one in places.wanted if one.kind == "write-beside"} == {f"{home}/prometheus.yml.upkeeper"}
    assert [one.into for one in places.lines] == [f"{home}/prometheus.yml"]
    assert not any("not on this machine" in text for text in places.by_hand)


def test_a_note_says_where_the_lines_to_add_are() -> None:
    with_run = "prometheus.yml.upkeeper, which is kept with the run (`upkeeper show RUN --save DIR`)"
    assert _kept("prometheus.yml") == f"{with_run},"
    assert _kept("/etc/prometheus/prometheus.yml") == f"{with_run} and written beside it,"
