"""What `show` says of a run."""

import io

import pytest

from remediator.model.shapes.runs import SectionView
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


def evidence() -> list[SectionView]:
    lines = [f"line {number}" for number in range(20)] + ["\x1b[2Kevil"]
    return [
        {"name": "container log", "lines": lines, "problem": ""},
        {"name": "processes", "lines": [], "problem": "not known within 5 s"},
    ]


def test_the_last_lines_of_evidence_are_shown_and_all_when_asked_for() -> None:
    shown = []
    for everything in (False, True):
        out = io.StringIO()
        finished = run(state="finished", outcome="effective", actions=[])
        show_run(Screen(False, out, io.StringIO()), {**finished, "evidence": evidence()}, all_evidence=everything)
        shown.append(out.getvalue())
    for text in shown:
        assert "evidence: container log" in text
        assert "evidence: processes not known within 5 s" in text
        assert "\x1b" not in text
    assert "line 18" in shown[0]
    assert "line 3\n" not in shown[0]
    assert "16 more lines of evidence: upkeeper show 1 --evidence" in shown[0]
    assert "line 3\n" in shown[1]
    assert "more lines" not in shown[1]
