"""A replay decides what the live program decides about the same alerts: the Core, its database and engine, with a clock
that is moved by hand.
"""

import random
from datetime import UTC

import pytest

from exporter.base.text import parse_time
from remediator.backtest.episodes import Episode
from remediator.backtest.record import World
from remediator.backtest.replay import Replay
from remediator.config.guards import Rate, Storm
from remediator.config.remedies import Remedy, Trust
from remediator.config.window import Window
from remediator.decide.remedies import Remedies
from remediator.store import alerts as alerts_table
from tests.helpers import rounds, wait_until
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import START, Stack, alert, settings

SPAN = 3 * 3600.0
REPEAT = 1199.0
"""Seconds after which Alertmanager tells of an alert again."""
ROOMS = ["attic", "cellar", "moon"]


def remedies(search: random.Random) -> list[Remedy]:
    """Some that share targets, with guards that are soon reached."""
    first = REMEDY.model_copy(
        update={
            "trust": Trust(demote_after=1000),  # a replay leaves out that a remedy loses its autonomy
            "cooldown": search.choice([60.0, 300.0]),
            "settle": search.choice([30.0, 90.0]),
            "rate": Rate(per_hour=search.choice([2, 3, 100]), per_day=search.choice([4, 100])),
        }
    )
    window = [Window.model_validate({"from": "08:30", "to": "10:00", "timezone": "UTC"})]
    second = REMEDY.model_copy(
        update={
            "name": "second",
            "trust": Trust(demote_after=1000),
            "match": ['alertname=~"Clutter.*"', 'room!="cellar"'],
            "autonomy": search.choice(["auto", "observe"]),
            "window": window if search.random() < 0.5 else [],
            "storm": Storm(alerts=search.choice([None, 2]), within=900.0),
        }
    )
    return [first, second]


def episodes(search: random.Random) -> list[Episode]:
    """Alerts that come and go, no two things at the same second."""
    seconds = search.sample(range(1, int(SPAN)), 24)
    found = []
    for number in range(12):
        begins, ends = sorted(seconds[2 * number : 2 * number + 2])
        labels = {"room": search.choice(ROOMS), "number": str(number)}
        if search.random() < 0.1:
            labels["alertname"] = "Other"
        found.append(Episode({"alertname": "Cluttered", **labels}, START + begins, START + ends))
    return sorted(found, key=lambda one: one.begins)


async def live(stack: Stack, history: list[Episode]) -> list[tuple[float, str, str | None, str, str | None]]:
    """What the Core decides: when, about which alert, of which remedy, the verdict and the guard."""
    events = [(one.ends or 0.0, "resolved", one) for one in history]
    for one in history:
        at = one.begins
        while at < (one.ends or 0.0):
            events.append((at, "firing", one))
            at += REPEAT
    events.sort(key=lambda event: event[0])
    for at, status, one in events:
        await _until(stack, at)
        stack.clock.now = at
        await stack.receive(alert(starts_at=one.begins, status=status, **one.labels))  # type: ignore[arg-type]
        await _quiet(stack)
    await _until(stack, START + SPAN)
    page = await stack.core.decisions(limit=500)
    assert page["next"] is None
    numbers = {each["id"]: each["labels"]["number"] for each in (await stack.core.alerts(limit=500))["items"]}
    return [
        (_seconds(each["at"]), numbers[each["alert_id"]], each["remedy"], each["verdict"], each["guard"])
        for each in page["items"][::-1]
    ]


async def _until(stack: Stack, at: float) -> None:
    """Lets time pass, stopping wherever something is due."""
    while True:
        due = await stack.core._database.read(alerts_table.next_due)
        if due is None or due >= at:
            return
        stack.clock.now = max(due, stack.clock.now)
        await _quiet(stack)


async def _quiet(stack: Stack) -> None:
    """Waits until nothing runs, and nothing is left to look at."""

    async def idle() -> bool:
        looked = await stack.core.decider.decide_batch()
        return looked == 0 and not (await stack.core.status())["queue_depth"]

    await wait_until(idle, what="the program to be idle")


def _seconds(text: str) -> float:
    return parse_time(text).timestamp()


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize("seed", range(rounds("BACKTEST_SEEDS", 1, 20)))
async def test_it_decides_what_the_live_program_decides(stack: Stack, tmp_path_factory, seed: int) -> None:  # type: ignore[no-untyped-def]
    search = random.Random(seed)
    stack.remedies, history = remedies(search), episodes(search)
    stack.task.cellar = tmp_path_factory.mktemp("cellar")
    (stack.task.cellar / "f").touch()
    stack.task.useless = True  # every run leaves the breach: "ineffective"
    stack.clutter(1)
    stack.core.apply_settings(settings(stack.task, stack.remedies))
    world = World(stack.core._database.host, UTC, {"sweep": False})
    targets = {"sweep": ["attic", "cellar"]}
    replay = Replay(
        history,
        Remedies(stack.remedies),
        targets,
        world,
        assume="ineffective",
        until=START + SPAN,
        took=0.0,
        repeat=REPEAT,
    ).replay()
    expected = [
        (made.at, history[made.alert].labels["number"], made.remedy, made.decision.verdict, made.decision.guard)
        for made in replay.decisions
    ]
    found = await live(stack, history)
    wanted = [(round(at, 3), *rest) for at, *rest in expected]
    assert sorted(set(found) ^ set(wanted)) == []
    assert len(found) == len(wanted)
    assert len(replay.runs) == sum(verdict in ("run", "observe") for _, _, _, verdict, _ in found)
    assert replay.runs
