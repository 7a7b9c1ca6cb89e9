"""Values that were to be changed and were not: ``CHANGE_ME_`` and its like."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from exporter.base.text import printable
from exporter.configfile.section import regex_search
from exporter.findings.compose_tree import Node
from exporter.findings.envfile import EnvFile
from exporter.findings.files import TextFile
from exporter.findings.finding import Finding, Group, Kind, Place, word
from exporter.findings.inputs import Inputs
from exporter.findings.project import Project
from exporter.findings.secretnames import secret_name

MAX_IN_A_FILE = 100
"""Findings of one file: more only say the same again."""

_MAX_LINE = 4096
_KEY = re.compile(rb"[\s-]*(?:export\s+)?[\"']?([A-Za-z_][A-Za-z0-9_.-]{0,80})[\"']?\s*[=:]")
_MARKS = (b"#", b"//", b";")
Search = Callable[[bytes], bool]


class Placeholders:
    """What is in force of Compose files and env files, and the lines of other files that are no comments.

    patterns: RE2 regular expressions.
    """

    name = "placeholders"
    needs: frozenset[Kind] = frozenset({"text"})

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns

    def find(self, inputs: Inputs) -> Iterator[Finding]:
        if not self._patterns:
            return
        search = regex_search("|".join(f"(?:{pattern})" for pattern in self._patterns))
        understood: set[str] = set()
        for project in inputs.projects:
            understood |= project.read.keys()
            yield from _unique(_of_project(project, search))
        for env in inputs.env_files:
            if env.path not in understood:
                understood.add(env.path)
                yield from _unique(_of_env(env, {one.name: one.value for one in env.variables}, search))
        for file in inputs.texts:
            if file.path not in understood and search(file.data):
                yield from _unique(_of_text(file, search))


def _of_project(project: Project, search: Search) -> Iterator[Finding]:
    for path, texts in project.env_texts.items():
        yield from _of_env(project.env_files[path], texts, search)
    for section in (project.services, *(node.mapping for node in project.top.values())):
        for name, node in section.items():
            for key, part in _texts(name, node):
                if _in_force(part.own.encode("utf-8", "replace"), search):
                    yield _finding(key, part.place.printable())


def _texts(key: str, node: Node) -> Iterator[tuple[str, Node]]:
    """Every text below a node, with the name of what it is the value of."""
    if node.own:
        yield key, node
    for name, child in node.mapping.items():
        yield from _texts(name, child)
    for child in node.items:
        yield from _texts(key, child)


def _in_force(text: bytes, search: Search) -> bool:
    """Whether there is one in a text; one of many lines is perhaps a script or a config with comments of its own."""
    if not search(text):
        return False
    return b"\n" not in text or any(_in_line(line, search) for line in text.split(b"\n"))


def _in_line(line: bytes, search: Search) -> bool:
    """Whether there is one in a line of a file, outside of its comments."""
    if line.lstrip().startswith(_MARKS):
        return False
    code, mark, rest = line.partition(b" #")
    while mark and (code.count(b'"') % 2 or code.count(b"'") % 2) and len(code) < _MAX_LINE:
        more, mark, rest = rest.partition(b" #")
        code += b" #" + more
    return search(code)


def _of_env(env: EnvFile, texts: Mapping[str, str], search: Search) -> Iterator[Finding]:
    lines = {variable.name: variable.line for variable in env.variables}
    for name, text in texts.items():
        if search(text.encode("utf-8", "replace")):
            yield _finding(name, Place(printable(env.path), lines.get(name)))


def _of_text(file: TextFile, search: Search) -> Iterator[Finding]:
    for number, line in enumerate(file.data.split(b"\n"), 1):
        if search(line) and _in_line(line, search):
            match = _KEY.match(line)
            yield _finding(match[1].decode() if match else "", Place(printable(file.path), number))


def _unique(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Each place and name once, and not without end in one file."""
    seen: dict[str, set[object]] = {}
    for finding in findings:
        known = seen.setdefault(finding.place.file, set())
        if (finding.place, finding.subject) not in known and len(known) < MAX_IN_A_FILE:
            known.add((finding.place, finding.subject))
            yield finding


def _finding(name: str, place: Place) -> Finding:
    secret = bool(name) and secret_name(name)
    known = ", so anybody can know it" if secret else ""
    message = f"{word(name) if name else 'the line'} still holds a placeholder{known}"
    many = "{count} variables still hold placeholders" + (", which anybody can know" if secret else "") + ": {names}"
    remedy = "replace it by a long random value" if secret else "replace it by the real value"
    groups = (Group(message), Group(many))
    return Finding(
        "placeholders",
        "critical" if secret else "warning",
        printable(name) or place.file,
        place,
        message,
        remedy,
        groups,
    )
