"""What sqlite-shrink is."""

from remediator.model.taskfacts import TaskFacts
from remediator.tasks.document import names

SQLITE_SHRINK = TaskFacts(
    name="sqlite-shrink",
    summary="Gives back the space that a SQLite database holds for nothing, by a checked copy that takes its place.",
    never=(
        "a database that somebody still has open, whoever that is",
        "the database itself: it is copied, and gives its place up only to a copy that was found to be whole",
        "anything where there is no room for the copy",
        "containers other than those of `stop:` or those that have the file mounted, and those that a person stopped",
    ),
    configured=lambda document: names(document, "sqlite"),
    disruption="outage",
)
