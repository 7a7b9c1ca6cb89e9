"""Problems are logged when they begin, change and end."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from exporter.base.complaints import Complaints


@pytest.fixture
def lines() -> Iterator[list[MutableMapping[str, Any]]]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def complaints(lines: list[MutableMapping[str, Any]]) -> Complaints:
    return Complaints(structlog.get_logger(), "disk bad", "disk well again", "disk", host="vm")


def test_a_line_when_it_begins_changes_and_ends(complaints: Complaints, lines: list[MutableMapping[str, Any]]) -> None:
    for reason in ("", "", "slow", "slow", "gone", "", "", "slow"):
        complaints.note("a", reason)
        assert complaints.reason("a") == reason
    assert [(line["log_level"], line["event"], line.get("reason")) for line in lines] == [
        ("warning", "disk bad", "slow"),
        ("warning", "disk bad", "gone"),
        ("info", "disk well again", None),
        ("warning", "disk bad", "slow"),
    ]
    assert all((line["disk"], line["host"]) == ("a", "vm") for line in lines)


def test_each_thing_for_itself(complaints: Complaints, lines: list[MutableMapping[str, Any]]) -> None:
    complaints.note("a", "slow")
    complaints.note("b", "slow")
    complaints.note("b", "")
    assert [(line["event"], line["disk"]) for line in lines] == [
        ("disk bad", "a"),
        ("disk bad", "b"),
        ("disk well again", "b"),
    ]
    assert (complaints.reason("a"), complaints.reason("b"), complaints.reason("c")) == ("slow", "", "")


def test_those_that_are_not_named_are_well(complaints: Complaints, lines: list[MutableMapping[str, Any]]) -> None:
    complaints.note_all({"a": "slow", "b": "slow"})
    complaints.note_all({"b": "gone", "c": ""})
    complaints.note_all({"b": "gone"})
    assert [(line["event"], line["disk"]) for line in lines[2:]] == [("disk bad", "b"), ("disk well again", "a")]
