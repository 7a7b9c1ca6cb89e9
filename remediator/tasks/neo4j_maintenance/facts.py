"""What the tasks for Neo4j are."""

from remediator.model.taskfacts import Document, TaskFacts
from remediator.tasks.document import names


def _servers(document: Document) -> list[str]:
    return names(document, "neo4j")


NEO4J_MAINTENANCE = TaskFacts(
    name="neo4j-maintenance",
    summary="Samples outdated indexes anew, waits for those being built, has queries planned anew, warms the cache up.",
    never=(
        "nodes, relationships, properties, indexes and constraints: nothing is written",
        "the server and its databases are never stopped or started",
        "databases that `databases:` leaves out, and those that are not online",
    ),
    configured=_servers,
)

NEO4J_INDEX_REBUILD = TaskFacts(
    name="neo4j-index-rebuild",
    summary="Drops indexes that have failed and creates them again exactly as they were.",
    never=(
        "an index that has not failed",
        "an index that belongs to a constraint: that would be gone meanwhile",
        "an index without the other: it is dropped and created in one transaction",
        "databases that `databases:` leaves out, and those that are not online",
    ),
    configured=_servers,
    always_approve=True,
)
