"""Whatever is read from outside is taken or refused with its own error: generated from seeds, and never a crash.

``UPKEEPER_FUZZ`` is how many inputs of each kind; ``make torture`` sets the long form's. A failure prints its input.
"""

import json
import os
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remediator.config.config import Config
from tests.remediator import judged

pytestmark = pytest.mark.timeout(0)  # the long form takes as long as its number of inputs

INPUTS = int(os.environ.get("UPKEEPER_FUZZ", "200"))
fuzz = settings(max_examples=INPUTS, deadline=None, suppress_health_check=list(HealthCheck), database=None)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
LABELS = st.dictionaries(st.text(max_size=12), st.text(max_size=30), max_size=5)
TIMES = st.sampled_from(["2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999+23:59", "now"])
ALERT = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["firing", "resolved", "other"]) | JSON,
        "labels": LABELS | JSON,
        "annotations": LABELS | JSON,
        "startsAt": TIMES | st.text(max_size=40),
        "endsAt": TIMES | JSON,
    },
    optional={"fingerprint": st.text("0123456789abcdefg", max_size=17), "generatorURL": st.text(), "more": JSON},
)
PAYLOAD = st.fixed_dictionaries(
    {
        "version": st.sampled_from(["4", "1", "5"]) | JSON,
        "groupKey": st.text(max_size=20) | JSON,
        "receiver": st.text(max_size=20) | JSON,
        "alerts": st.lists(ALERT, max_size=3) | JSON,
    },
    optional={"truncatedAlerts": st.integers() | JSON, "externalURL": st.text() | JSON},
)
"""Mostly what Alertmanager sends, each part of it now and then something else."""


@fuzz
@given(PAYLOAD)
def test_a_payload_is_taken_or_refused(payload: object) -> None:
    judged.payload(json.dumps(payload).encode("utf-8", "surrogatepass"))


@fuzz
@given(st.binary(max_size=400))
def test_bytes_that_are_no_payload_are_refused(body: bytes) -> None:
    judged.payload(body)


MATCHER_TEXT = st.lists(
    st.sampled_from(["{", "}", ",", "=", "!=", "=~", "!~", '"', "\\", "a", "severity", "(a|b)",
                     "[", "*", " ", "\n", "\\x", "\\u00e9"])
    | st.text(max_size=3),
    max_size=20,
).map("".join)  # fmt: skip


@fuzz
@given(MATCHER_TEXT, LABELS)
def test_matchers_are_understood_or_refused(text: str, labels: dict[str, str]) -> None:
    judged.matchers_of(text, labels)


FIELD = st.sampled_from(["*", "0", "7", "59", "60", "*/5", "1-5", "5-1", "L", "MON#1", "5L", "1,2", "*/0", "FRI", "-1"])
CRON_TEXT = st.lists(FIELD | st.text(max_size=4), max_size=7).map(" ".join)


@fuzz
@given(CRON_TEXT, st.sampled_from(judged.ZONES), st.integers(0, 4_000_000_000))
def test_an_expression_has_due_times_that_come_later_or_is_refused(text: str, zone: ZoneInfo, now: int) -> None:
    judged.cron_of(text, zone, float(now))


SECTIONS = st.sampled_from([*Config.model_fields, "nothing", "remedy"])
YAML = st.dictionaries(SECTIONS, JSON, max_size=3).map(lambda value: yaml.safe_dump(value, allow_unicode=True).encode())


@fuzz
@given(YAML | st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_a_config_is_taken_or_its_mistakes_are_named(text: bytes) -> None:
    judged.config(text)
