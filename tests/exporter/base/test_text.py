"""Names and times as text for people."""

import os

from exporter.base.text import moment, printable


def test_names_of_any_bytes() -> None:
    assert printable("größe") == printable("größe".encode()) == "größe"
    assert printable(b"a\xffb\n") == printable(os.fsdecode(b"a\xffb\n")) == "a\\xffb\n"


def test_moments() -> None:
    assert moment(0) == "1970-01-01T00:00:00Z"
    assert moment(1795527858.563945) == "2026-11-24T13:44:18Z"
