"""Requests for approval, levels and tracks in the record, on each database."""

from functools import partial

import pytest

from remediator.model.alert import ReceivedAlert
from remediator.model.approval import former_plan_hash as hash_of
from remediator.model.approval import plan_hash
from remediator.model.caller import Caller
from remediator.model.level import Level, Track
from remediator.model.run import ActionResult, Request
from remediator.model.task import Action, Measurement, Plan
from remediator.store import alerts, approvals, audit, levels, pages, runs
from remediator.store.database import Database
from tests.remediator.store.conftest import Open

ANN = Caller("cli", "ann")
TIDY = Caller("alert", "tidy")
HUGE = 2**40


def plan(*names: str) -> Plan:
    return Plan(actions=[Action(kind="delete", object=name, reason="r", estimated_bytes=HUGE) for name in names])


async def waiting_run(database: Database, target: str = "x", alert_id: int | None = None) -> int:
    request = Request(host=database.host, task="t", target=target, caller=TIDY, dry_run=False, alert_id=alert_id)
    run_id = await database.write(partial(runs.create, request=request, now=1.0))
    assert await database.write(partial(runs.begin, run_id=run_id, now=2.0))
    assert await database.write(partial(runs.wait, run_id=run_id, attempt=0))
    return run_id


async def ask(database: Database, run_id: int, *names: str, now: float = 3.0, until: float = 100.0) -> int:
    asked = plan(*names)
    which = {"run_id": run_id, "host": database.host, "plan": asked, "plan_hash": hash_of(asked.actions), "why": "w"}
    return await database.write(partial(approvals.ask, **which, now=now, until=until))  # type: ignore[arg-type]


async def test_an_answer_for_one_request_never_decides_another(database: Database) -> None:
    """Not by its hash, though the same would be done there; nor by its number, with the hash of another."""
    plans, hashes = plan("a"), {}
    for target in ("x", "y"):
        run_id = await waiting_run(database, target)
        hashes[target] = plan_hash(plans.actions, host=database.host, task="t", target=target)
        which = {"run_id": run_id, "host": database.host, "plan": plans, "plan_hash": hashes[target], "why": "w"}
        await database.write(partial(approvals.ask, **which, now=3.0, until=100.0))  # type: ignore[arg-type]
    answer = partial(approvals.decide, state="approved", by=ANN, reason="", now=5.0)
    for number, target in ((1, "y"), (2, "x")):
        assert not await database.write(partial(answer, approval_id=number, plan_hash=hashes[target]))
    assert await database.write(partial(answer, approval_id=2, plan_hash=hashes["y"]))
    assert (await database.read(partial(approvals.get, approval_id=1))).state == "asked"


async def test_the_id_of_a_run_in_place_of_its_requests_is_told_with_the_right_one(database: Database) -> None:
    await waiting_run(database, "w")
    run_id = await waiting_run(database)
    number = await ask(database, run_id, "a")
    assert run_id != number
    for look in (
        partial(approvals.get, approval_id=run_id),
        partial(approvals.plan_of, approval_id=run_id),
        partial(pages.one_approval, approval_id=run_id, now=4.0),
    ):
        with pytest.raises(
            LookupError, match=rf"^there is no approval {run_id}; run {run_id} waits for approval {number}$"
        ):
            await database.read(look)
    with pytest.raises(LookupError, match=r"^there is no approval 77$"):
        await database.read(partial(approvals.get, approval_id=77))


async def test_one_answer_counts_and_begins_another_attempt(database: Database) -> None:
    run_id = await waiting_run(database)
    number = await ask(database, run_id, "a", "b")
    hashed = hash_of(plan("a", "b").actions)
    view = await database.read(partial(pages.one_approval, approval_id=number, now=4.0))
    assert (view["actions"], view["estimated_bytes"], view["state"]) == (2, 2 * HUGE, "asked")
    assert [action["object"] for action in view["plan"]["actions"]] == ["a", "b"]
    answer = partial(approvals.decide, approval_id=number, by=ANN, reason="go", now=5.0)
    assert not await database.write(partial(answer, plan_hash="other", state="approved"))
    assert not await database.write(partial(answer, plan_hash=hashed, state="approved", now=100.0)), "it has expired"
    assert await database.write(partial(answer, plan_hash=hashed, state="approved"))
    assert not await database.write(partial(answer, plan_hash=hashed, state="denied"))
    assert await database.write(partial(runs.go_on, run_id=run_id)) == 1
    with pytest.raises(LookupError):
        await database.write(partial(runs.go_on, run_id=run_id))
    assert await database.read(partial(runs.attempts, host=database.host)) == {run_id: 1}
    assert not await database.write(partial(runs.begin, run_id=run_id, now=6.0)), "the first attempt is over"
    assert await database.write(partial(runs.begin, run_id=run_id, now=6.0, attempt=1))
    records = await database.read(lambda connection: audit.records(connection, database.host))
    assert [(record.kind, record.caller) for record in records if record.kind.startswith("approval.")] == [
        ("approval.asked", ""),
        ("approval.approved", "ann"),
    ]


async def test_another_plan_takes_the_place_of_the_one_before(database: Database) -> None:
    run_id = await waiting_run(database)
    first, second = await ask(database, run_id, "a"), await ask(database, run_id, "a", "b")
    one = await database.read(partial(pages.approval_view, approval_id=first, now=4.0))
    two = await database.read(partial(pages.approval_view, approval_id=second, now=4.0))
    assert (one["state"], two["state"]) == ("superseded", "asked")
    assert two["changes"] == [{"change": "added", "kind": "delete", "object": "b"}]
    listed = await database.read(partial(pages.list_approvals, now=4.0, limit=10))
    assert [each["id"] for each in listed["items"]] == [second, first]


async def test_what_is_over_by_time_or_by_the_end_of_its_alert(database: Database, open_for: Open) -> None:
    def episode(starts_at: float, fingerprint: str, *, over: bool = False) -> ReceivedAlert:
        return ReceivedAlert(
            fingerprint=fingerprint, starts_at=starts_at, ends_at=9.0 if over else None,
            status="resolved" if over else "firing", labels={"alertname": "A"},
        )  # fmt: skip

    received = [
        episode(1.0, "a" * 16),
        episode(1.0, "b" * 16),
        episode(1.0, "c" * 16),
        episode(5.0, "c" * 16, over=True),  # the same alert under a new start, which has ended
    ]
    await database.write(partial(alerts.accept, received=[(each, 1.0) for each in received]))
    fires, ends, superseded = (1, 2, 3)
    for target, alert_id, until in (("x", fires, 50.0), ("y", ends, 60.0), ("z", superseded, 70.0)):
        await ask(database, await waiting_run(database, target, alert_id), "a", until=until)
    await database.write(partial(alerts.accept, received=[(episode(1.0, "b" * 16, over=True), 2.0)]))

    async def targets(found: partial[object]) -> list[str]:
        return [each.target for each in await database.read(found)]  # type: ignore[attr-defined]

    assert await targets(partial(approvals.without_alert, host="kitchen")) == ["y", "z"]
    assert await targets(partial(approvals.expired, host="kitchen", now=60.0)) == ["x", "y"]
    assert await database.read(partial(approvals.next_expiry, host="kitchen")) == 50.0
    assert await database.read(partial(approvals.pending, host="kitchen")) == {"tidy": (3, 3.0)}
    assert await database.read(partial(approvals.pending, host="cellar")) == {}
    states = partial(pages.list_approvals, now=60.0, limit=10)
    assert [each["target"] for each in (await database.read(partial(states, state="expired")))["items"]] == ["y", "x"]
    assert [each["target"] for each in (await database.read(partial(states, state="asked")))["items"]] == ["z"]
    assert await database.write(partial(approvals.end, approval_id=1, state="expired", reason="", now=61.0))
    assert not await database.write(partial(approvals.end, approval_id=1, state="cancelled", reason="", now=61.0))


async def test_deaths_count_as_long_as_a_run_comes_no_further(database: Database) -> None:
    request = Request(host=database.host, task="t", target="x", caller=ANN, dry_run=False)
    run_id = await database.write(partial(runs.create, request=request, now=1.0))
    take_up = partial(runs.take_up, host=database.host)
    assert await database.write(take_up) == {}, "no process had begun it"
    await database.write(partial(runs.begin, run_id=run_id, now=2.0))
    assert await database.write(take_up) == {run_id: 1}
    assert await database.write(take_up) == {run_id: 2}
    await database.write(partial(runs.put_down, host=database.host))
    assert await database.write(take_up) == {run_id: 2}, "one that ended in order is not counted"
    await database.write(partial(runs.planned, run_id=run_id, plan=plan("a"), now=3.0))
    assert await database.write(take_up) == {run_id: 1}, "it came further"
    await database.write(
        partial(runs.action_finished, run_id=run_id, position=0, result=ActionResult("done", ""), now=4.0)
    )
    assert await database.write(take_up) == {run_id: 1}


async def test_the_track_of_a_remedy_since_its_level_was_changed(database: Database) -> None:
    async def ran(outcome: str, at: float, freed: int, *, left_breach: bool = True) -> None:
        request = Request(host=database.host, task="t", target="x", caller=TIDY, dry_run=False)
        run_id = await database.write(partial(runs.create, request=request, now=at))
        await database.write(partial(runs.begin, run_id=run_id, now=at))
        await database.write(partial(runs.planned, run_id=run_id, plan=plan("a"), now=at))
        result = ActionResult("done", "", freed)
        await database.write(partial(runs.action_finished, run_id=run_id, position=0, result=result, now=at))
        await database.write(partial(runs.verified, run_id=run_id, after=Measurement(breached=left_breach)))
        await database.write(partial(runs.finish, run_id=run_id, outcome=outcome, reason="", now=at))  # type: ignore[arg-type]

    track = partial(levels.track, host=database.host, remedy="tidy")
    assert await database.read(partial(track, since=0.0)) == Track()
    await ran("effective", 10.0, HUGE // 2)
    await ran("failed", 20.0, 2 * HUGE, left_breach=False)
    await ran("ineffective", 30.0, HUGE)
    await ran("failed", 40.0, HUGE)
    found = await database.read(partial(track, since=0.0))
    assert found == Track(runs=4, effective=1, failures=2, estimates=(0.5 + 0.5 + 1 + 1) / 4)
    assert await database.read(partial(track, since=30.0)) == Track(runs=1, failures=1, estimates=1.0)
    assert await database.read(partial(track, host="cellar", since=0.0)) == Track()

    demoted = Level("tidy", "auto", "approve", "because", 50.0)
    await database.write(partial(levels.change, host=database.host, level=demoted, before="auto"))
    given_back = Level("tidy", "auto", None, "by hand", 60.0, ANN)
    await database.write(partial(levels.change, host=database.host, level=given_back, before="approve"))
    assert await database.read(partial(levels.all_of, host=database.host)) == {"tidy": given_back}
    records = await database.read(lambda connection: audit.records(connection, database.host))
    kinds = [record.kind for record in records if record.kind.startswith("autonomy.")]
    assert kinds == ["autonomy.demoted", "autonomy.reset"]
