"""What is still known of the past: by a real record that is in use, and by a real Alertmanager."""

import time
from pathlib import Path

import pytest

from remediator.backtest.remembered import remembered
from remediator.config.guards import Budget
from remediator.decide.remedies import Remedies
from remediator.model.caller import Caller
from remediator.model.hold import Pause
from remediator.model.level import Level
from remediator.model.silence import Matcher, Silence
from remediator.model.task import Action, Plan
from remediator.peers.alertmanager import Alertmanager
from remediator.store import holds, levels, runs
from remediator.store.database import Database
from tests.remediator.conftest import REMEDY
from tests.remediator.store.test_runs import create, request
from tests.servers import alertmanager

PAT = Caller("cli", "pat")
CONFIG = "route: {receiver: none}\nreceivers: [{name: none}]\n"


@pytest.mark.servers
async def test_of_a_record_in_use_and_of_alertmanager(tmp_path: Path) -> None:
    now = time.time()
    limited = REMEDY.model_copy(update={"budget": Budget(items_per_day=3)})
    database = Database(tmp_path / "upkeeper.db", host="kitchen")
    await database.migrate()
    run_id = await create(database, request(task="sweep", target="attic"))
    plan = Plan(actions=[Action(kind="x", object="y", reason="z", estimated_bytes=7, items=2)])

    def store(connection):  # type: ignore[no-untyped-def]
        holds.pause(connection, "kitchen", Pause("sweep", "moving", now - 100, None, PAT))
        holds.resume(connection, "kitchen", "sweep", PAT, now - 50)
        holds.close_breaker(connection, "kitchen", "sweep", "attic", PAT, now - 40)
        levels.change(connection, "kitchen", Level("tidy", "auto", "approve", "failed", now - 30), before="auto")
        runs.planned(connection, run_id, plan, now - 20)

    await database.write(store)
    (tmp_path / "alertmanager.yml").write_text(CONFIG)
    async with alertmanager(tmp_path / "am", tmp_path / "alertmanager.yml") as server:
        async with Alertmanager(server.url) as peer:
            await peer.put(Silence([Matcher("room", "a.*", regex=True)], now, now + 3600, "pat", "painting"))
        known = await remembered(tmp_path / "upkeeper.db", "kitchen", Remedies([limited]), server.url, now)
    await database.close()
    assert known.why_not == ()
    assert known.since == pytest.approx(now, abs=60)
    assert [(one.task, round(one.since - now), round((one.until or 0) - now)) for one in known.pauses] == [
        ("sweep", -100, -50)
    ]
    assert known.closed_at(("sweep", "attic"), now) == pytest.approx(now - 40, abs=0.01)
    assert [known.level("tidy", now - ago) for ago in (31, 29)] == ["auto", "approve"]
    planned = known.plan(("sweep", "attic"), now)
    assert planned is not None
    assert (planned.bytes, planned.items) == (7, 2)
    mute = known.mute({"room": "attic"}, now + 60)
    assert mute is not None
    assert "painting" in mute.why
    assert known.mute({"room": "hall"}, now + 60) is None


async def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    known = await remembered(tmp_path / "none.db", "kitchen", Remedies([REMEDY]), None, 1.0)
    assert (known.since, known.muted_since) == (None, None)
    assert known.why_not == ["silences are not known, as Alertmanager cannot be asked: nobody has said where it is"]
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "broken.db").write_bytes(b"no database" * 1000)
    known = await remembered(tmp_path / "broken.db", "kitchen", Remedies([REMEDY]), None, 1.0)
    assert "the record cannot be read" in known.why_not[0]
