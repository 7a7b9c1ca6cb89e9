"""``${NAME}`` in Compose files and .env files, as Compose 2 and 5 replace it.

https://docs.docker.com/reference/compose-file/interpolation/ says what is meant; where it is silent (braces within
a default, defaults that are not used), the programs were asked; tests/exporter/findings/test_interpolate.py asks them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

MAX_DEPTH = 20
MAX_LENGTH = 1024 * 1024
"""Characters that one text may grow to."""

ELSEWHERE = "\ufffc"
"""What stands for the value of a variable where only that is looked at which is written here."""

UseKind = Literal["plain", "default", "required", "alternative"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")
_BRACE = re.compile(r"\{.?|\}", re.DOTALL)
_KINDS: Mapping[str, UseKind] = {"-": "default", "?": "required", "+": "alternative"}


class BadReference(ValueError):
    """The text cannot be interpolated. The message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Use:
    """A variable that a text uses, and whether the text has a value for it."""

    name: str
    kind: UseKind
    satisfied: bool
    needed: bool = True
    """Whether it makes a difference: what stands in a default that is not used makes one to Compose up to 2.40 only."""


@dataclass(frozen=True, slots=True)
class Interpolated:
    """A text with its references replaced."""

    text: str
    uses: tuple[Use, ...] = ()
    own: str = ""
    """What of the text is written here and in force: defaults that are used, and ELSEWHERE for values of variables."""


def interpolate(text: str, variables: Mapping[str, str]) -> Interpolated:
    """The text with its references replaced, and the variables that it uses. Raises BadReference.

    A variable that is not set counts as empty, as in Compose. A default is looked at also where it is not used: Compose
    2.40 refuses ``${A:-${B:?}}`` without B although there is an A, as does 5.1 only without A.
    """
    if "$" not in text:
        return Interpolated(text, (), text)
    scanner = _Scanner(variables)
    value, own = scanner.run(text, 0, True)
    return Interpolated(value, tuple(scanner.uses), own)


class _Scanner:
    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._grown = 0
        self.uses: list[Use] = []

    def run(self, text: str, depth: int, needed: bool) -> tuple[str, str]:
        """The text with all replaced, and what of it is its own."""
        if depth > MAX_DEPTH:
            raise BadReference("references are nested too deeply")
        parts: list[str] = []
        own: list[str] = []
        at = 0
        while at < len(text):
            mark = text.find("$", at)
            stop = mark if mark >= 0 else len(text)
            self._add(text[at:stop], parts, own)
            if mark < 0:
                break
            at, value, written = self._reference(text, mark, depth, needed)
            self._add(value, parts)
            own.append(written)
        return "".join(parts), "".join(own)

    def _add(self, text: str, *lists: list[str]) -> None:
        self._grown += len(text)
        if self._grown > MAX_LENGTH:
            raise BadReference("the text grows too long")
        for parts in lists:
            parts.append(text)

    def _reference(self, text: str, mark: int, depth: int, needed: bool) -> tuple[int, str, str]:
        """Where the text continues after a dollar sign, what stands for the reference, and what of that is its own."""
        following = text[mark + 1 : mark + 2]
        if following == "$":
            return mark + 2, "$", "$"
        if following == "{":
            return self._braced(text, mark, depth, needed)
        match = _NAME.match(text, mark + 1)
        if match is None:
            return mark + 1, "$", "$"
        return match.end(), self._plain(match.group(), needed), ELSEWHERE

    def _plain(self, name: str, needed: bool) -> str:
        self.uses.append(Use(name, "plain", name in self._variables, needed))
        return self._variables.get(name, "")

    def _braced(self, text: str, mark: int, depth: int, needed: bool) -> tuple[int, str, str]:
        match = _NAME.match(text, mark + 2)
        if match is None:
            raise BadReference("a reference that begins with ${ names no variable")
        name, at = match.group(), match.end()
        if text.startswith("}", at):
            return at + 1, self._plain(name, needed), ELSEWHERE
        operator = _OPERATOR.match(text, at)
        if operator is None and "}" in text[at:]:
            raise BadReference("a reference that begins with ${ has a form that Compose does not know")
        end = _end(text, mark, operator.end()) if operator is not None else -1
        if operator is None or end < 0:
            raise BadReference("a reference that begins with ${ is not closed")
        value = self._variables.get(name)
        given = bool(value) if operator.group().startswith(":") else value is not None
        kind = _KINDS[operator.group()[-1]]
        self.uses.append(Use(name, kind, given, needed))
        taken = given if kind == "alternative" else not given and kind == "default"
        rest, own = self.run(text[operator.end() : end], depth + 1, needed and taken)
        if taken:
            return end + 1, rest, own
        return end + 1, (value or "") if kind != "alternative" else "", ELSEWHERE if given else ""


def _end(text: str, mark: int, begin: int) -> int:
    """Where the brace is that closes the reference at a mark; -1 without one.

    Compose takes all up to the last closing brace of the line, and then the first in it before which all are closed. It
    does not look at the character after an opening one, so that ``{}`` counts as open; where none fits, it is the last.
    """
    line_end = text.find("\n", begin)
    last = text.rfind("}", begin, line_end if line_end >= 0 else len(text))
    if last < 0:
        return -1
    open_braces = 0
    for brace in _BRACE.finditer(text, mark, last + 1):
        open_braces += 1 if brace.group().startswith("{") else -1
        if open_braces == 0:
            return brace.start()
    return last
