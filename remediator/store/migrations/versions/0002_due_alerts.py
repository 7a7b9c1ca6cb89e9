"""when an alert is to be looked at again"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# No batch: where that makes a table anew, the rows that refer to the old one go with it.
# findings/alembic_batch_cascade.sh shows it.


def upgrade() -> None:
    op.add_column("alerts", sa.Column("due_at", sa.Float(), nullable=True))
    op.create_index(
        "ix_alerts_due",
        "alerts",
        ["due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_alerts_due", "alerts")
    op.drop_column("alerts", "due_at")
