"""The drill on real servers: green where the loop works, and the right words where it is broken."""

from pathlib import Path

import pytest

from remediator.model.errors import EXIT_INTERRUPTED
from tests.helpers import long_form
from tests.upkeeper.commandline import ended, process
from tests.upkeeper.drill.loop import Wiring, loop
from upkeeper.drill.stations import Station

pytestmark = pytest.mark.servers

OBSERVING = {
    "remedies": [
        {
            "name": "watch-logs",
            "match": ['alertname="UpkeeperLogDirectoryOverLimit"'],
            "task": "log-rotation",
            "target_label": "directory",
        }
    ]
}


async def test_a_loop_that_works_passes_every_station(tmp_path: Path) -> None:
    picture = tmp_path / "drill.svg"
    async with loop(tmp_path, Wiring()) as running:
        status, report = await running.drill("--svg", str(picture))
        assert report["stuck"] is None
        assert status == 0
        assert [entry["station"] for entry in report["stations"]] == [str(station) for station in Station]
        assert not running.state.drill.exists()
        _, run = await running.command("show", str(report["run_id"]))
        assert run["outcome"] == "effective"

        # Again at once: the earlier alert is no obstacle, and the remedy's own cooldown is told as what it is.
        status, report = await running.drill()
        assert status == 1
        assert report["stuck"]["station"] == "planned"
        assert "cooldown" in report["stuck"]["cause"]
        assert not running.state.drill.exists()

    svg = picture.read_text()
    assert svg.startswith("<svg")
    assert "resolved" in svg
    assert "://" not in svg.replace("http://www.w3.org/2000/svg", "")


async def test_an_interrupted_drill_leaves_no_alert_that_stays(tmp_path: Path) -> None:
    async with loop(tmp_path, Wiring(routed=False)) as running:
        env = {"UPKEEPER_STATE_DIR": str(running.state.root)}
        async with process("drill", *running.options, env=env) as drill:
            assert drill.stdout is not None
            while b"notified" not in await drill.stdout.readline():
                assert drill.returncode is None
            drill.terminate()
            done = await ended(drill)
        assert done.status == EXIT_INTERRUPTED
        assert not running.state.drill.exists()
        status, report = await running.drill("--timeout", "5s")
        assert (status, report["stuck"]["station"]) == (1, "accepted")  # it had waited for the first one's end
        assert "earlier" not in report["stuck"]["cause"]


BROKEN = ((Wiring(token="wrong"), "accepted", "rejected Alertmanager's webhook"),)
ALSO_BROKEN = (
    (Wiring(rules=False), "pending", "has not loaded the rule UpkeeperLogDirectoryOverLimit"),
    (Wiring(alertmanager=False), "notified", "Prometheus has no Alertmanager"),
    (Wiring(config=OBSERVING), "planned", "watch-logs only observes"),
    (Wiring(scraped=False), "pending", "does not scrape the exporter"),
    (Wiring(config={"remedies": []}), "planned", "no remedy runs log-rotation"),
)


@pytest.mark.torture
@pytest.mark.parametrize(
    ("wiring", "station", "cause"),
    (*BROKEN, *ALSO_BROKEN) if long_form() else BROKEN,
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_where_it_is_broken_and_why(tmp_path: Path, wiring: Wiring, station: str, cause: str) -> None:
    async with loop(tmp_path, wiring) as running:
        status, report = await running.drill("--timeout", "8s")
        assert status == 1
        assert report["stuck"]["station"] == station
        assert cause in report["stuck"]["cause"]
        assert not running.state.drill.exists()
