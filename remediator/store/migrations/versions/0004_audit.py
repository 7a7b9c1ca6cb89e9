"""the audit: a chain of records that is only added to"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OF_A_RUN = sa.text("run_id IS NOT NULL")

FORBIDDEN = {
    "update of a record": ("audit", "UPDATE", "", "audit records are not changed"),
    "deletion of a record": (
        "audit",
        "DELETE",
        "OLD.number > coalesce((SELECT deleted FROM audit_heads WHERE host = OLD.host), 0)",
        "audit records are deleted only as far as a record of it says (audit_heads.deleted)",
    ),
    "move of a head": (
        "audit_heads",
        "UPDATE",
        "NEW.host <> OLD.host OR NEW.number < OLD.number OR NEW.deleted < OLD.deleted OR NEW.deleted > NEW.number",
        "the head of an audit chain only goes forward",
    ),
    "deletion of a head": ("audit_heads", "DELETE", "", "the head of an audit chain is not deleted"),
}
"""What the database itself refuses, whoever asks: table, statement, when, and what it says."""


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", BIG, nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("trigger", sa.String(16), nullable=False),
        sa.Column("caller", sa.String(255), nullable=False),
        sa.Column("run_id", sa.BigInteger()),
        sa.Column("alert_id", sa.BigInteger()),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sa.UniqueConstraint("host", "number", name="uq_audit_host_number"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_run_id", "audit", ["run_id"], sqlite_where=OF_A_RUN, postgresql_where=OF_A_RUN)
    op.create_table(
        "audit_heads",
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=False),
        sa.Column("deleted_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("host", name="pk_audit_heads"),
    )
    for number, (table, statement, when, message) in enumerate(FORBIDDEN.values(), 1):
        for each in _forbid(f"{table}_forbidden_{number}", table, statement, when, message):
            op.execute(each)
    if op.get_bind().dialect.name == "postgresql":
        for table in ("audit", "audit_heads"):
            op.execute(
                f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} EXECUTE FUNCTION audit_forbidden_1()"
            )


def _forbid(name: str, table: str, statement: str, when: str, message: str) -> list[str]:
    """A trigger, whose name also tells its function on PostgreSQL, where a condition cannot ask other tables."""
    if op.get_bind().dialect.name != "postgresql":
        only = f" WHEN {when}" if when else ""
        return [f"CREATE TRIGGER {name} BEFORE {statement} ON {table}{only}"
                f" BEGIN SELECT RAISE(ABORT, '{message}'); END"]  # fmt: skip
    allowed = "OLD" if statement == "DELETE" else "NEW"
    refuse = f"RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation';"
    body = f"IF {when} THEN {refuse} END IF; RETURN {allowed};" if when else refuse
    return [
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
        f"CREATE TRIGGER {name} BEFORE {statement} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]


def downgrade() -> None:
    raise NotImplementedError("the audit would be lost; put back a copy of the state instead")
