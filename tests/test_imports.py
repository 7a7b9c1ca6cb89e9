"""Imports run one way: upkeeper -> remediator -> exporter, and inside each without a circle, of folders too."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ("exporter", "remediator", "upkeeper")
"""Each may import those before it."""


def modules() -> Mapping[str, Path]:
    found = [path for program in PROGRAMS for path in (ROOT / program).rglob("*.py") if "versions" not in path.parts]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in found}


def imported(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules of ours that a file imports anywhere, also inside functions and for type checkers."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in known:
                    yield whole
                elif node.module in known:
                    yield node.module


@pytest.fixture(scope="module")
def arrows() -> Mapping[str, set[str]]:
    known = modules()
    return {name: set(imported(path, known)) - {name} for name, path in known.items()}


def test_no_program_imports_one_that_is_built_on_it(arrows: Mapping[str, set[str]]) -> None:
    order = {program: number for number, program in enumerate(PROGRAMS)}
    wrong = [
        f"{name} imports {other}"
        for name, others in arrows.items()
        for other in others
        if order[other.partition(".")[0]] > order[name.partition(".")[0]]
    ]
    assert wrong == []


def circle(arrows: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_files_import_each_other(arrows: Mapping[str, set[str]]) -> None:
    assert circle(arrows) == []


def test_no_folders_import_each_other(arrows: Mapping[str, set[str]]) -> None:
    """The folders right below a program; a file there stands for itself."""
    known = modules()

    def room(name: str) -> str:
        parts = name.split(".")
        return ".".join(parts[:2]) if len(parts) > 2 or known[name].name == "__init__.py" else name

    rooms: dict[str, set[str]] = {}
    for name, others in arrows.items():
        rooms.setdefault(room(name), set()).update(room(other) for other in others)
    for name, others in rooms.items():
        others.discard(name)
    assert circle(rooms) == []
