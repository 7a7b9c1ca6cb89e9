"""What postgres-maintenance has found, as rows."""

from remediator.model.task import Row
from remediator.tasks.postgres_maintenance.choose import Need
from remediator.tasks.postgres_maintenance.indexes import Chosen


class MaintenanceRow(Row):
    """A table or index that needs maintenance. Times are Unix seconds; None is not known, or never."""

    database: str
    object: str
    does: str
    """``freeze``, ``vacuum``, ``analyze``, ``reindex`` or ``drop-index``."""
    reason: str
    bytes: int
    live: int | None = None
    dead: int | None = None
    xid_age: int | None = None
    multixact_age: int | None = None
    last_vacuum: float | None = None
    last_analyze: float | None = None


def table_row(need: Need) -> MaintenanceRow:
    table = need.table
    return MaintenanceRow(
        database=need.dbname,
        object=table.label,
        does=need.kind,
        reason=need.reason,
        bytes=table.bytes,
        live=table.live,
        dead=table.dead,
        xid_age=table.xid_age,
        multixact_age=table.multixact_age,
        last_vacuum=table.last_vacuum,
        last_analyze=table.last_analyze,
    )


def index_row(chosen: Chosen) -> MaintenanceRow:
    index = chosen.index
    return MaintenanceRow(
        database=chosen.dbname, object=index.label, does=chosen.kind, reason=chosen.reason, bytes=index.bytes
    )
