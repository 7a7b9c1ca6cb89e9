"""``${NAME}`` in Compose files and .env files, by the rules of the Compose Specification.

https://docs.docker.com/reference/compose-file/interpolation/
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

MAX_DEPTH = 20
MAX_LENGTH = 1024 * 1024
"""Characters that one text may grow to."""

UseKind = Literal["plain", "default", "required", "alternative"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")
_STOP = {"": re.compile(r"\$"), "}": re.compile(r"[$}]")}


class BadReference(ValueError):
    """The text cannot be interpolated. The message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Use:
    """A variable that a text uses, and whether the text has a value for it."""

    name: str
    kind: UseKind
    satisfied: bool


def interpolate(text: str, variables: Mapping[str, str]) -> tuple[str, list[Use]]:
    """The text with its references replaced, and the variables that it uses. Raises BadReference.

    A variable that is not set counts as empty, as in Compose; only the part of a reference that is needed is looked at.
    """
    if "$" not in text:
        return text, []
    scanner = _Scanner(text, variables)
    return scanner.run(), scanner.uses


class _Scanner:
    def __init__(self, text: str, variables: Mapping[str, str]) -> None:
        self._text = text
        self._variables = variables
        self._at = 0
        self._grown = 0
        self.uses: list[Use] = []

    def run(self) -> str:
        return self._until("", 0, True)

    def _until(self, end: str, depth: int, live: bool) -> str:
        """The text up to an end mark, which is passed over; up to the end of the text where there is none."""
        if depth > MAX_DEPTH:
            raise BadReference("references are nested too deeply")
        parts: list[str] = []
        while self._at < len(self._text):
            mark = _STOP[end].search(self._text, self._at)
            stop = mark.start() if mark else len(self._text)
            self._add(parts, self._text[self._at : stop])
            self._at = stop
            if stop == len(self._text):
                break
            self._at += 1
            if self._text[stop] == "$":
                self._add(parts, self._reference(depth, live))
            else:
                return "".join(parts)
        if end:
            raise BadReference("a reference that begins with ${ does not end")
        return "".join(parts)

    def _add(self, parts: list[str], text: str) -> None:
        self._grown += len(text)
        if self._grown > MAX_LENGTH:
            raise BadReference("the text grows too long")
        parts.append(text)

    def _reference(self, depth: int, live: bool) -> str:
        """What stands after a dollar sign."""
        following = self._text[self._at : self._at + 1]
        if following == "$":
            self._at += 1
            return "$"
        if following == "{":
            self._at += 1
            return self._braced(depth, live)
        match = _NAME.match(self._text, self._at)
        if match is None:
            return "$"
        self._at = match.end()
        return self._plain(match.group(), live)

    def _plain(self, name: str, live: bool) -> str:
        if live:
            self.uses.append(Use(name, "plain", name in self._variables))
        return self._variables.get(name, "")

    def _braced(self, depth: int, live: bool) -> str:
        match = _NAME.match(self._text, self._at)
        if match is None:
            raise BadReference("a reference that begins with ${ names no variable")
        name, self._at = match.group(), match.end()
        if self._text.startswith("}", self._at):
            self._at += 1
            return self._plain(name, live)
        operator = _OPERATOR.match(self._text, self._at)
        if operator is None:
            raise BadReference("a reference that begins with ${ has a form that Compose does not know")
        self._at = operator.end()
        value = self._variables.get(name)
        given = bool(value) if operator.group().startswith(":") else value is not None
        kinds: Mapping[str, UseKind] = {"-": "default", "?": "required", "+": "alternative"}
        kind = kinds[operator.group()[-1]]
        if live:
            self.uses.append(Use(name, kind, given))
        rest = self._until("}", depth + 1, live and given == (kind == "alternative") and kind != "required")
        if kind == "alternative":
            return rest if given else ""
        return (value or "") if given else (rest if kind == "default" else "")
