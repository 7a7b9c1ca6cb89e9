"""Files of variables (``.env``), in the syntax of Docker Compose: https://docs.docker.com/compose/env-file/"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exporter.findings.files import TextFile, Unreadable
from exporter.findings.interpolate import BadReference, interpolate

_LINE = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*(?:(?P<sign>[=:])[ \t]*)?")
MAX_CHARACTERS = 16 * 1024 * 1024
"""Characters that the values of one file may grow to; later references are left as they are."""

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of an env file. line: counted from 1."""

    name: str
    value: str = field(repr=False)
    line: int
    literal: bool = False
    """In single quotes, so that references in it mean nothing."""
    inherited: bool = False
    """Named without a value: it comes from the shell that starts Compose."""


@dataclass(frozen=True, slots=True)
class EnvFile:
    """The variables of a file, in its order, repeated ones too; and the lines that are none."""

    path: str
    variables: Sequence[Variable] = ()
    malformed: Sequence[int] = ()

    def values(self, outer: Mapping[str, str] | None = None) -> dict[str, str]:
        """What each variable is, the last of a name winning, with references to earlier ones replaced.

        outer: variables that are set elsewhere, which win.
        """
        outer = outer or {}
        known = dict(outer)
        grown = 0
        for variable in self.variables:
            if variable.inherited or variable.name in outer:
                continue
            try:
                value = variable.value if variable.literal else interpolate(variable.value, known)[0]
                grown += len(value)
                if grown > MAX_CHARACTERS:
                    raise BadReference("the variables grow too long")
            except BadReference:
                value = variable.value
            known[variable.name] = value
        return known


def parse_env(file: TextFile) -> EnvFile:
    """The variables of an env file. Raises Unreadable for what is no text."""
    try:
        text = file.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(file.path, "is not UTF-8 text") from error
    if file.binary:
        raise Unreadable(file.path, "is a binary file")
    lines = text.replace("\r\n", "\n").split("\n")
    variables: list[Variable] = []
    malformed: list[int] = []
    at = 0
    while at < len(lines):
        number, line = at + 1, lines[at]
        at += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None or (match["sign"] is None and line[match.end() :].strip()):
            malformed.append(number)
            continue
        if match["sign"] is None:
            variables.append(Variable(match["name"], "", number, inherited=True))
            continue
        rest = line[match.end() :]
        if rest[:1] in ("'", '"'):
            quoted, taken = _quoted(rest[0], rest[1:], lines, at)
            if quoted is None:
                malformed.append(number)
                continue
            at += taken
            literal = rest[0] == "'"
            variables.append(Variable(match["name"], quoted if literal else _unescaped(quoted), number, literal))
        else:
            variables.append(Variable(match["name"], _plain(rest), number))
    return EnvFile(file.path, variables, malformed)


def _plain(text: str) -> str:
    comment = re.search(r"(?:^|[ \t])#", text)
    return (text[: comment.start()] if comment else text).strip()


def _quoted(quote: str, first: str, lines: Sequence[str], following: int) -> tuple[str | None, int]:
    """The text up to the closing quote, and how many further lines it takes; None when the quote is never closed."""
    parts: list[str] = []
    for taken, line in enumerate((first, *lines[following : following + 1000])):
        end = re.match(rf"(?:[^{quote}\\]|\\.)*+{quote}", line) if "\\" in line else None
        stop = end.end() - 1 if end else (line.find(quote) if "\\" not in line else -1)
        if stop >= 0:
            return "\n".join((*parts, line[:stop])), taken
        parts.append(line)
    return None, 0


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), text) if "\\" in text else text
