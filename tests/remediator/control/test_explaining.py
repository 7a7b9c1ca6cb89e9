"""What would be decided about an alert, and why: as it is decided in fact, and without a trace."""

import pytest

from remediator.config.remedies import Remedy
from remediator.model.errors import ClientError
from remediator.model.shapes.explain import ExplainedRemedy, ExplainView
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import Stack, alert, settings

OTHER = Remedy(
    name="other",
    match=['alertname=~"Clutter.*", room="cellar"', 'floor="1"'],
    task="sweep",
    target_label="room",
    targets={"att.*": "attic"},
)
LABELS = {"alertname": "Cluttered", "room": "attic"}


@pytest.fixture
def both(stack: Stack) -> Stack:
    """With a remedy that does not match, before the one that does."""
    stack.remedies = [OTHER, REMEDY]
    stack.core.apply_settings(settings(stack.task, stack.remedies))
    return stack


def of(view: ExplainView, name: str) -> ExplainedRemedy:
    return next(remedy for remedy in view["remedies"] if remedy["name"] == name)


async def rows(stack: Stack) -> list[int]:
    core = stack.core
    return [len((await listing())["items"]) for listing in (core.alerts, core.decisions, core.runs)]


async def test_labels_given_by_hand(both: Stack) -> None:
    both.clutter(2)
    view = await both.core.explain(labels=LABELS)
    other, tidy = of(view, "other"), of(view, "tidy")
    assert [remedy["name"] for remedy in view["remedies"]] == ["other", "tidy"]
    assert not other["matches"]
    assert other["matchers"] == [
        {"matcher": 'alertname=~"Clutter.*"', "matches": True, "value": "Cluttered"},
        {"matcher": 'room="cellar"', "matches": False, "value": "attic"},
        {"matcher": 'floor="1"', "matches": False, "value": None},
    ]
    assert (tidy["target"], tidy["target_by"], tidy["no_target"]) == ("attic", "label room", None)
    assert [guard["guard"] for guard in tidy["guards"]][:5] == ["paused", "in-flight", "breaker", "cooldown", "rate"]
    assert not any(guard["blocks"] for guard in tidy["guards"])
    assert all(guard["reason"] for guard in tidy["guards"])
    assert view["decisions"] == [
        {"remedy": "tidy", "target": "attic", "verdict": "run", "guard": None, "reason": "remedy tidy matches"}
    ]
    assert view["plan"] is not None
    assert view["plan"]["plan"] is not None
    assert [action["object"] for action in view["plan"]["plan"]["actions"]] == ["f0", "f1"]
    assert len(list(both.attic.iterdir())) == 2
    assert await rows(both) == [0, 0, 0]


async def test_it_is_decided_in_fact_as_it_is_explained(both: Stack) -> None:
    both.task.useless = True
    both.clutter()
    await both.receive(alert())
    await both.finished()
    before = await rows(both)
    view = await both.core.explain(labels={**LABELS, "number": "2"}, plan=False)
    assert view["plan"] is None
    (decision,) = view["decisions"]
    assert (decision["verdict"], decision["guard"]) == ("blocked", "cooldown")
    cooldown = next(guard for guard in of(view, "tidy")["guards"] if guard["guard"] == "cooldown")
    assert (cooldown["blocks"], cooldown["until"]) == (True, view["due_at"])
    assert await rows(both) == before
    await both.receive(alert(number="2"))
    made = (await both.core.decisions())["items"][0]
    assert {key: made[key] for key in decision} == decision  # type: ignore[literal-required]
    assert made["due_at"] == view["due_at"]


async def test_an_alert_that_came_and_what_was_tried_for_it(both: Stack) -> None:
    both.task.useless = True
    both.clutter()
    await both.receive(alert())
    await both.finished()
    view = await both.core.explain(1, plan=False)
    assert (view["alert_id"], view["firing"], of(view, "tidy")["tried"]) == (1, True, [1])
    assert view["decisions"] == []
    assert view["waits_for"] == "its remedies were tried, and it is not yet time for the next turn"
    assert view["due_at"] == "2027-01-15T08:01:00.000Z"
    await both.receive(alert(status="resolved"))
    assert not (await both.core.explain(1, plan=False))["firing"]


async def test_targets_through_a_map_and_those_that_there_are_not(both: Stack) -> None:
    stranger = await both.core.explain(labels={**LABELS, "room": "moon"})
    assert of(stranger, "tidy")["no_target"] == "label room names no configured target of sweep"
    assert stranger["decisions"][0]["verdict"] == "no-target"
    assert stranger["plan"] is None
    both.remedies = [OTHER.model_copy(update={"match": ['room=~".+"']})]
    both.core.apply_settings(settings(both.task, both.remedies))
    mapped = await both.core.explain(labels=LABELS)
    assert of(mapped, "other")["target_by"] == "label room, by 'att.*' of `targets:`"
    assert mapped["decisions"][0]["verdict"] == "observe"
    unmapped = of(await both.core.explain(labels={"room": "shed"}), "other")
    assert (unmapped["target_by"], unmapped["target"]) == ("label room and `targets:`", None)
    both.task.unknown_targets = True
    unknown = await both.core.explain(labels=LABELS)
    assert of(unknown, "other")["no_target"] == "the targets cannot be told now: the directory service does not answer"


async def test_what_cannot_be_planned_is_said(both: Stack) -> None:
    both.attic.rmdir()
    view = await both.core.explain(labels=LABELS)
    assert view["plan"] is not None
    assert view["plan"]["error"] == "planning failed unexpectedly: FileNotFoundError"


async def test_one_or_the_other(both: Stack) -> None:
    for asked in ({}, {"alert_id": 1, "labels": LABELS}, {"labels": {}}):
        with pytest.raises(ClientError, match="give the id of an alert, or labels, and not both"):
            await both.core.explain(**asked)  # type: ignore[arg-type]
    with pytest.raises(ClientError, match="there is no alert 7"):
        await both.core.explain(7)
