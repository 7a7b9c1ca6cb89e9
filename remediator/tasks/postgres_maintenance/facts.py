"""What postgres-maintenance is."""

from remediator.model.taskfacts import TaskFacts
from remediator.tasks.document import names

POSTGRES_MAINTENANCE = TaskFacts(
    name="postgres-maintenance",
    summary="Vacuums and analyzes the tables that need it, worst first, and mends broken and bloated indexes.",
    never=(
        "VACUUM FULL, CLUSTER, or anything else that keeps others from a table",
        "a table that autovacuum or somebody else is working on",
        "a lock that somebody waits for longer than lock_timeout: it gives way",
        "an index is never dropped, unless a failed rebuild left it, and it is invalid or a duplicate",
        "an index is never rebuilt where the space for the new one is not known to be there",
        "databases in exclude_databases, standbys, and tables that the role may not maintain",
        "sessions, replication slots and prepared transactions of others: what is in the way is only named",
    ),
    configured=lambda document: names(document, "postgres"),
)
