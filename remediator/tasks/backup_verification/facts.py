"""What backup-verification is."""

from collections.abc import Mapping

from remediator.model.taskfacts import Document, TaskFacts
from remediator.tasks.document import entries, words

DAY = 86400.0


def _can(entry: Mapping[str, object]) -> bool:
    """Of a repository only where its sets are made there."""
    if entry.get("path"):
        return bool(entry.get("make") or entry.get("max_verify_age"))
    return bool(entry.get("restic") and entry.get("make"))


def _verifiable(document: Document) -> list[str]:
    series = entries(document, "backups")
    asked = [entry for entry in series if _can(entry)]
    return words(entry.get("name") for entry in asked)


BACKUP_VERIFICATION = TaskFacts(
    name="backup-verification",
    summary="Reads sets of a series to their last byte, and notes beside each what that has shown.",
    never=("the files of a set: they are read; what was shown is a file of its own beside them",),
    configured=_verifiable,
    unattended="auto",
    all_or_nothing=True,
    repeatable=True,
    plan_max_age=2 * DAY,
)
