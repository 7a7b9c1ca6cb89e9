"""What restore is."""

from remediator.model.taskfacts import Document, TaskFacts
from remediator.tasks.document import entries, words

DAY = 86400.0


def restorable(document: Document) -> list[str]:
    """Series whose sets are in a directory."""
    return words(entry.get("name") for entry in entries(document, "backups") if entry.get("path"))


RESTORE = TaskFacts(
    name="restore",
    summary="Restores a set, or a part of one, into an empty directory or a new database, checked before it is used.",
    never=(
        "what is in use: it fills a directory that is empty or not there, or a database that does not exist yet",
        "a directory that holds anything, and a database that is there",
        "anything outside that directory: nothing is written through a link that an archive holds",
        "anything at all from a set that is not complete, not as its manifest says, or of another series",
    ),
    configured=restorable,
    all_or_nothing=True,
    repeatable=True,
    plan_max_age=2 * DAY,
)
