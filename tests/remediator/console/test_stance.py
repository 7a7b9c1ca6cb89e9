"""What Upkeeper does about an alert, in a word."""

from typing import Any, cast

import pytest

from remediator.console.stance import Stance, stance
from remediator.model.shapes.alerts import DecisionView
from remediator.model.shapes.runs import RunView


def run(state: str, outcome: str | None = None, reason: str = "") -> RunView:
    made: Any = {"id": 7, "task": "sweep", "target": "attic", "state": state, "outcome": outcome, "reason": reason}
    return cast(RunView, made)


def decision(reason: str, run_id: int | None = None) -> DecisionView:
    made: Any = {"reason": reason, "run_id": run_id}
    return cast(DecisionView, made)


@pytest.mark.parametrize(
    ("decisions", "newest_run", "said"),
    [
        ([], None, Stance(None, "Nothing has been decided yet.")),
        ([decision("x", 7)], run("applying"), Stance("doing", "sweep on attic is applying.", 7)),
        (
            [decision("x", 7)],
            run("waiting"),
            Stance("waits for you", "sweep on attic has a plan and does nothing before it is approved.", 7),
        ),
        (  # whatever was decided while it goes on
            [decision("one is in flight"), decision("x", 7)],
            run("verifying"),
            Stance("doing", "sweep on attic is verifying.", 7),
        ),
        (
            [decision("x", 7)],
            run("finished", "effective", "1 file less"),
            Stance("done", "sweep on attic ended effective: 1 file less.", 7),
        ),
        ([decision("x", 7)], run("finished", "failed"), Stance("done", "sweep on attic ended failed.", 7)),
        (
            [decision("x", 7)],
            run("finished", "expired"),
            Stance("will not", "sweep on attic ended expired: nobody answered in time.", 7),
        ),
        ([decision("no remedy matches")], None, Stance("will not", "no remedy matches.")),
        (
            [decision("the breaker is open."), decision("x", 7)],
            run("finished", "ineffective", "as before"),
            Stance("will not", "the breaker is open. Before that, sweep on attic ended ineffective: as before.", 7),
        ),
    ],
)
def test_it_is_said_in_a_word(decisions: list[DecisionView], newest_run: RunView | None, said: Stance) -> None:
    assert stance(decisions[0] if decisions else None, newest_run) == said
