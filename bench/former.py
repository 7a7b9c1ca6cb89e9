"""The build that others are compared with: a worktree of its commit, run by the same Python and libraries."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.report import Skipped

COMMIT = "d86ce07"
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Build:
    """How to call a build's `upkeeper`."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    """Added to our own environment."""


OURS = Build("upkeeper", (sys.executable, "-m", "upkeeper.main"), {})


@contextmanager
def former_build(directory: Path) -> Iterator[Build]:
    """The former build, checked out below ``directory`` and removed again. Raises Skipped where git has it not."""
    tree = directory / "former"
    added = _git("worktree", "add", "--detach", str(tree), COMMIT)
    if added.returncode != 0:
        raise Skipped(f"the build of {COMMIT} is not in this clone: {added.stderr.strip()}")
    try:
        yield Build(COMMIT, (sys.executable, "-P", "-m", "remediator.cli"), {"PYTHONPATH": str(tree)})
    finally:
        _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
