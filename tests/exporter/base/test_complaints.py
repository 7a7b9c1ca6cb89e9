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


def test_a_thing_may_have_several_names_or_none(lines: list[MutableMapping[str, Any]]) -> None:
    log = structlog.get_logger()
    probes = Complaints(log, "failed", "recovered", "target", "probe")
    probes.note(("n8n", "live"), "refused")
    probes.note(("n8n", "ready"), "")
    alone = Complaints(log, "down", "up")
    alone.note((), "gone")
    alone.note((), "")
    assert [{key: line[key] for key in line if key != "log_level"} for line in lines] == [
        {"event": "failed", "target": "n8n", "probe": "live", "reason": "refused"},
        {"event": "down", "reason": "gone"},
        {"event": "up"},
    ]


def test_a_reason_with_figures_is_told_once(lines: list[MutableMapping[str, Any]]) -> None:
    complaints = Complaints(structlog.get_logger(), "slow", "fast again", "server", changes=False)
    for reason in ("3.1 s", "3.2 s", "", "3.3 s"):
        complaints.note("a", reason)
    assert [(line["event"], line.get("reason")) for line in lines] == [
        ("slow", "3.1 s"),
        ("fast again", None),
        ("slow", "3.3 s"),
    ]


def test_what_no_longer_exists_is_forgotten_without_a_line(
    complaints: Complaints, lines: list[MutableMapping[str, Any]]
) -> None:
    complaints.note_all({"a": "slow", "b": "slow"})
    complaints.keep({"b"})
    complaints.note_all({})
    assert [(line["event"], line["disk"]) for line in lines[2:]] == [("disk well again", "b")]


def test_what_was_complained_of_before_is_not_told_again(
    complaints: Complaints, lines: list[MutableMapping[str, Any]]
) -> None:
    complaints.note_all({"a": "slow", "b": "slow"})
    some, every = (Complaints(structlog.get_logger(), "disk bad", "disk well again", "disk") for _ in range(2))
    some.continue_from(complaints, {"a"})
    every.continue_from(complaints)
    assert [some.reason("a"), some.reason("b"), every.reason("b")] == ["slow", "", "slow"]
    every.note("a", "slow")
    assert len(lines) == 2
