"""What was written for a system's own manager, and what is to be done next."""

from collections.abc import Mapping, Sequence

from upkeeper.install.files import Outcome
from upkeeper.screens.cells import Cell, Column
from upkeeper.screens.screen import Screen

_WORDS: Mapping[str, str] = {
    "new": "written",
    "changed": "replaced, as nobody had changed it",
    "same": "is so already",
    "kept": "kept: it was changed by somebody, or is not ours",
    "removed": "removed",
    "absent": "is not there",
}
_START = (
    "systemd-sysusers",
    "systemd-tmpfiles --create upkeeper.conf",
    "systemctl daemon-reload",
    "systemctl enable --now upkeeper-exporter upkeeper-remediator",
)


def show_installed(screen: Screen, done: Sequence[Outcome], *, dry_run: bool, here: bool, packages: bool) -> None:
    """One line a file, and the commands that start the services."""
    _show(screen, done, dry_run, _START if here and not dry_run else ())
    if screen.as_json or dry_run:
        return
    if not packages:
        screen.note("the remediator may not change packages of the host; --packages lets it")
    screen.note("the exporter may not ask Docker, which is as good as root; docs/how-to/systemd.md says how it may")


def show_removed(screen: Screen, done: Sequence[Outcome], *, dry_run: bool, here: bool) -> None:
    """One line a file."""
    removed = any(each.state == "removed" for each in done)
    _show(screen, done, dry_run, ("systemctl daemon-reload",) if here and removed and not dry_run else ())


def _show(screen: Screen, done: Sequence[Outcome], dry_run: bool, following: Sequence[str]) -> None:
    screen.document(
        {
            "dry_run": dry_run,
            "files": [{"path": each.path, "state": each.state} for each in done],
            "next": list(following),
        }
    )
    rows = [[Cell(each.path), _word(each, dry_run)] for each in done]
    screen.table([Column("file"), Column("would be" if dry_run else "is")], rows)
    for command in following:
        screen.line(f"next: {command}")


def _word(outcome: Outcome, dry_run: bool) -> Cell:
    return Cell(_WORDS[outcome.state], "yellow" if outcome.state == "kept" and not dry_run else "")
