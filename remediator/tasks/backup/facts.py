"""What backup is."""

from remediator.model.taskfacts import Document, TaskFacts
from remediator.tasks.document import entries, words

DAY = 86400.0


def _made(document: Document) -> list[str]:
    return words(entry.get("name") for entry in entries(document, "backups") if entry.get("make") is not None)


BACKUP = TaskFacts(
    name="backup",
    summary="Makes a set of a series: databases, volumes and files, with checksums and what to compare a restore with.",
    never=(
        "sets that are there, whole or not, but for what an earlier run of this series left unfinished",
        "what is backed up: it is read, and databases are copied through their own programs",
        "anything outside the series' path",
    ),
    configured=_made,
    unattended="auto",
    all_or_nothing=True,
    repeatable=True,
    plan_max_age=2 * DAY,
)
