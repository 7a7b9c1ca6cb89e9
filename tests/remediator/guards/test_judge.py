"""How guards are asked: in order, each by its own facts, which are gathered once; and what is unknown blocks."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from remediator.guards import judge as judging
from remediator.guards.guard import Case, Facts, Guard, Sources, Subject
from remediator.guards.history import History
from remediator.guards.judge import UNKNOWN_FOR, Gathered, Judge
from remediator.guards.paused import Pauses
from remediator.guards.registry import GUARDS
from remediator.model.hold import Block, Hold, Pause
from remediator.model.task import Action, Plan
from tests.remediator.guards.cases import NOW, SUBJECT, UNTIL_RESUMED, blocking, case, gathered, judged, ran

NOWHERE = Sources(database=None)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Weather(Facts):
    """Facts that come from elsewhere."""

    rains: bool

    @classmethod
    async def gather(cls, subjects: Collection[Subject], sources: Sources, now: float) -> Mapping[Subject, "Weather"]:
        LOOKS.append(set(subjects))
        return {subject: cls(subject.target == "garden") for subject in subjects}


LOOKS: list[set[Subject]] = []


class Storm(Weather):
    """Facts that cannot be had."""

    @classmethod
    async def gather(cls, subjects: Collection[Subject], sources: Sources, now: float) -> Mapping[Subject, Weather]:
        raise ConnectionError("http://user:secret@host/")


class Fog(Weather):
    """Facts that never come."""

    @classmethod
    async def gather(cls, subjects: Collection[Subject], sources: Sources, now: float) -> Mapping[Subject, Weather]:
        await asyncio.Event().wait()
        raise AssertionError


class Nothing(Weather):
    """Facts about nothing that was asked for."""

    @classmethod
    async def gather(cls, subjects: Collection[Subject], sources: Sources, now: float) -> Mapping[Subject, Weather]:
        return {}


def rain(facts: Weather, case: Case) -> Hold | None:
    return Hold("it rains", case.now + 5) if facts.rains else None


def broken(facts: Weather, case: Case) -> Hold | None:
    raise ZeroDivisionError


def too_much(facts: Weather, case: Case) -> Hold | None:
    return Hold("too much") if case.plan is not None and len(case.plan.actions) > 1 else None


def at(target: str) -> Case:
    return replace(case(), subject=Subject("here", "water", target))


async def blocks_of(guard: Guard[Any], target: str = "garden") -> list[Block]:
    return list((await Judge(NOWHERE, [guard]).judge(at(target))).blocks)


async def test_a_guard_fetches_its_own_facts_and_judges_by_them() -> None:
    assert await blocks_of(Guard("rain", Weather, rain)) == [Block("rain", "it rains", NOW + 5)]
    assert await blocks_of(Guard("rain", Weather, rain), "cellar") == []


@pytest.mark.parametrize(
    ("guard", "reason"),
    [
        (Guard("g", Storm, rain), "the guard's facts could not be gathered: ConnectionError"),
        (Guard("g", Fog, rain), "the guard's facts could not be gathered: TimeoutError"),
        (Guard("g", Nothing, rain), "the guard knows nothing of this task and target"),
        (Guard("g", Weather, broken), "the guard could not be evaluated: ZeroDivisionError"),
    ],
)
async def test_what_is_unknown_blocks_and_is_asked_for_again_soon(
    guard: Guard[Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "GATHER_SECONDS", 0.01)
    assert await blocks_of(guard) == [Block("g", reason, NOW + UNKNOWN_FOR)]


async def test_a_guard_that_fails_costs_no_other_its_word() -> None:
    guards = [Guard("storm", Storm, rain), Guard("rain", Weather, rain), Guard("broken", Weather, broken)]
    judgement = await Judge(NOWHERE, guards).judge(at("garden"))
    assert blocking(judgement) == ["storm", "rain", "broken"]
    assert judgement.first is not None
    assert judgement.first.guard == "storm"
    assert judgement.over_at == NOW + UNKNOWN_FOR


async def test_facts_are_gathered_once_for_all_guards_and_subjects() -> None:
    LOOKS.clear()
    guards = [Guard("rain", Weather, rain), Guard("hail", Weather, rain)]
    subjects = {Subject("here", "water", "garden"), Subject("here", "water", "cellar")}
    known = await Judge(NOWHERE, guards).gather(subjects, NOW)
    assert blocking(known.judge(at("garden"))) == ["rain", "hail"]
    assert blocking(known.judge(at("cellar"))) == []
    assert [subjects] == LOOKS


async def test_nothing_is_gathered_about_nothing() -> None:
    LOOKS.clear()
    await Judge(NOWHERE, [Guard("rain", Weather, rain)]).gather(set(), NOW)
    assert LOOKS == []


def test_a_subject_that_nothing_was_gathered_about_is_blocked_by_every_guard() -> None:
    assert blocking(Gathered({}).judge(case())) == [guard.name for guard in GUARDS]


def test_a_guard_sees_the_plan() -> None:
    many = Plan(actions=[Action(kind="pour", object=f"can {number}", reason="dry") for number in range(2)])
    known = Gathered({Weather: {SUBJECT: Weather(rains=False)}}, [Guard("budget", Weather, too_much)])
    assert known.judge(case()).first is None
    assert blocking(known.judge(replace(case(), plan=many))) == ["budget"]


def test_a_plan_that_a_person_asks_for_is_held_back_by_a_run_under_way_alone() -> None:
    known = gathered(History(in_flight=7, past=[ran(1, helped=False)] * 5), [UNTIL_RESUMED])
    assert blocking(known.judge(replace(case(), dry_run=True))) == ["in-flight"]


@pytest.mark.parametrize(
    ("history", "pauses", "over_at"),
    [
        (History(), [Pause(None, "x", 0.0, NOW + 33)], NOW + 33),
        (History(), [UNTIL_RESUMED], None),
        (History(in_flight=7), [Pause(None, "x", 0.0, NOW + 33)], NOW + 33),
        (History(past=[ran(10)]), [Pause(None, "x", 0.0, NOW + 33)], NOW + 50),
        (History(), [], None),
    ],
)
def test_what_a_time_ends_is_over_when_the_last_is(
    history: History, pauses: list[Pause], over_at: float | None
) -> None:
    assert judged(history, pauses).over_at == over_at


def test_what_is_known_can_be_asked_for() -> None:
    known = gathered(History(in_flight=7))
    assert known.about(History, SUBJECT) == History(in_flight=7)
    assert known.about(History, Subject("here", "t", "cellar")) is None
    assert known.about(Weather, SUBJECT) is None
    assert Gathered({Pauses: ConnectionError()}).about(Pauses, SUBJECT) is None


@pytest.mark.parametrize(
    ("by_hand", "repeatable", "expected"),
    [
        pytest.param(True, True, ["paused", "in-flight"], id="a person, and a task that only looks or adds"),
        pytest.param(
            True, False, ["paused", "in-flight", "breaker", "cooldown", "rate"], id="a person, any other task"
        ),
        pytest.param(False, True, ["paused", "in-flight", "breaker", "cooldown", "rate"], id="by itself"),
    ],
)
def test_earlier_runs_hold_no_person_back_from_a_task_that_may_be_repeated(
    by_hand: bool, repeatable: bool, expected: list[str]
) -> None:
    history = History(in_flight=7, past=[ran(ago, helped=False) for ago in (1, 2, 3)])
    asked = replace(case(), by_hand=by_hand, repeatable=repeatable)
    assert blocking(judged(history, [UNTIL_RESUMED], asked)) == expected
