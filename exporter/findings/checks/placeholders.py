"""Values that were to be changed and were not: ``CHANGE_ME_`` and its like."""

import re
from collections.abc import Callable, Iterator, Sequence

from exporter.base.text import printable
from exporter.configfile.section import regex_search
from exporter.findings.files import TextFile
from exporter.findings.finding import Finding, Kind, Place, secret_name
from exporter.findings.inputs import Material

MAX_IN_A_FILE = 100
"""Findings of one file: more only say the same again."""

_KEY = re.compile(rb"[\s-]*(?:export\s+)?[\"']?([A-Za-z_][A-Za-z0-9_.-]{0,80})[\"']?\s*[=:]")


class Placeholders:
    """patterns: RE2 regular expressions, searched in each line that is no comment."""

    name = "placeholders"
    needs: frozenset[Kind] = frozenset({"text"})

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns

    def find(self, material: Material) -> Iterator[Finding]:
        if not self._patterns or not material.texts:
            return
        search = regex_search("|".join(f"(?:{pattern})" for pattern in self._patterns))
        for file in material.texts:
            if search(file.data):
                yield from self._in(file, [*_lines(file, search)][:MAX_IN_A_FILE])

    def _in(self, file: TextFile, lines: Sequence[tuple[int, bytes]]) -> Iterator[Finding]:
        for number, line in lines:
            match = _KEY.match(line)
            name = match[1].decode() if match else ""
            secret = bool(name) and secret_name(name)
            yield Finding(
                check=self.name,
                severity="critical" if secret else "warning",
                subject=name or printable(file.path),
                place=Place(printable(file.path), number),
                message=f"{name or 'the line'} still holds a placeholder"
                + (", so that anybody can know it" if secret else ""),
                remedy="put a long random value in its place" if secret else "put the real value in its place",
            )


def _lines(file: TextFile, search: Callable[[bytes], bool]) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(file.data.split(b"\n"), 1):
        if search(line) and not line.lstrip().startswith((b"#", b"//", b";")):
            yield number, line
