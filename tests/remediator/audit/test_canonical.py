"""One text for one value, as RFC 8785 has it."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remediator.audit.canonical import canonical, plain


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, False, None]}, '{"a":[true,false,null],"b":1}'),
        # The order of RFC 8785, 3.2.3: by UTF-16 code units, so that the emoji comes before the Hebrew letter.
        (
            {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7},
            '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}',
        ),
        ('\u20ac$\u000f\nA\'B"\\\\"/\0\x7f', '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\\u0000\x7f"'),
        (2**53, "9007199254740992"),
        (2**53 + 1, '"9007199254740993"'),
        (1.0, "1"),
        (-0.0, "0"),
        (0.1, '"0.1"'),
        (1e300, '"1e+300"'),
        (float("nan"), '"nan"'),
        (float("-inf"), '"-inf"'),
        ("a\ud800b", '"a\ufffdb"'),
        ((1, 2), "[1,2]"),
        ({1: "a"}, '{"1":"a"}'),
    ],
)
def test_one_text_for_one_value(value: Any, text: str) -> None:
    assert canonical(value) == text


def test_what_json_has_no_form_for_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes has no canonical form"):
        canonical({"a": b"x"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(JSON)
def test_what_is_read_again_has_the_same_text(value: Any) -> None:
    text = canonical(value)
    assert canonical(json.loads(text)) == text
    assert plain(json.loads(text)) == json.loads(text)
    text.encode()
