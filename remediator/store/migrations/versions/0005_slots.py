"""slots: how many runs that interrupt something may act on a host at the same time"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("slot", sa.Integer(), nullable=True))
    taken = sa.text("slot IS NOT NULL")
    op.create_index("uq_runs_slot", "runs", ["host", "slot"], unique=True, sqlite_where=taken, postgresql_where=taken)


def downgrade() -> None:
    op.drop_index("uq_runs_slot", "runs")
    op.drop_column("runs", "slot")
