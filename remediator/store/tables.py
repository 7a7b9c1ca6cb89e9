"""The tables. Times are Unix seconds; what only people and the API read is JSON."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("fingerprint", String(16), nullable=False),
    Column("starts_at", Float, nullable=False),
    Column("ends_at", Float),
    Column("status", String(8), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("generator_url", Text, nullable=False),
    Column("first_received_at", Float, nullable=False),
    Column("last_received_at", Float, nullable=False),
    Column("receptions", Integer, nullable=False),
    Column("decided_receptions", Integer, nullable=False),
    Column("due_at", Float),
    UniqueConstraint("fingerprint", "starts_at"),
    sqlite_autoincrement=True,
)
"""One row an episode. It waits for a decision while ``decided_receptions`` < ``receptions``.

due_at: when it is to be looked at again in any case; null when only an event brings that, and once it has ended.
"""

Index("ix_alerts_undecided", alerts.c.id, sqlite_where=text("decided_receptions < receptions"),
      postgresql_where=text("decided_receptions < receptions"))  # fmt: skip

Index("ix_alerts_due", alerts.c.due_at, sqlite_where=text("due_at IS NOT NULL"),
      postgresql_where=text("due_at IS NOT NULL"))  # fmt: skip

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("task", String(63), nullable=False),
    Column("target", String(255), nullable=False),
    Column("trigger", String(8), nullable=False),
    Column("remedy", String(63)),
    Column("alert_id", Integer, ForeignKey("alerts.id", ondelete="SET NULL")),
    Column("dry_run", Boolean, nullable=False),
    Column("state", String(9), nullable=False),
    Column("outcome", String(13)),
    Column("reason", Text, nullable=False, server_default=""),
    Column("requested_at", Float, nullable=False),
    Column("started_at", Float),
    Column("planned_at", Float),
    Column("finished_at", Float),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Column("notes", JSON, nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_runs_alert_id", runs.c.alert_id)
Index("ix_runs_task_target", runs.c.task, runs.c.target, runs.c.finished_at)
Index("uq_runs_in_flight", runs.c.task, runs.c.target, unique=True, sqlite_where=text("state != 'finished'"),
      postgresql_where=text("state != 'finished'"))  # fmt: skip
"""The database itself holds that no two runs of a task on one target are in flight."""

actions = Table(
    "actions",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("action", JSON, nullable=False),
    Column("state", String(8), nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("freed_bytes", Integer, nullable=False, server_default="0"),
    Column("started_at", Float),
    Column("finished_at", Float),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("alert_id", Integer, ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    Column("at", Float, nullable=False),
    Column("last_at", Float, nullable=False),
    Column("repeats", Integer, nullable=False),
    Column("verdict", String(9), nullable=False),
    Column("remedy", String(63)),
    Column("task", String(63)),
    Column("target", String(255)),
    Column("guard", String(16)),
    Column("reason", Text, nullable=False),
    Column("run_id", Integer, ForeignKey("runs.id", ondelete="SET NULL")),
    Index(None, "alert_id"),
    sqlite_autoincrement=True,
)

pauses = Table(
    "pauses",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("task", String(63)),
    Column("reason", Text, nullable=False),
    Column("since", Float, nullable=False),
    Column("until", Float),
    sqlite_autoincrement=True,
)
"""Pauses in force or lapsed. A null task pauses everything; resuming deletes the row."""

breaker_resets = Table(
    "breaker_resets",
    metadata,
    Column("task", String(63), primary_key=True),
    Column("target", String(255), primary_key=True),
    Column("at", Float, nullable=False),
)
"""When a breaker was last closed by hand. Whether it is open follows from the runs since."""
