"""Random trees: whatever is in them, a run keeps its promises. Seeded, so each failure comes again."""

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.tasks.logdir import DAY, KIB, deleted_by, lines, names, numbered, run, snapshot, task

NOW = 1_760_000_000.0
SUFFIXES = ("", ".1", ".2", "-20250901", "-20250901-101112", "-20251001-000000", "-20251001-000000-1", ".2025-09-30")
STEMS = ("app.log", "db.log", "keep.log", "notes.txt", ".hidden.log", "caf\udce9.log", "a b.log")


class Tree:
    """A random log directory with random rules."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.random = random.Random(seed)
        self._next = 0
        for folder in ("", "sub", "sub/deeper"):
            (root / folder).mkdir(exist_ok=True)
            for stem in STEMS:
                self._family(root / folder, stem)
        self.settings = {
            "exclude": ["keep*"],
            "recursive": self.random.random() < 0.7,
            "max_bytes": self.random.choice([1, 300 * KIB, 10**9]),
            "rotation": {
                "max_file_bytes": self.random.choice([1, 8 * KIB, 10**9]),
                "max_file_age": self.random.choice([None, "1h", "90d"]),
                "method": self.random.choice(["auto", "rename", "copytruncate"]),
                "compress": self.random.random() < 0.8,
                "keep_count": self.random.choice([0, 1, 3, 14]),
                "keep_age": self.random.choice(["1d", "30d", "9999d"]),
            },
        }

    def _family(self, folder: Path, stem: str) -> None:
        for suffix in SUFFIXES:
            if self.random.random() < 0.5:
                continue
            path = folder / f"{stem}{suffix}"
            shape = self.random.random()
            if shape < 0.05:
                path.symlink_to("/etc/hostname")
                continue
            count = self.random.choice([0, 3, 100, 400])
            path.write_bytes(numbered(self._next, count))
            self._next += count
            if shape < 0.1:
                os.link(path, self.root.parent / f"linked{self._next}-{len(names(self.root.parent))}")
            mtime = NOW - self.random.uniform(0, 60 * DAY)
            os.utime(path, (mtime, mtime))

    def protected(self) -> list[Path]:
        """What no run may touch: links, hard-linked files, what the patterns leave out."""
        paths = [path for path in self.root.rglob("*") if path.is_symlink() or path.is_file()]
        return [path for path in paths if path.is_symlink() or path.stat().st_nlink > 1 or self._left_out(path)]

    def _left_out(self, path: Path) -> bool:
        below = path.parent != self.root and not self.settings["recursive"]
        return below or path.name.startswith(("keep", "notes", ".hidden"))


@pytest.mark.parametrize("seed", range(25))
async def test_a_run_keeps_its_promises(tmp_path: Path, seed: int) -> None:
    root = tmp_path / "logs"
    root.mkdir()
    tree = Tree(root, seed)
    protected = [str(path) for path in tree.protected()]
    before = lines(root)
    rotation = task(root, at=NOW, **tree.settings)

    untouched = snapshot(root)
    plan = await rotation.plan("logs")
    assert snapshot(root) == untouched

    doomed: Counter[bytes] = Counter()
    for action in plan.actions:
        for path in deleted_by(action):
            doomed.update((root / path).read_bytes().splitlines())
    results = await run(rotation)

    assert all(effect.state in ("done", "skipped") for _, effect in results)
    after = lines(root)
    assert before - after <= doomed, "a line is gone that no deletion accounts for"
    assert after - before == Counter(), "a line is there twice"
    left = snapshot(root)
    assert {path: left[path] for path in protected} == {path: untouched[path] for path in protected}
    assert not [name for _, _, files in os.walk(root) for name in files if name.endswith(".upkeeper-tmp")]

    # What is left is within the rules, but for what the run itself rotated.
    again = await rotation.plan("logs")
    assert not [action for action in again.actions if action.kind in ("rotate", "compress")]
