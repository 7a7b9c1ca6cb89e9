"""a host, a caller, parameters and a parent of runs; their rows and artefacts; 64-bit numbers"""

import platform
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from alembic import context, op

# ruff: noqa: S608 - the names in these statements are those below

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# SQLite can neither widen a column, nor change a key, nor add a column that must not be empty, but by making the table
# anew; and a table that goes takes the rows with it that refer to it (findings/alembic_batch_cascade.sh). So all tables
# around `runs` are set aside, dropped from the outermost inwards, made anew and filled again, in one transaction.

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NUMBERED = ("runs", "decisions", "pauses")
IN_FLIGHT = sa.text("state != 'finished'")

COLUMNS: Mapping[str, Sequence[str]] = {
    "runs": ("id", "task", "target", "trigger", "alert_id", "dry_run", "state", "outcome", "reason", "requested_at",
             "started_at", "planned_at", "finished_at", "before", "after", "notes"),
    "actions": ("run_id", "position", "action", "state", "detail", "freed_bytes", "started_at", "finished_at"),
    "decisions": ("id", "alert_id", "at", "last_at", "repeats", "verdict", "remedy", "task", "target", "guard",
                  "reason", "run_id"),
    "pauses": ("id", "task", "reason", "since", "until"),
    "breaker_resets": ("task", "target", "at"),
}  # fmt: skip
"""What is taken over as it is, from the tables in the order in which they refer to each other."""

ADDED: Mapping[str, Mapping[str, str]] = {
    "runs": {"host": ":host", "params": "'{}'", "caller": "coalesce(remedy, '')"},
    "actions": {},
    "decisions": {"host": ":host"},
    # Nobody wrote down who paused and who closed a breaker; both were asked for through the API or the command on it.
    "pauses": {"host": ":host", "trigger": "'api'", "caller": "''"},
    "breaker_resets": {"host": ":host", "trigger": "'api'", "caller": "''"},
}


def upgrade() -> None:
    host = context.config.attributes.get("host") or platform.node() or "host"
    bind = op.get_bind()
    last = {table: _last_id(bind, table) for table in NUMBERED}
    for table in COLUMNS:
        op.execute(f"CREATE TABLE {table}_0002 AS SELECT * FROM {table}")
    for table in reversed(list(COLUMNS)):
        op.drop_table(table)
    if bind.dialect.name == "postgresql":
        op.execute("ALTER TABLE alerts ALTER COLUMN id TYPE BIGINT")
        op.execute("ALTER SEQUENCE alerts_id_seq AS BIGINT")
    _create()
    for table, columns in COLUMNS.items():
        into = ", ".join(_quoted(bind, [*columns, *ADDED[table]]))
        values = ", ".join([*_quoted(bind, columns), *ADDED[table].values()])
        copy = sa.text(f"INSERT INTO {table} ({into}) SELECT {values} FROM {table}_0002 ORDER BY 1")
        bind.execute(copy, {"host": host} if "host" in ADDED[table] else {})
        op.drop_table(f"{table}_0002")
    for table, number in last.items():
        _number_on(bind, table, number)


def _quoted(bind: sa.Connection, names: Sequence[str]) -> list[str]:
    return [bind.dialect.identifier_preparer.quote(name) for name in names]


def _last_id(bind: sa.Connection, table: str) -> int:
    """The highest number that a row of the table has ever had: the engine knows runs by it, so none comes twice."""
    if bind.dialect.name == "postgresql":
        query = f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table}_id_seq"
    else:
        query = f"SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = '{table}'"
    return int(bind.execute(sa.text(query)).scalar_one())


def _number_on(bind: sa.Connection, table: str, last: int) -> None:
    if not last:
        return
    if bind.dialect.name == "postgresql":
        bind.execute(sa.text(f"SELECT setval('{table}_id_seq', {last})"))
        return
    bind.execute(sa.text(f"DELETE FROM sqlite_sequence WHERE name = '{table}'"))
    bind.execute(sa.text(f"INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', {last})"))


def _create() -> None:
    op.create_table(
        "runs",
        sa.Column("id", BIG, nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("task", sa.String(63), nullable=False),
        sa.Column("target", sa.String(255), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("trigger", sa.String(16), nullable=False),
        sa.Column("caller", sa.String(255), nullable=False),
        sa.Column("parent_id", BIG),
        sa.Column("alert_id", BIG),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float()),
        sa.Column("planned_at", sa.Float()),
        sa.Column("finished_at", sa.Float()),
        sa.Column("before", sa.JSON(none_as_null=True)),
        sa.Column("after", sa.JSON(none_as_null=True)),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["runs.id"], name="fk_runs_parent_id", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_runs_alert_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_runs_alert_id", "runs", ["alert_id"])
    op.create_index("ix_runs_parent_id", "runs", ["parent_id"])
    op.create_index("ix_runs_finished_at", "runs", ["finished_at"])
    op.create_index("ix_runs_host_task_target", "runs", ["host", "task", "target", "finished_at"])
    op.create_index("uq_runs_in_flight", "runs", ["host", "task", "target"], unique=True,
                    sqlite_where=IN_FLIGHT, postgresql_where=IN_FLIGHT)  # fmt: skip
    op.create_table(
        "actions",
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("action", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("freed_bytes", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.Float()),
        sa.Column("finished_at", sa.Float()),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_actions_run_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "position", name="pk_actions"),
    )
    op.create_table(
        "run_rows",
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("cells", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_run_rows_run_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "position", name="pk_run_rows"),
    )
    op.create_table(
        "artefacts",
        sa.Column("id", BIG, nullable=False),
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(127), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_artefacts_run_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_artefacts"),
        sa.UniqueConstraint("run_id", "name", name="uq_artefacts_run_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "decisions",
        sa.Column("id", BIG, nullable=False),
        sa.Column("alert_id", BIG, nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("last_at", sa.Float(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("remedy", sa.String(63)),
        sa.Column("task", sa.String(63)),
        sa.Column("target", sa.String(255)),
        sa.Column("guard", sa.String(32)),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("run_id", BIG),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_decisions_alert_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_decisions_run_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sqlite_autoincrement=True,
    )
    for column in ("alert_id", "run_id"):
        op.create_index(f"ix_decisions_{column}", "decisions", [column])
    op.create_table(
        "pauses",
        sa.Column("id", BIG, nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("task", sa.String(63)),
        sa.Column("trigger", sa.String(16), nullable=False),
        sa.Column("caller", sa.String(255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("until", sa.Float()),
        sa.PrimaryKeyConstraint("id", name="pk_pauses"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "breaker_resets",
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("task", sa.String(63), nullable=False),
        sa.Column("target", sa.String(255), nullable=False),
        sa.Column("trigger", sa.String(16), nullable=False),
        sa.Column("caller", sa.String(255), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("host", "task", "target", name="pk_breaker_resets"),
    )


def downgrade() -> None:
    raise NotImplementedError("what only the newer tables hold would be lost; put back a copy of the state instead")
