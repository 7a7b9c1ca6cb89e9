"""the schedule: its jobs, and what became of their due times"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("state IN ('waiting', 'running')")


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("task", sa.String(63), nullable=False),
        sa.Column("target", sa.String(255)),
        sa.Column("at", sa.String(255), nullable=False),
        sa.Column("timezone", sa.String(255), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("handled_until", sa.Float(), nullable=False),
        sa.Column("done_until", sa.Float(), nullable=False),
        sa.Column("missed", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.Float()),
        sa.Column("last_due_at", sa.Float()),
        sa.Column("last_run_at", sa.Float()),
        sa.Column("last_outcome", sa.String(16)),
        sa.Column("last_success_at", sa.Float()),
        sa.PrimaryKeyConstraint("host", "name", name="pk_jobs"),
    )
    op.create_table(
        "due_times",
        sa.Column("id", BIG, nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("job", sa.String(63), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("first_due_at", sa.Float(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.Float(), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("retry_at", sa.Float()),
        sa.Column("give_up_at", sa.Float()),
        sa.Column("finished_at", sa.Float()),
        sa.PrimaryKeyConstraint("id", name="pk_due_times"),
        sa.UniqueConstraint("host", "job", "due_at", name="uq_due_times_host_job_due_at"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_due_times_open", "due_times", ["id"], sqlite_where=OPEN, postgresql_where=OPEN)


def downgrade() -> None:
    op.drop_table("due_times")
    op.drop_table("jobs")
