"""Checks as notes of a plan, and back."""

from remediator.tasks.health_check.notes import checks_of, line


def test_checks_are_told_from_remarks_and_those_that_fail_come_first() -> None:
    notes = [
        "n8n/ready: FAILED, status 503, expected 200",
        "web/live: ok, status 200 in 3 ms",
        "Containers were left out: no engine.",
    ]
    checks, remarks = checks_of({"web/live": 1.0, "n8n/ready": 0.0, "docker:db": 0.0}, notes)
    assert checks == [
        {"name": "n8n/ready", "state": "failed", "detail": "status 503, expected 200"},
        {"name": "docker:db", "state": "failed", "detail": ""},
        {"name": "web/live", "state": "ok", "detail": "status 200 in 3 ms"},
    ]
    assert remarks == ["Containers were left out: no engine."]


def test_what_is_written_is_read_back() -> None:
    notes = [line("a/b", True, "x, y: z"), line("a", False, "")]
    checks, remarks = checks_of({"a/b": 1.0, "a": 0.0}, notes)
    assert checks == [
        {"name": "a", "state": "failed", "detail": ""},
        {"name": "a/b", "state": "ok", "detail": "x, y: z"},
    ]
    assert remarks == []
