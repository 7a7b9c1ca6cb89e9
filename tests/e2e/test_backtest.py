"""What a backtest says of alerts that real parts have just lived through, beside what was then decided about them."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from exporter.base.text import parse_time
from remediator.backtest.history import STEP
from tests.e2e.processes import Api, command
from tests.e2e.test_still_firing import LINES, House, finished, remedy
from tests.helpers import LONG, wait_until
from tests.servers import PROMETHEUSES, prometheus_program

pytestmark = [pytest.mark.servers, pytest.mark.torture, LONG]
SLACK = 30.0
"""Seconds that an alert may be known later in one place than in the other: evaluation, group_wait, and its message."""


def ended(api: Api, count: int) -> list[dict[str, Any]] | None:
    """The episodes of log directories, oldest first, once there are so many and all have ended."""
    found = [one for one in api.get("alerts")["items"][::-1] if "directory" in one["labels"]]
    return found if len(found) == count and {one["status"] for one in found} == {"resolved"} else None


def decided(api: Api, guard: str) -> bool:
    return any(one["guard"] == guard for one in api.get("decisions")["items"])


@pytest.mark.parametrize("generation", PROMETHEUSES)
async def test_it_says_of_the_past_what_was_decided_then(
    tmp_path: Path, generation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that acts, is held back by its cooldown when the breach comes again, and one that only observes."""
    monkeypatch.setenv("UPKEEPER_PROMETHEUS", str(prometheus_program(generation)))
    house = House(tmp_path, "app", "web")
    house.write(remedy("act", "app", cooldown="1h"), remedy("look", "web", autonomy="observe"))
    with house.stack() as api:
        await wait_until(api.ready, timeout=180, what="the stack to be ready")
        began = time.time()
        # When Prometheus began is known to the step: an alert that comes and goes before that may be one that went on.
        await wait_until(lambda: time.time() > began + STEP + SLACK, timeout=600, what="some time that is known of")
        house.log("app").write_text(LINES)
        assert [run["outcome"] for run in await finished(api, 1)] == ["effective"]
        await wait_until(lambda: ended(api, 1), timeout=180, what="the first episode to end")
        (tmp_path / "app" / "noise.log").write_bytes(os.urandom(3 * 1024**2))
        house.log("web").write_text(LINES)
        await wait_until(lambda: decided(api, "cooldown"), timeout=180, what="the cooldown to hold the next one back")
        await finished(api, 2)
        (tmp_path / "app" / "noise.log").unlink()
        house.log("web").write_text("")
        lived = await wait_until(lambda: ended(api, 3), timeout=180, what="all to have ended")
        since = f"{time.time() - began:.0f}s"
        arguments = ("--since", since, "--config", tmp_path / "upkeeper.yml", "--state-dir", api.state)
        told = command("backtest", *arguments)
        runs = await finished(api, 2)
    assert told["version"].startswith("3." if generation == "new" else "2.")
    act, look = told["remedies"]
    assert (act["episodes"], act["runs"], act["blocked"], act["held_back"]) == (2, 1, {"cooldown": 1}, 1), told
    assert (look["episodes"], look["plans"], look["blocked"]) == (1, 1, {})
    assert len(lived) == act["episodes"] + look["episodes"]
    replayed = {(one["remedy"], one["target"], one["dry_run"]): one for one in told["runs"]}
    lived_runs = {(run["remedy"], run["target"], run["dry_run"]): run for run in runs}
    assert replayed.keys() == lived_runs.keys()
    for which, one in replayed.items():
        assert 0 <= seconds(lived_runs[which]["requested_at"]) - seconds(one["at"]) < SLACK, which
    print(f"Prometheus {told['version']}: {told['episodes']} episodes, {len(told['runs'])} runs, as they were")


def seconds(text: str) -> float:
    return parse_time(text).timestamp()
