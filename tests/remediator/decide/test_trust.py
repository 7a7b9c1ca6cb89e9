"""When a remedy may do more by itself, and when less."""

from dataclasses import replace

import pytest

from remediator.config.remedies import Remedy, Trust
from remediator.decide.remedies import Remedies
from remediator.decide.trust import demotion, promotion
from remediator.model.level import Level, Track
from tests.remediator.conftest import REMEDY

GOOD = Track(runs=10, effective=9, estimates=0.8)
PLANNED = Track(would_act=5)


def at(autonomy: str, **trust: object) -> Remedy:
    return REMEDY.model_copy(update={"autonomy": autonomy, "trust": Trust.model_validate(trust)})


def test_too_many_runs_in_a_row_that_did_not_help_cost_a_level() -> None:
    failing = Track(runs=9, failures=5)
    assert demotion(at("auto"), replace(failing, failures=4)) is None
    assert demotion(at("auto"), failing) == ("approve", "its last 5 runs in a row failed or did not help")
    assert demotion(at("approve"), failing) == ("observe", "its last 5 runs in a row failed or did not help")
    assert demotion(at("observe"), failing) is None
    assert demotion(at("auto", demote_after=6), failing) is None


def test_what_had_something_to_do_often_enough_may_ask() -> None:
    assert promotion(at("observe"), replace(PLANNED, would_act=4)) is None
    assert promotion(at("observe"), PLANNED) == ("approve", "5 of its plans had something to do")
    assert promotion(at("observe", plans=6), PLANNED) is None


@pytest.mark.parametrize(
    ("track", "may"),
    [
        (GOOD, True),
        (replace(GOOD, runs=9, effective=9), False),
        (replace(GOOD, effective=8), False),
        (replace(GOOD, estimates=0.49), False),
        (replace(GOOD, estimates=None), True),
        (replace(GOOD, denied=1), False),
        (replace(GOOD, failures=1), False),
    ],
)
def test_what_helped_often_enough_and_as_it_said_may_act(track: Track, may: bool) -> None:
    found = promotion(at("approve"), track)
    assert (found is not None and found[0] == "auto") is may
    assert promotion(at("auto"), track) is None


def test_it_says_by_what() -> None:
    said = "9 of its 10 approved runs were effective, and its estimates held to 80%"
    assert promotion(at("approve"), GOOD) == ("auto", said)


def test_a_level_counts_as_long_as_the_config_says_what_it_said_then() -> None:
    demoted = {"tidy": Level("tidy", "auto", "approve", "", 1.0)}
    given_back = {"tidy": Level("tidy", "auto", None, "", 1.0)}
    other = {"other": Level("other", "auto", "approve", "", 1.0)}

    def now(configured: str, levels: dict[str, Level]) -> str:
        remedy = Remedies([at(configured)]).at(levels).named("tidy")
        assert remedy is not None
        return remedy.autonomy

    assert now("auto", demoted) == "approve"
    assert now("observe", demoted) == "observe"
    assert now("auto", given_back) == now("auto", other) == now("auto", {}) == "auto"
