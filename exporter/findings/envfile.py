"""Files of variables (``.env``), as Compose 2 and 5 read them: https://docs.docker.com/compose/env-file/

That page is silent on much; tests/exporter/findings/test_envfile.py asks the programs themselves.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.findings.files import TextFile
from exporter.findings.interpolate import BadReference, Use, interpolate

MAX_CHARACTERS = 16 * 1024 * 1024
"""Characters that the values of one file may grow to; later references are left as they are."""

_BLANKS = "\t\v\f\r \x85\xa0"
_GAP = re.compile(rf"[{_BLANKS}]*")
_NOTHING = re.compile(r"(?:\s|#[^\n]*)*")
_EXPORT = re.compile(r"export[ \t\f\r]+")
_NAME = re.compile(rf"[\w.\[\]\-{_BLANKS}]*")
_LINE = re.compile(r"[^\n]*")
_QUOTED = {quote: re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*+){quote}", re.DOTALL) for quote in "'\""}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPE = re.compile(r'\\(?:[abcfnrtv$"\\]|0[0-9]{0,3})')
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\"}
_RAW_LINE = re.compile(r"(?P<name>[^=\n]*)(?P<sign>=?)(?P<value>[^\n]*)")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of an env file. line: counted from 1."""

    name: str
    """Empty for ``=value``, which Compose accepts."""
    value: str = field(repr=False)
    """Before references in it are replaced."""
    line: int
    literal: bool = False
    """In single quotes, so that references in it mean nothing."""
    inherited: bool = False
    """Named without a value: it comes from the shell that starts Compose."""
    hash_value: bool = False
    """It begins with a # that looks like a comment and is none."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that is no variable, counted from 1. refused: whether Compose then reads nothing at all."""

    line: int
    refused: bool = True


@dataclass(frozen=True, slots=True)
class BadValue:
    """A variable whose references keep Compose from reading the file. line: counted from 1."""

    name: str
    line: int
    reason: str
    """What is wrong, as a sentence without its full stop."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the variables of a file are, once references are replaced."""

    values: Mapping[str, str] = field(repr=False)
    uses: Sequence[tuple[int, Use]] = ()
    """Variables that values refer to, with their lines. One that is required, needed and not set is in ``bad``."""
    bad: Sequence[BadValue] = ()
    own: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What of each value is written in this file."""


@dataclass(frozen=True, slots=True)
class EnvFile:
    """The variables of a file, in its order, repeated ones too; and the lines that are none."""

    path: str
    variables: Sequence[Variable] = ()
    malformed: Sequence[Malformed] = ()

    def values(self, outer: Mapping[str, str] | None = None) -> dict[str, str]:
        """What each variable is, the last of a name winning. outer: variables that are set elsewhere, which win."""
        return {**self.resolve(outer or {}).values, **(outer or {})}

    def resolve(
        self, outer: Mapping[str, str], earlier: Mapping[str, str] | None = None, *, all_known: bool = True
    ) -> Resolved:
        """The variables with references replaced. outer: what wins over them. earlier: what files before it set.

        all_known: whether all of those could be read. Where not, of a variable that nothing known sets nothing is said.
        """
        known: dict[str, str] = {**(earlier or {}), **outer}
        values: dict[str, str] = {}
        own: dict[str, str] = {}
        uses: list[tuple[int, Use]] = []
        bad: list[BadValue] = []
        grown = 0
        for variable in self.variables:
            if variable.inherited:
                if variable.name in known:
                    values[variable.name] = known[variable.name]
                continue
            value = written = variable.value
            if not variable.literal:
                try:
                    found = interpolate(value, known)
                except BadReference as error:
                    bad.append(BadValue(variable.name, variable.line, str(error)))
                else:
                    grown += len(found.text)
                    if grown <= MAX_CHARACTERS:
                        value, written = found.text, found.own
                    for use in found.uses if all_known else [use for use in found.uses if use.satisfied]:
                        if use.kind == "required" and use.needed and not use.satisfied:
                            reason = f"it requires {use.name}, which is not set"
                            bad.append(BadValue(variable.name, variable.line, reason))
                        else:
                            uses.append((variable.line, use))
            values[variable.name] = value
            own[variable.name] = written
            if variable.name not in outer:
                known[variable.name] = value
        return Resolved(values, uses, bad, own)


def parse_env(file: TextFile, *, raw: bool = False) -> EnvFile:
    """The variables of an env file. Bytes that are not UTF-8, which Compose takes, are as os.fsdecode has them.

    raw: as Docker itself reads such files, where quotes and dollar signs mean themselves (``format: raw``).
    """
    text = file.data.decode("utf-8-sig", "surrogateescape")
    variables: list[Variable] = []
    malformed: list[Malformed] = []
    for found in _raw(text) if raw else _statements(text):
        if isinstance(found, Variable):
            variables.append(found)
        else:
            malformed.append(found)
    return EnvFile(file.path, variables, malformed)


def _raw(text: str) -> Iterator[Variable | Malformed]:
    for number, line in enumerate(text.split("\n"), 1):
        match = _RAW_LINE.match(line.rstrip("\r").lstrip())
        if match is None or not match.group() or match.group().startswith("#"):
            continue
        name = match["name"]
        if not name or name != name.strip():
            yield Malformed(number)
        else:
            yield Variable(name, match["value"], number, literal=True, inherited=not match["sign"])


def _statements(text: str) -> Iterator[Variable | Malformed]:
    """What follows a closing quote on its line is a statement of its own, as in Compose."""
    at, counted, line = 0, 0, 1
    while True:
        at = _end_of(_NOTHING, text, at)
        if at == len(text):
            return
        line += text.count("\n", counted, at)
        counted = at
        found, at = _statement(text, at, line)
        yield found


def _statement(text: str, begin: int, line: int) -> tuple[Variable | Malformed, int]:
    """The statement that begins at a position, and where the next may begin."""
    export = _EXPORT.match(text, begin)
    begin = export.end() if export else begin
    end = _end_of(_NAME, text, begin)
    name, sign = text[begin:end].rstrip(), text[end : end + 1]
    line_end = _end_of(_LINE, text, begin)
    if export and begin == len(text):
        return Malformed(line), begin
    if not sign:  # without a line break at its end, Compose takes a name for the value of a variable without one
        return Malformed(line, refused=False), line_end
    if sign not in "=:\n" or " " in name:
        return Malformed(line), line_end
    if sign == "\n":
        return Variable(name, "", line, inherited=True), line_end
    start = _end_of(_GAP, text, end + 1)
    quote = text[start : start + 1]
    if quote in _QUOTED:
        match = _QUOTED[quote].match(text, start)
        if match is None:
            return Malformed(line), line_end
        value = _ESCAPED.sub(lambda escape: escape[1] if escape[1] == quote else escape[0], match[1])
        if quote == '"':
            value = _ESCAPE.sub(_unescaped, value)
        return Variable(name, value, line, literal=quote == "'"), match.end()
    value = text[start:line_end].split(" #", 1)[0].rstrip()
    commented = value.startswith("#") and (start > end + 1 or value[1:2].strip() == "")
    return Variable(name, value, line, hash_value=commented), line_end


def _end_of(pattern: "re.Pattern[str]", text: str, at: int) -> int:
    """The end of what a pattern that matches everywhere takes."""
    match = pattern.match(text, at)
    return match.end() if match else at


def _unescaped(escape: "re.Match[str]") -> str:
    text = escape.group()
    if text == r"\$":
        return "$$"
    if text[1] == "0":
        number = text[2:]
        valid = len(number) == 3 and number <= "377" and not set(number) & set("89")
        return chr(int(number, 8)) if valid else f"\\{number}"
    return _ESCAPES.get(text[1], text)
