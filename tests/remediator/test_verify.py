"""The outcome of a run, from what was measured before and after and how its actions ended."""

import pytest

from remediator.tasks import Measurement
from remediator.verify import of_actions

DONE, SKIPPED, FAILED = ("done", ""), ("skipped", "gone"), ("failed", "disk on fire")


def measured(breached: bool, detail: str = "20.7 of 11.4 MiB") -> Measurement:
    return Measurement(breached=breached, detail=detail)


FIGURES = "20.7 of 11.4 MiB"
NOT_ENOUGH = f"helped, not enough: {FIGURES}"
NO_BETTER = f"measured again, it is no better: {FIGURES}"
GONE = "everything in the plan was gone or had changed since"


@pytest.mark.parametrize(
    ("before", "after", "improved", "states", "outcome", "reason"),
    [
        pytest.param(True, False, True, [DONE], "effective", FIGURES, id="helped"),
        pytest.param(False, False, True, [DONE], "effective", FIGURES, id="less, and nothing was wrong"),
        pytest.param(True, True, True, [DONE], "ineffective", NOT_ENOUGH, id="not enough"),
        pytest.param(False, True, True, [DONE], "ineffective", NOT_ENOUGH, id="breached since"),
        pytest.param(True, True, False, [DONE], "ineffective", NO_BETTER, id="no better"),
        pytest.param(True, True, True, [DONE, FAILED], "failed", "disk on fire", id="an action failed"),
        pytest.param(False, False, False, [SKIPPED], "nothing-to-do", GONE, id="gone"),
    ],
)
def test_outcome(
    before: bool, after: bool, improved: bool, states: list[tuple[str, str]], outcome: str, reason: str
) -> None:
    verdict = of_actions(measured(before), measured(after), improved, states)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_not_enough_without_a_figure() -> None:
    assert of_actions(measured(True, ""), measured(True, ""), True, [DONE]).reason == "helped, not enough"
