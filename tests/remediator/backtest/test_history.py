"""The history of alerts as a real Prometheus tells it: with a gap, a restart, external labels and a gate."""

import time
from pathlib import Path

import pytest

from remediator.backtest.history import GateHistory, NoHistory, gaps_between, read
from remediator.peers.prometheus import Prometheus
from tests.remediator.backtest.past import alerts, lines, remembering
from tests.servers import PROMETHEUSES

STEP = 15.0
BEGIN = float(int(time.time()) // 86400 * 86400 - 3 * 86400)
"""Three days ago, at midnight."""
DOWN = {"alertname": "Down", "target": "letta"}
SELF = {"job": "prometheus", "instance": "a"}
GAP = (BEGIN + 50_010, BEGIN + 50_250)
"""Four minutes without a scrape, which an instant vector bridges: it looks back for five."""
CONFIG = {
    "global": {
        "external_labels": {"cluster": "home", "target": "unused"},
        "evaluation_interval": "15s",
        "scrape_interval": "15s",
    },
    "alerting": {"alert_relabel_configs": [{"action": "labeldrop", "regex": "replica"}]},
}


def samples(hours: float = 20.0) -> dict[str, list[str]]:
    scraped = [(BEGIN, GAP[0] - STEP), (GAP[1], BEGIN + hours * 3600)]
    started = int(GAP[1]) - 3
    return {
        "up": lines("up", SELF, scraped, STEP),
        "prometheus_build_info": lines("prometheus_build_info", SELF, scraped, STEP),
        "process_start_time_seconds": [
            *lines("process_start_time_seconds", SELF, scraped[:1], STEP, BEGIN - 1000),
            *lines("process_start_time_seconds", SELF, scraped[1:], STEP, started),
        ],
        "quiet": lines("quiet", {}, [(BEGIN + 3600, BEGIN + 7200 - STEP)], STEP),
        "ALERTS": [
            *alerts(DOWN, [(BEGIN + 600, BEGIN + 900), (GAP[0] - 600, GAP[0] - STEP), (GAP[1], GAP[1] + 300)], STEP),
            *alerts({"alertname": "Late"}, [(GAP[1] + 60, BEGIN + hours * 3600)], STEP),
        ],
    }


@pytest.mark.servers
@pytest.mark.parametrize("generation", PROMETHEUSES)
async def test_what_it_remembers(tmp_path: Path, generation: str) -> None:
    past = remembering(tmp_path, samples(), CONFIG, generation=generation)
    async with past as server, Prometheus(server.url) as prometheus:
        shares: list[float] = []
        found = await read(prometheus, BEGIN - 3600, BEGIN + 20 * 3600, None, ["quiet == 1", "quiet >"], shares.append)
    assert found.interval == STEP, "as its rules are evaluated"
    assert found.version.startswith("3." if generation == "new" else "")
    assert found.version
    assert found.relabels
    assert shares[-1] == 1.0
    assert found.external == {"cluster": "home", "target": "unused"}
    assert [(each.labels["alertname"], each.begins - BEGIN) for each in found.episodes] == [
        ("Down", 600.0),
        ("Down", GAP[0] - 600 - BEGIN),
        ("Late", GAP[1] + 60 - BEGIN),
    ]
    first, second, late = found.episodes
    assert first.labels == {**DOWN, "cluster": "home"}
    assert (first.ends, second.ends, late.ends) == (BEGIN + 900 + STEP, GAP[1] + 300 + STEP, None)
    before, gap = found.gaps
    assert [each.across(gap) for each in found.episodes] == [False, True, False]
    assert (before.begins, before.ends) == (BEGIN - 3600, BEGIN)
    assert GAP[0] - STEP - 60 <= gap.begins <= GAP[0] - STEP
    assert GAP[1] <= gap.ends <= GAP[1] + 60
    assert found.restarts == [BEGIN - 1000, GAP[1] - 3]
    quiet = found.gates["quiet == 1"]
    assert isinstance(quiet, GateHistory)
    assert [quiet.samples[quiet.before(BEGIN + at) or 0] for at in (3599, 3600, 7199, 7500)] == [0, 1, 1, 0]
    assert "parse error" in str(found.gates["quiet >"])


@pytest.mark.servers
@pytest.mark.parametrize("generation", PROMETHEUSES)
async def test_a_time_that_is_none(tmp_path: Path, generation: str) -> None:
    past = remembering(tmp_path, samples(1.0), {}, generation=generation)
    async with past as server, Prometheus(server.url) as prometheus:
        with pytest.raises(NoHistory, match="too short"):
            await read(prometheus, BEGIN, BEGIN + 1)
        assert (await read(prometheus, BEGIN, BEGIN + 3600)).interval == 60.0, "Prometheus's own default"


@pytest.mark.parametrize(
    ("scraped", "gaps"),
    [
        pytest.param([60, 120, 180, 240, 300], [], id="all the time"),
        pytest.param([], [(60, 300)], id="never"),
        pytest.param([180, 240, 300], [(60, 180)], id="it begins later"),
        pytest.param([60, 120], [(-30, 300)], id="it has stopped"),
        pytest.param([60, 240, 300], [(-90, 240)], id="in between"),
    ],
)
def test_gaps_are_from_the_earliest_that_the_last_scrape_may_have_been(
    scraped: list[float], gaps: list[tuple[float, float]]
) -> None:
    assert [(gap.begins, gap.ends) for gap in gaps_between(scraped, 60.0, 300.0, 150.0)] == gaps
