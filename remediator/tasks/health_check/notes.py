"""What health-check says of each thing that it looked at, as a note of a plan, and back. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal

from typing_extensions import TypedDict


class CheckView(TypedDict):
    """One check: ``service/probe``, or ``docker:container``."""

    name: str
    state: Literal["ok", "failed"]
    detail: str


def line(name: str, passed: bool, detail: str) -> str:
    """A check as a note. See checks_of."""
    return f"{name}: {'ok' if passed else 'FAILED'}, {detail}"


def checks_of(values: Mapping[str, float], notes: Sequence[str]) -> tuple[list[CheckView], list[str]]:
    """The checks, those that fail first, and the notes that are of none.

    values: 1 or 0 by the name of the check. notes: those that line has written, and remarks.
    """
    said: dict[str, tuple[bool, str]] = {}
    remarks: list[str] = []
    for note in notes:
        name = next((name for name in values if note.startswith(f"{name}: ")), None)
        if name is None:
            remarks.append(note)
            continue
        word, _, detail = note.removeprefix(f"{name}: ").partition(", ")
        said[name] = word == "ok", detail
    checks: list[CheckView] = []
    for name, value in values.items():
        passed, detail = said.get(name, (value == 1, ""))
        checks.append({"name": name, "state": "ok" if passed else "failed", "detail": detail})
    return sorted(checks, key=lambda check: check["state"] == "ok"), remarks
