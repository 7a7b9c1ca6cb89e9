"""What disaster-recovery-test is."""

from remediator.model.taskfacts import Document, TaskFacts
from remediator.tasks.document import entries, words

DAY = 86400.0


def _drilled(document: Document) -> list[str]:
    return words(entry.get("name") for entry in entries(document, "backups") if entry.get("drill"))


DISASTER_RECOVERY_TEST = TaskFacts(
    name="disaster-recovery-test",
    summary="Restores a set into a sandbox, starts its services there, and has each prove that it can use its data.",
    never=(
        "what runs: all of it is made anew, in a network that reaches nothing else, and removed at the end",
        "the world outside: no packet leaves the sandbox, and no image is pulled",
        "the files of a set: they are read; what was shown is a file of its own beside them",
    ),
    configured=_drilled,
    unattended="auto",
    all_or_nothing=True,
    repeatable=True,
    plan_max_age=2 * DAY,
)
