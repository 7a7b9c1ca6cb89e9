"""A run on the screen when it has just finished."""

import io
from collections.abc import Sequence

import pytest

from remediator.model.shapes.runs import ActionView
from tests.upkeeper.shapes import action, run
from upkeeper.screens.runs import show_summary
from upkeeper.screens.screen import Screen


def shown(actions: Sequence[ActionView], **changes: object) -> list[str]:
    out = io.StringIO()
    show_summary(Screen(as_json=False, out=out), run(actions=list(actions), **changes))
    return [line for line in out.getvalue().splitlines() if "tidied" in line]


def test_what_each_of_a_few_actions_did_is_shown() -> None:
    done = [action(number, detail=f"tidied shelf {number}") for number in range(3)]
    assert [line.split(": ")[-1] for line in shown(done)] == ["tidied shelf 0", "tidied shelf 1", "tidied shelf 2"]


@pytest.mark.parametrize("state", ["failed", "partial"])
def test_of_many_only_those_that_went_wrong_are(state: str) -> None:
    many = [action(number, detail=f"tidied shelf {number}") for number in range(6)]
    many[4] = action(4, state, detail="could not be tidied")  # type: ignore[arg-type]
    assert [line.split(": ")[-1] for line in shown(many)] == ["could not be tidied"]
