"""runs that a person has cancelled"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("cancelled", sa.Text()))


def downgrade() -> None:
    op.drop_column("runs", "cancelled")
