"""Names, times and numbers as text for people."""

import os

from exporter.base.text import counted, format_time, format_time_ms, nearest, parse_time, printable


def test_names_of_any_bytes() -> None:
    assert printable("größe") == printable("größe".encode()) == "größe"
    assert printable(b"a\xffb\n") == printable(os.fsdecode(b"a\xffb\n")) == "a\\xffb\n"


def test_times() -> None:
    assert format_time(0) == "1970-01-01T00:00:00Z"
    assert format_time(1795527858.563945) == "2026-11-24T13:44:18Z"
    assert format_time_ms(1795527858.563945) == "2026-11-24T13:44:18.563Z"
    assert parse_time("2026-11-24T13:44:18.563Z").timestamp() == 1795527858.563


def test_numbers_with_their_nouns() -> None:
    assert [counted(number, "alert") for number in (0, 1, 2)] == ["0 alerts", "1 alert", "2 alerts"]
    assert counted(2, "log directory", "log directories") == "2 log directories"


def test_the_nearest_of_known_words() -> None:
    assert nearest("log-rotatoin", ["log-rotation", "docker-cleanup"]) == "did you mean log-rotation?"
    assert nearest("REQUIREANYCLIENTCERT", ["RequireAnyClientCert"]) == "did you mean RequireAnyClientCert?"
    assert nearest("espresso", ["log-rotation"]) == nearest("x", []) == ""
