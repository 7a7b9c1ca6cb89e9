"""Figures in a table."""

import io
from typing import Any

import pytest

from remediator.model.taskfacts import Figure, Reads
from upkeeper.screens.figures import show_figures, written
from upkeeper.screens.screen import Screen


@pytest.mark.parametrize(
    ("value", "reads", "unit", "text"),
    [
        (None, "amount", "bytes", ""),
        (1536, "amount", "bytes", "1.5 KiB"),
        (-1536, "amount", "bytes", "-1.5 KiB"),
        (2048, "amount", "bytes/s", "2 KiB/s"),
        (120.4, "amount", "files", "120 files"),
        (0.25, "amount", "cores", "0.25 cores"),
        (0.0312, "ratio", "", "3.1%"),
        (0.429, "amount", "ratio", "43%"),
        (0.7, "ratio", "", "70%"),
        (3.0, "number", "bytes", "3"),
        (["a", "b"], "text", "", "a; b"),
        ("x", "text", "", "x"),
    ],
)
def test_a_value_for_people(value: Any, reads: Reads, unit: str, text: str) -> None:
    assert written(value, reads, {"unit": unit}) == text


def test_a_table_with_its_notes() -> None:
    out = io.StringIO()
    figures = [Figure("sink", "sink"), Figure("used", "used", "amount")]
    show_figures(Screen(False, out, out), figures, [{"sink": "/", "used": 1024, "unit": "bytes"}], ["It is small."])
    show_figures(Screen(False, out, out), figures, [], [])
    assert out.getvalue() == "SINK   USED\n/     1 KiB\nnote: It is small.\nthere is nothing to tell\n"
