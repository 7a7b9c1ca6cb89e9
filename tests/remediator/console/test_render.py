"""What templates make of values, without a server."""

import re
from types import SimpleNamespace

import pytest

from remediator.console.render import _environment


@pytest.mark.parametrize(
    ("value", "name", "shown"),
    [
        (float("inf"), "age_seconds", "inf"),
        (float("nan"), "age_seconds", "nan"),
        (float("inf"), "last_timestamp_seconds", "inf"),
        (1e300, "made_at", "1e+300"),
        (-(10**12), "made_at", "-1000000000000"),
        (float("nan"), "bytes", "nan TiB"),
        (90, "age_seconds", "90.0 s"),
    ],
)
def test_a_figure_that_is_none_is_shown_as_it_is(value: float, name: str, shown: str) -> None:
    assert _environment().filters["figure"](value, name) == shown


def test_sets_are_chosen_by_their_names_and_latest_stands_once() -> None:
    sets = [{"backup": "pa", "name": "latest"}, {"backup": "PA", "name": "two  blanks"}, {"backup": "pa", "name": "x"}]
    macros = _environment().get_template("parts.html").module
    visitor = SimpleNamespace(session=SimpleNamespace(csrf="c"))
    html = str(macros.restore_form("", visitor, sets, {"set": "PA/two  blanks", "to": "/a  b"}))  # type: ignore[attr-defined]
    assert re.findall('<option value="([^"]*)"', html) == ["pa/latest", "pa/x", "PA/latest", "PA/two  blanks"]
    assert re.findall('<option value="([^"]*)" selected', html) == ["PA/two  blanks"]
    assert 'value="/a  b"' in html
