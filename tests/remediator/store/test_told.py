"""What there is to tell of alerts, and what was told, on each database."""

from dataclasses import replace
from functools import partial

from remediator.model.caller import Caller
from remediator.model.evidence import Section
from remediator.model.run import Request
from remediator.store import alerts, evidence, retention, runs, told
from remediator.store.database import Database
from remediator.store.tables import decisions
from tests.remediator.stack import START, alert
from tests.remediator.store.test_approvals import ask


async def test_what_is_known_of_an_episode_and_what_was_said_of_it(database: Database) -> None:
    host = database.host
    fires = [(alert(number=str(number)), START) for number in range(3)]
    await database.write(partial(alerts.accept, received=fires))
    asks = Request(host=host, task="sweep", target="attic", caller=Caller("alert", "tidy"), dry_run=False, alert_id=1)
    run = await database.write(partial(runs.create, request=asks, now=START + 1))
    planned = await database.write(partial(runs.create, request=replace(asks, dry_run=True, target="b"), now=START + 2))
    assert planned > run
    held = {"alert_id": 2, "host": host, "at": START, "last_at": START + 9, "repeats": 3, "verdict": "blocked",
            "guard": "window", "reason": "only at night"}  # fmt: skip
    await database.write(lambda connection: connection.execute(decisions.insert().values(**held)))
    read = partial(told.stories, host=host, since=START - 1)

    first, second = (await database.read(read))[::-1]  # nothing was done about the third
    assert (first.alert_id, second.alert_id) == (1, 2)
    assert first.run is not None
    assert (first.run.id, first.run.state, first.run.remedy, first.decision) == (run, "queued", "tidy", None)
    assert second.decision is not None
    assert (second.decision.guard, second.decision.at, second.run) == ("window", START, None)

    await ask(database, run, "f0", now=START + 3, until=START + 99)
    section = Section("log", ["the last line"])
    await database.write(partial(evidence.keep, run_id=run, sections=[section], now=START + 3))
    first = (await database.read(read))[1]
    assert first.run is not None
    assert (first.run.waits_since, first.run.approval, first.run.until) == (START + 3, 1, START + 99)
    done = await database.read(partial(told.done, run_id=run))
    assert (list(done.actions), done.count, done.freed_bytes, list(done.evidence)) == ([], 0, 0, [section])

    tell = partial(told.tell, host=host, way="email")
    await database.write(partial(tell, told_of=[(1, "run 1"), (2, "blocked window"), (99, "gone")], now=START + 50))
    await database.write(partial(tell, told_of=[(1, "ended after run 1")], now=START + 60))
    assert [one.said for one in await database.read(read)] == [
        {"email": "blocked window"}, {"email": "ended after run 1"}
    ]  # fmt: skip
    sent = partial(told.sent, host=host, since=START)
    assert sorted(await database.read(partial(sent, way="email"))) == [START + 50, START + 60]
    assert await database.read(partial(sent, way="slack")) == []

    over = [(alert(number="0", status="resolved"), START + 70)]
    await database.write(partial(alerts.accept, received=over))
    assert [one.alert_id for one in await database.read(partial(told.stories, host=host, since=START + 80))] == [2]
    await database.write(partial(retention.purge, host=host, before=START + 1e6))
    assert await database.read(partial(sent, way="email")) == [], "what was said of an episode goes with it"
