"""``backtest`` as a person calls it, on a real Prometheus with a past."""

import json
import time
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.remediator.backtest.past import alerts, lines, remembering
from tests.servers import PROMETHEUSES
from tests.upkeeper.commandline import invoke

STEP = 15.0
CONFIG = """
logs: [{{name: pa, path: {tmp}, max_bytes: 1GB}}]
docker: {{host: "unix://{tmp}/no-docker.sock"}}
remedies:
  - name: rotate
    match: ['alertname="UpkeeperLogDirectoryOverLimit"', 'cluster="home"']
    task: log-rotation
    target_label: directory
    autonomy: auto
  - name: unused
    match: ['alertname="Never"']
    task: log-rotation
    target: pa
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "new.yml"
    path.write_text(CONFIG.format(tmp=tmp_path))
    return path


@pytest.mark.servers
@pytest.mark.parametrize("generation", PROMETHEUSES)
async def test_what_the_remedies_would_have_done(tmp_path: Path, config: Path, generation: str) -> None:
    now = time.time() // STEP * STEP
    over = {"alertname": "UpkeeperLogDirectoryOverLimit", "directory": "pa"}
    begins = now - 6 * 3600
    samples = {
        "up": lines("up", {"job": "a"}, [(begins, now - 7200), (now - 3600, now)], STEP),
        "ALERTS": [
            *alerts(over, [(begins + 600, begins + 900), (begins + 3600, begins + 3900)], STEP),
            *alerts({**over, "directory": "gone"}, [(begins + 600, begins + 900)], STEP),
            *alerts({"alertname": "Watchdog"}, [(begins, now)], STEP),
        ],
    }
    settings = {"global": {"external_labels": {"cluster": "home"}, "scrape_interval": "15s"}}
    async with remembering(tmp_path / "prometheus", samples, settings, generation=generation) as server:
        options = ("--since", "6h", "--step", "15s", "--config", config, "--state-dir", tmp_path / "state")
        asked = ("backtest", *options, "--prometheus", server.url)
        document = json.loads((await invoke(*asked, "--json")).out)
        shown = await invoke(*asked)
    rotate, unused = document["remedies"]
    assert {key: rotate[key] for key in ("episodes", "runs", "no_target", "held_back")} == {
        "episodes": 3,
        "runs": 2,
        "no_target": 1,
        "held_back": 0,
    }
    assert unused["episodes"] == 0
    assert document["unmatched"] == [{"alertname": "Watchdog", "episodes": 1}]
    assert document["external_labels"] == {"cluster": "home"}
    assert len(document["gaps"]) == 1
    assert [run["target"] for run in document["runs"]] == ["pa", "pa"]
    text = " ".join(shown.out.split())
    assert "4 episodes of alerts from" in text
    assert "no remedy matches: Watchdog (1)" in text
    assert "rotate has no target: label directory names no configured target of log-rotation" in text
    assert "whether a run would have helped cannot be known: each is taken to have ended its alert" in text
    assert "Prometheus knows nothing of some of the time (1 gap, 1h" in text
    assert not (tmp_path / "state" / "upkeeper.db").exists()


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--since", "soon"], 2, "is not a duration"),
        (["--prometheus", "ftp://x"], 2, "must be a url that begins with http:// or https://"),
        (["--prometheus", f"http://127.0.0.1:{free_port()}"], 4, "cannot reach Prometheus"),
        ([], 4, "no Prometheus is known: set `prometheus: {url: ...}` in the config"),
    ],
)
async def test_what_cannot_be_done(tmp_path: Path, config: Path, options: list[str], status: int, message: str) -> None:
    done = await invoke("backtest", "--config", config, "--state-dir", tmp_path / "state", *options)
    assert done.status == status
    assert message in " ".join(done.err.split())
