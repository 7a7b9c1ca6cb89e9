"""What restore-in-place is."""

from remediator.model.taskfacts import Document, TaskFacts
from remediator.tasks.document import entries, words

DAY = 86400.0


def _made(document: Document) -> list[str]:
    return words(entry.get("name") for entry in entries(document, "backups") if entry.get("make") and entry.get("path"))


RESTORE_IN_PLACE = TaskFacts(
    name="restore-in-place",
    summary="Replaces what is there by a set, or a part of one, after a copy of what is there was made.",
    never=(
        "anything at all before the whole of what is asked for was compared with its manifest and lies ready",
        "what is there before a copy of it was made, unless `without_copy` says so",
        "anything by itself: a person approves each plan",
        "containers that do not use what is replaced, and those that a person has stopped",
        "the database that is replaced: it is renamed, and stays until a person drops it",
    ),
    configured=_made,
    disruption="outage",
    always_approve=True,
    all_or_nothing=True,
    repeatable=True,
    plan_max_age=2 * DAY,
)
