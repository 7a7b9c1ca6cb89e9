"""What is counted for a report is what a loop over all runs would count, on every database."""

import json
import random
from collections import Counter
from functools import partial
from typing import Any

import sqlalchemy as sa

from remediator.statedir import DRILL_TARGET
from remediator.store import artefacts as artefacts_of
from remediator.store import figures
from remediator.store.database import Database
from remediator.store.figures import DAY, Deeds, Outcomes, Span, Trouble
from remediator.store.tables import actions, alerts, decisions, run_rows, runs

SINCE = 1_790_000_000.0
SPAN = Span("kitchen", SINCE, SINCE + 10 * DAY, ("daily",))
BIG = 2**40


def made_up(count: int = 400) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Runs, in and beside the span, and their actions."""
    rng = random.Random(11)
    its_runs, its_actions = [], []
    for id in range(1, count + 1):
        at = SINCE + rng.uniform(-1, 11) * DAY
        outcome = rng.choice(["effective", "nothing-to-do", "failed", "ineffective", "blocked", "planned"])
        its_runs.append(
            {
                "id": id,
                "host": rng.choice(["kitchen"] * 4 + ["cellar"]),
                "task": rng.choice(["a", "b", "daily"]),
                "target": rng.choice(["x", "y", DRILL_TARGET]),
                "params": {},
                "trigger": "cli",
                "caller": "somebody",
                "dry_run": outcome == "planned",
                "state": "finished",
                "outcome": outcome,
                "reason": f"reason {id}",
                "requested_at": at - 3,
                "started_at": rng.choice([None, at - 2]),
                "finished_at": at,
                "notes": [],
            }
        )
        its_actions += [
            {
                "run_id": id,
                "position": position,
                "action": {},
                "state": rng.choice(["done", "partial", "failed", "skipped"]),
                "detail": "",
                "freed_bytes": BIG + position,
            }
            for position in range(rng.randrange(4))
        ]
    unfinished = {
        **its_runs[0],
        "id": count + 1,
        "state": "applying",
        "outcome": None,
        "finished_at": None,
        "target": "z",
    }
    return [*its_runs, unfinished], its_actions


def is_counted(run: dict[str, Any]) -> bool:
    at = run["finished_at"]
    here = run["host"] == "kitchen" and run["task"] != "daily" and run["target"] != DRILL_TARGET
    return here and at is not None and SPAN.since <= at < SPAN.until


async def filled(database: Database) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    its_runs, its_actions = made_up()

    def fill(connection: sa.Connection) -> None:
        connection.execute(runs.insert(), its_runs)
        connection.execute(actions.insert(), its_actions)

    await database.write(fill)
    return [run for run in its_runs if is_counted(run)], its_actions


async def test_runs_and_deeds_by_day_and_task(database: Database) -> None:
    counted, its_actions = await filled(database)
    by_id = {run["id"]: run for run in counted}

    def day(run: dict[str, Any]) -> int:
        return int((run["finished_at"] - SINCE) // DAY)

    wanted = Counter((day(run), run["task"], run["outcome"], run["dry_run"]) for run in counted)
    seconds: Counter[Any] = Counter()
    for run in counted:
        if run["started_at"] is not None:
            seconds[day(run), run["task"], run["outcome"], run["dry_run"]] += 2
    found = await database.read(partial(figures.outcomes, span=SPAN))
    assert {(one.day, one.task, one.outcome, one.dry_run): one.count for one in found} == wanted
    assert all(abs(one.seconds - seconds[one.day, one.task, one.outcome, one.dry_run]) < 0.01 for one in found)
    assert len(wanted) > 60

    acted = {id for id, run in by_id.items() if run["outcome"] in ("effective", "failed", "ineffective")}
    done = [one for one in its_actions if one["run_id"] in acted and one["state"] in ("done", "partial")]
    places = [(day(by_id[one["run_id"]]), by_id[one["run_id"]]["task"]) for one in done]
    freed: Counter[tuple[int, str]] = Counter()
    for place, one in zip(places, done, strict=True):
        freed[place] += one["freed_bytes"]
    deeds = await database.read(partial(figures.deeds, span=SPAN))
    numbers = Counter(places)
    assert set(deeds) == {Deeds(*place, numbers[place], freed[place]) for place in numbers}
    assert max(freed.values()) > 2**32


async def test_the_last_moment_of_a_day_belongs_to_it(database: Database) -> None:
    its_runs, _ = made_up(1)
    edges = [(0.0, 0), (0.51, 0), (0.999, 0), (1.0, 1), (1.49, 1), (9.9999, 9)]

    def fill(connection: sa.Connection) -> None:
        for number, (days, _) in enumerate(edges):
            run = {**its_runs[0], "id": 100 + number, "host": "kitchen", "task": f"t{number}", "target": "x"}
            connection.execute(runs.insert(), {**run, "finished_at": SINCE + days * DAY})

    await database.write(fill)
    found: list[Outcomes] = list(await database.read(partial(figures.outcomes, span=SPAN)))
    assert {one.task: one.day for one in found} == {f"t{number}": day for number, (_, day) in enumerate(edges)}


async def test_what_does_not_go_well_the_most_frequent_first_with_its_last_reason(database: Database) -> None:
    counted, _ = await filled(database)
    bad = [run for run in counted if run["outcome"] in ("failed", "ineffective")]
    numbers = Counter((run["task"], run["target"], run["outcome"]) for run in bad)
    found = await database.read(partial(figures.troubles, span=SPAN))
    assert [one.count for one in found] == sorted(numbers.values(), reverse=True)
    for one in found:
        key = (one.task, one.target, one.outcome)
        mine = [run for run in bad if (run["task"], run["target"], run["outcome"]) == key]
        last = max(mine, key=lambda run: run["id"])
        assert one == Trouble(*key, numbers[key], last["id"], last["finished_at"], last["reason"])


async def test_alerts_decisions_rows_and_former_documents(database: Database) -> None:
    labels = {"alertname": "X\0", "severity": "critical"}

    def fill(connection: sa.Connection) -> None:
        base = {"fingerprint": "0" * 16, "labels": labels, "annotations": {}, "generator_url": "", "receptions": 1,
                "decided_receptions": 1}  # fmt: skip
        for id, at, status in ((1, SINCE + 5, "firing"), (2, SINCE + 6, "resolved"), (3, SINCE - 5, "firing")):
            connection.execute(
                alerts.insert(),
                {**base, "id": id, "starts_at": at, "status": status, "first_received_at": at, "last_received_at": at},
            )
        run = {**made_up(1)[0][0], "host": "kitchen", "task": "a", "target": "all", "dry_run": False}
        for id, alert, outcome, at in ((1, 1, "effective", 9.0), (2, 1, "effective", 10.0), (3, 2, "failed", 11.0)):
            connection.execute(
                runs.insert(), {**run, "id": id, "alert_id": alert, "outcome": outcome, "finished_at": SINCE + at}
            )
            connection.execute(run_rows.insert(), {"run_id": id, "position": 0, "cells": {"n": id}})
            document = json.dumps({"n": id}).encode()
            artefacts_of.keep(connection, id, name="r.json", media_type="application/json", content=document, now=at)
        artefacts_of.keep(connection, 3, name="r.json", media_type="application/json", content=b"{", now=1.0)
        for verdict in ("run", "run", "wait"):
            connection.execute(
                decisions.insert(),
                {"alert_id": 1, "host": "kitchen", "at": SINCE + 1, "last_at": SINCE + 1, "repeats": 0,
                 "verdict": verdict, "reason": ""},
            )  # fmt: skip

    await database.write(fill)
    assert await database.read(partial(figures.episodes, span=SPAN)) == (2, 1)
    count, firing = await database.read(figures.firing)
    assert (count, [at for _, _, at in firing]) == (2, [SINCE - 5, SINCE + 5])
    assert await database.read(partial(figures.verdicts, span=SPAN)) == {"run": 2, "wait": 1}
    await database.write(lambda one: one.execute(runs.update().where(runs.c.id == 2).values(outcome="nothing-to-do")))
    rows = await database.read(partial(figures.last_rows, host="kitchen", tasks=["a", "never"]))
    assert rows == {"a": (SINCE + 10, [{"n": 2}])}
    left = await database.read(partial(figures.rows_of, span=SPAN, tasks=["a"]))
    assert left == [{"n": 1}]
    found = await database.read(lambda one: list(figures.documents(one, "kitchen", "a", "r.json")))
    assert found == [{"n": 2}, {"n": 1}]
