"""tasks that are rolled out over many hosts, and labels of hosts"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("hosts", sa.Column("labels", sa.JSON()))
    op.create_table(
        "rollouts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("task", sa.String(length=63), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("trigger", sa.String(length=16), nullable=False),
        sa.Column("caller", sa.String(length=255), nullable=False),
        sa.Column("label", sa.String(length=63)),
        sa.Column("wait", sa.Float(), nullable=False),
        sa.Column("alerts", sa.Boolean(), nullable=False),
        sa.Column("members", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("quiet_since", sa.Float()),
        sa.Column("hitch", sa.Text(), nullable=False),
        sa.Column("hitch_since", sa.Float()),
        sa.Column("finished_at", sa.Float()),
        sa.Column("driver", sa.String(length=255), nullable=False),
        sa.Column("driven_until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rollouts"),
        sqlite_autoincrement=True,
    )
    is_open = sa.text("finished_at IS NULL")
    op.create_index("ix_rollouts_open", "rollouts", ["id"], sqlite_where=is_open, postgresql_where=is_open)


def downgrade() -> None:
    op.drop_table("rollouts")
    op.drop_column("hosts", "labels")
