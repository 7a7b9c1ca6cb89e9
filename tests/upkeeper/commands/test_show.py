"""What `show` says of a run."""

import io

import pytest

from tests.upkeeper.shapes import run
from upkeeper.screens.runs import show_run
from upkeeper.screens.screen import Screen


@pytest.mark.parametrize(
    ("state", "outcome", "sentence"),
    [
        ("finished", "nothing-to-do", "it had nothing to do"),
        ("finished", "planned", "it had nothing to do"),
        ("finished", "failed", "nothing was done"),
        ("finished", "ineffective", "nothing was done"),
        ("finished", "blocked", "nothing was done"),
        ("measuring", None, "there is no plan yet"),
    ],
)
def test_a_run_without_actions_is_not_said_to_have_had_nothing_to_do_when_it_failed(
    state: str, outcome: str | None, sentence: str
) -> None:
    out = io.StringIO()
    show_run(Screen(False, out, io.StringIO()), run(state=state, outcome=outcome, actions=[]))
    assert out.getvalue().splitlines()[-1] == sentence
