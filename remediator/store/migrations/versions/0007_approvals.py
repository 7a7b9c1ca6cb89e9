"""requests for approval, which process works on a run, its estimate, and how much a remedy may do"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ASKED = sa.text("state = 'asked'")


def upgrade() -> None:
    op.add_column("runs", sa.Column("attempt", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("runs", sa.Column("at_work", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("runs", sa.Column("deaths", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("runs", sa.Column("estimated_bytes", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.create_table(
        "levels",
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("remedy", sa.String(63), nullable=False),
        sa.Column("configured", sa.String(8), nullable=False),
        sa.Column("level", sa.String(8)),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("trigger", sa.String(16)),
        sa.Column("caller", sa.String(255)),
        sa.PrimaryKeyConstraint("host", "remedy", name="pk_levels"),
    )
    op.create_table(
        "approvals",
        sa.Column("id", BIG, nullable=False),
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("plan_hash", sa.String(64), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("decided_at", sa.Float()),
        sa.Column("trigger", sa.String(16)),
        sa.Column("caller", sa.String(255)),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_approvals_run_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_approvals"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_approvals_run_id", "approvals", ["run_id"])
    op.create_index(
        "uq_approvals_asked", "approvals", ["run_id"], unique=True, sqlite_where=ASKED, postgresql_where=ASKED
    )


def downgrade() -> None:
    raise NotImplementedError("what only the newer tables hold would be lost; put back a copy of the state instead")
