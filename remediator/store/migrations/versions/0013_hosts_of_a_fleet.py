"""the hosts that share a database, and whose an alert is"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alerts", sa.Column("host", sa.String(255)))
    op.add_column("alerts", sa.Column("no_host", sa.Text()))
    op.create_table(
        "hosts",
        sa.Column("host", sa.String(255), primary_key=True),
        sa.Column("version", sa.String(63), nullable=False),
        sa.Column("node", sa.String(255), nullable=False),
        sa.Column("address", sa.String(255)),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("stopped_at", sa.Float()),
        sa.Column("watchdog_at", sa.Float()),
    )


def downgrade() -> None:
    op.drop_table("hosts")
    op.drop_column("alerts", "no_host")
    op.drop_column("alerts", "host")
