"""What log-rotation is."""

from remediator.model.taskfacts import TaskFacts
from remediator.tasks.document import names

LOG_ROTATION = TaskFacts(
    name="log-rotation",
    summary="Rotates logs by size and by age, compresses them, and deletes rotated ones by age, count and space.",
    never=(
        "a log that has not been rotated is never deleted, nor what is only named like a rotated file",
        "the newest rotated file of a log is never deleted to free space",
        "files that `include:` does not match or that `exclude:` matches",
        "files within their limits of size and age",
        "symbolic links and what they lead to, files with other hard links, other mounts",
        "files that changed since the plan, and rotated files that a process still writes to",
    ),
    configured=lambda document: names(document, "logs"),
    unattended="auto",
)
