"""What postgres-collation-refresh and postgres-extension-update are."""

from remediator.model.taskfacts import TaskFacts
from remediator.tasks.document import names

POSTGRES_COLLATION_REFRESH = TaskFacts(
    name="postgres-collation-refresh",
    summary="Rebuilds the indexes whose collation has another version now, and only then records that version.",
    never=(
        "a version is never recorded before each index that depends on the collation was rebuilt with it",
        "indexes that depend on no collation of another version",
        "a lock that somebody waits for longer than lock_timeout: it gives way",
        "an index is never rebuilt where the space for the new one is not known to be there",
        "rows: duplicates that another order lets through, and rows in the wrong partition, are only named",
        "databases in exclude_databases, and standbys",
    ),
    configured=lambda document: names(document, "postgres"),
)

POSTGRES_EXTENSION_UPDATE = TaskFacts(
    name="postgres-extension-update",
    summary="Updates extensions of databases to the version of the files that the server has.",
    never=(
        "an extension to which its files know no way, as after a step back to an older image",
        "extensions that the role does not own",
        "a lock that somebody waits for longer than lock_timeout: it gives way",
        "databases in exclude_databases, and standbys",
    ),
    configured=lambda document: names(document, "postgres"),
)
