"""What the API shows, on every database."""

from functools import partial

import pytest

from exporter.base.text import format_time_ms
from remediator.config.remedies import Remedy
from remediator.model.caller import Caller
from remediator.model.decision import Decision, Selection
from remediator.model.task import Action, Plan
from remediator.store import alerts, decisions, pages, runs
from remediator.store.database import Database
from remediator.store.decisions import New
from tests.remediator.stack import START, alert
from tests.remediator.store.test_runs import create, finish, request


def selection() -> Selection:
    return Selection(Remedy(name="tidy", match=['a="b"'], task="t", target="x"), "x")


async def test_pages_are_whole_and_newest_first(database: Database) -> None:
    made = [await create(database, request(task=f"t{number}")) for number in range(5)]
    found: list[int] = []
    before: int | None = None
    while True:
        page = await database.read(partial(pages.list_runs, limit=2, before=before))
        found += [run["id"] for run in page["items"]]
        before = page["next"]
        if before is None:
            break
    assert found == made[::-1]
    with pytest.raises(LookupError, match="no run 99"):
        await database.read(partial(pages.one_run, run_id=99))


async def test_a_decision_is_shown_with_its_alert_and_its_host(database: Database) -> None:
    await database.write(partial(alerts.accept, received=[(alert(), START)]))
    (episode,) = await database.write(partial(alerts.waiting, now=START, limit=1))
    for at in (START, START + 1):
        new = New(episode.id, Decision("unmatched", "no remedy matches"), None)
        await database.write(partial(decisions.insert, host="kitchen", made=[new], now=at))
    await database.write(partial(alerts.all_due, now=START + 5))
    newest, older = (await database.read(partial(pages.list_decisions, limit=9)))["items"]
    assert (newest["alertname"], newest["host"], newest["verdict"]) == ("Cluttered", "kitchen", "unmatched")
    assert (newest["due_at"], older["due_at"]) == (format_time_ms(START + 5), None)


async def test_the_track_of_a_remedy(database: Database) -> None:
    by_remedy = Caller("alert", "tidy")
    for number, (dry_run, outcome) in enumerate(
        [(False, "effective"), (False, "failed"), (True, "planned"), (True, "planned"), (True, "failed")]
    ):
        run_id = await create(database, request(caller=by_remedy, dry_run=dry_run))
        if number == 2:
            plan = Plan(actions=[Action(kind="delete", object="f", reason="")])
            await database.write(partial(runs.planned, run_id=run_id, plan=plan, now=2.0))
        await database.write(partial(runs.finish, run_id=run_id, outcome=outcome, reason="", now=3.0))
    await finish(database, await create(database, request(caller=Caller("schedule", "tidy"))))
    assert await database.read(pages.tracks) == {"tidy": {"runs": 2, "effective": 1, "plans": 3, "would_act": 1}}
    assert await database.read(pages.outcomes) == {"effective": 2, "failed": 2, "planned": 2}


async def test_an_alert_comes_with_what_was_decided_last(database: Database) -> None:
    await database.write(partial(alerts.accept, received=[(alert(room=room), START) for room in ("attic", "hall")]))
    found = {each.labels["room"]: each for each in await database.write(partial(alerts.waiting, now=START, limit=9))}
    for verdict in ("unmatched", "no-target"):
        made = New(found["attic"].id, Decision(verdict, f"is {verdict}"), None)
        await database.write(partial(decisions.insert, host="kitchen", made=[made], now=START))
    shown = {row["labels"]["room"]: row for row in (await database.read(partial(pages.list_alerts, limit=9)))["items"]}
    last = shown["attic"]["decision"]
    assert last is not None
    assert (last["verdict"], last["reason"], last["run_id"]) == ("no-target", "is no-target", None)
    assert shown["hall"]["decision"] is None


async def test_alerts_that_wait_for_the_end_of_a_run(database: Database) -> None:
    """The one that asked for it, and those held back on the same target of the same host."""
    rooms = ("asked", "held back", "held back elsewhere", "other")
    await database.write(partial(alerts.accept, received=[(alert(room=room), START) for room in rooms]))
    found = {each.labels["room"]: each for each in await database.write(partial(alerts.waiting, now=START, limit=9))}
    run_id = await create(database, request(alert_id=found["asked"].id))
    for room, host in (("held back", "kitchen"), ("held back elsewhere", "cellar")):
        new = New(found[room].id, Decision("blocked", "in flight", selection(), guard="in-flight"), None)
        await database.write(partial(decisions.insert, host=host, made=[new], now=START))
    await database.write(partial(alerts.due_after_run, run_id=run_id, now=START + 9))
    held_back = await database.read(partial(alerts.held_back_by, run_id=run_id, now=START + 9))
    assert held_back == [found["held back"].id]
    await database.write(partial(alerts.due, ids=held_back, now=START + 9))
    assert await database.read(partial(alerts.held_back_by, run_id=run_id, now=START + 9)) == []
    due = {
        row["labels"]["room"]
        for row in (await database.read(partial(pages.list_alerts, limit=9)))["items"]
        if row["due_at"] is not None
    }
    assert due == {"asked", "held back"}


async def test_lists_are_of_what_was_asked_for(database: Database) -> None:
    for number in range(6):
        run_id = await create(database, request(task=f"t{number % 2}", target=f"x{number % 3}"))
        outcome = "effective" if number % 2 else "failed"
        await database.write(partial(runs.finish, run_id=run_id, outcome=outcome, reason="", now=9.0))

    async def listed(**wanted: str) -> list[int]:
        page = await database.read(partial(pages.list_runs, limit=9, **wanted))
        return [run["id"] for run in page["items"]]

    assert await listed(task="t1") == [6, 4, 2]
    assert await listed(target="x1") == [5, 2]
    assert await listed(outcome="failed") == [5, 3, 1]
    assert await listed(task="t1", outcome="failed") == []
    waits = await create(database, request(task="t9"))
    assert await listed(state="queued") == await listed(state="queued", host=database.host) == [waits]
    assert await listed(state="finished") == [6, 5, 4, 3, 2, 1]
    assert await listed(state="queued", host="elsewhere") == await listed(state="waiting") == []
    ended = alert(alertname="Ended", status="resolved")
    await database.write(partial(alerts.accept, received=[(alert(), START), (ended, START)]))
    for status, names in (("firing", ["Cluttered"]), ("resolved", ["Ended"]), (None, ["Ended", "Cluttered"])):
        page = await database.read(partial(pages.list_alerts, limit=9, status=status))
        assert [each["labels"]["alertname"] for each in page["items"]] == names
    for id in (1, 2):
        decided = New(id, Decision("unmatched", "none"), None)
        await database.write(partial(decisions.insert, host="kitchen", made=[decided], now=START))
    page_of = await database.read(partial(pages.list_decisions, limit=9, alert=2))
    assert [each["alert_id"] for each in page_of["items"]] == [2]


async def test_an_alert_has_the_decision_that_was_made_last_and_its_newest_run(database: Database) -> None:
    """One that is made again is counted, and keeps its number: a newer one may be older news."""
    await database.write(partial(alerts.accept, received=[(alert(), START)]))
    for reason in ("one", "other"):
        await database.write(partial(decisions.insert, host="k", made=[New(1, Decision("blocked", reason), None)],
                                     now=START))  # fmt: skip

    async def shown() -> tuple[str | None, int | None]:
        (one,) = (await database.read(partial(pages.list_alerts, limit=9)))["items"]
        decision, run = one["decision"], one["run"]
        return None if decision is None else decision["reason"], None if run is None else run["id"]

    assert await shown() == ("other", None)
    again = decisions.Repeat(1, "one again")
    await database.write(partial(decisions.count_repeats, repeats=[again], now=START + 5))
    first = await create(database, request(task="a", alert_id=1))
    assert await shown() == ("one again", first)
    newest = await create(database, request(task="b", alert_id=1))
    assert await shown() == ("one again", newest)
