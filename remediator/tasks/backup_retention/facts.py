"""What backup-retention is."""

from remediator.model.taskfacts import Document, TaskFacts
from remediator.tasks.document import entries, words


def _kept(document: Document) -> list[str]:
    series = entries(document, "backups")
    return words(entry.get("name") for entry in series if entry.get("keep") and entry.get("path"))


BACKUP_RETENTION = TaskFacts(
    name="backup-retention",
    summary="Deletes the sets of a series that no rule of its `keep:` keeps, as long as newer ones are proven.",
    never=(
        "the newest proven set, and whatever is newer than it",
        "a set that a rule of `keep:` keeps, counted among all sets or among the proven ones",
        "anything while the newest set is overdue, too small, or of no set is proven that it can be read",
        "anything while a date lies in the future, the clock jumped, or sets that were there are gone",
        "sets that are being written or are not complete, and files that are no set",
        "series without `keep:`, and restic repositories",
    ),
    configured=_kept,
)
