"""Search: whatever is in a directory, not one byte of a log is lost and nothing outside the plan is touched.

Each tree is made from its seed, so a failure comes again. UPKEEPER_SEARCH_TREES=2000 is the long form.
"""

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from remediator.files.folder import decode_path
from remediator.model.task import Action, TaskError
from tests.helpers import rounds
from tests.remediator.tasks.log_rotation.log_tree import NOW, Entry, Tree, entries, text
from tests.remediator.tasks.log_rotation.logdir import DAY, deleted_by, task

pytestmark = [pytest.mark.slow, pytest.mark.torture]

TREES = rounds("SEARCH_TREES", 60, 2000)
_ROTATED = re.compile(
    r"(.+)(?:\.\d{1,5}|-\d{8}(?:\d\d)?(?:-\d{6,10})?(?:-\d{1,4})?|\.\d{4}-\d\d-\d\d(?:_[\d-]+)?)(?:\.\w+)?", re.S
)
"""Looser than what it tests: any base that a name may have."""


def paths_of(root: Path, actions: list[Action]) -> set[Path]:
    """What actions say that they do something with."""
    found = {root / path for action in actions for path in deleted_by(action)}
    return found | {root / decode_path(str(action.params["path"])) for action in actions if "path" in action.params}


def assert_rotated(root: Path, path: Path, before: dict[Path, Entry]) -> None:
    """That a file that is to be deleted is no log: by its name, by the log beside it, and by no link to it."""
    if path.name.endswith(".upkeeper-tmp"):
        return
    match = _ROTATED.fullmatch(path.name)
    assert match, f"{path.name} is no rotated file's name"
    bases = {path.name[:end] for end in range(1, len(path.name)) if path.name[end] in ".-"}
    beside = [before[path.with_name(base)] for base in bases if path.with_name(base) in before]
    assert any(entry.is_file for entry in beside), f"no log beside {path.name} proves that it is a rotated file"
    leading = [link for link, entry in before.items() if isinstance(entry.data, str) and link.is_relative_to(root)]
    assert not any(os.path.realpath(link) == str(path) for link in leading), f"a link leads to {path.name}"
    assert before[path].facts[4] == 1, f"{path.name} has other names"


def assert_old(path: Path, action: Action, entry: Entry, keep_age: str) -> None:
    """That what goes by its age was not written to within that time, unless that time cannot be."""
    written = entry.facts[6] / 1e9
    if "over keep_age" in action.reason and 946_771_200 < written < NOW + DAY:
        assert NOW - written > float(keep_age.rstrip("d")) * DAY, f"{path.name} is not old enough to be deleted"


@pytest.mark.parametrize("seed", range(TREES))
async def test_not_one_byte_of_a_log_is_lost_and_nothing_else_is_touched(tmp_path: Path, seed: int) -> None:
    tree = Tree(tmp_path, seed)
    try:
        before = dict(entries(tmp_path))
        # Two targets over the same directory, one after the other or step by step in turns.
        targets = [tree.settings() for _ in range(tree.random.choice([1, 1, 2]))]
        runs = [task(tree.logs, at=NOW, **settings) for settings in targets]
        plans = [list((await run.plan("logs")).actions) for run in runs]
        assert dict(entries(tmp_path)) == before, "a plan changed something"

        doomed: Counter[bytes] = Counter()
        planned = [action for plan in plans for action in plan]
        for settings, plan in zip(targets, plans, strict=True):
            for action in plan:
                for path in (tree.logs / name for name in deleted_by(action)):
                    assert_rotated(tree.logs, path, before)
                    assert_old(path, action, before[path], settings["rotation"]["keep_age"])
                    doomed |= text(path, before[path].data)  # type: ignore[arg-type]
        lost_before = lines_of(before)

        failures: list[str] = []
        queue = [(run, action) for run, plan in zip(runs, plans, strict=True) for action in plan]
        in_order = tree.random.random() >= 0.5
        if not in_order:
            queue.sort(key=lambda _: tree.random.random())
        for run, action in queue:
            if tree.random.random() < 0.5:
                tree.write()
            try:
                await run.apply("logs", action)
            except TaskError as error:
                failures.append(str(error))
        tree.write()
        assert [failure for failure in failures if "File name too long" not in failure] == []

        after = dict(entries(tmp_path))
        found, expected = lines_of(after), lost_before + tree.written
        assert expected - found <= doomed, "a line is gone that no deletion accounts for"
        assert found - expected == Counter(), "a line is there twice"
        assert_untouched(tree, before, after, paths_of(tree.logs, planned))
        if len(runs) == 1 and in_order and not tree.written and not failures:
            # What is left is within the rules, but for what the run itself rotated. Out of order nothing is lost, but a
            # file cannot be compressed before the rotation that makes it, and is left for the next run.
            again = await runs[0].plan("logs")
            assert not [action for action in again.actions if action.kind in ("rotate", "compress")]
    finally:
        tree.close()


def lines_of(found: dict[Path, Entry]) -> "Counter[bytes]":
    """Every line of every file, each file once whatever names it has."""
    files = {entry.facts[0]: (path, entry.data) for path, entry in found.items() if entry.is_file}
    total: Counter[bytes] = Counter()
    for path, data in files.values():
        assert isinstance(data, bytes)
        total += text(path, data)
    return total


def assert_untouched(tree: Tree, before: dict[Path, Entry], after: dict[Path, Entry], planned: set[Path]) -> None:
    """That all but what the plans name is as it was, and that what is new is like the log that it comes from."""
    held = {path for path, _ in tree._held}
    twins = {entry.facts[0] for path, entry in before.items() if path in held}
    for path, entry in before.items():
        if path in planned or path in held or entry.facts[0] in twins:
            continue
        if path.is_dir() and not path.is_symlink():
            assert path in after
            assert after[path].facts[:4] == entry.facts[:4], f"{path} changed"
        else:
            assert after.get(path) == entry, f"{path} changed, and no plan names it"
    for path in after.keys() - before.keys():
        assert not path.name.endswith(".upkeeper-tmp")
        origins = [log for log in planned if path.name.startswith(f"{log.name}") and log.parent == path.parent]
        assert any(after[path].facts[1:4] == before[log].facts[1:4] for log in origins if log in before), path
