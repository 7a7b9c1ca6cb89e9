"""what people were told of what became of alerts"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "told",
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("alert_id", _ID, autoincrement=False, nullable=False),
        sa.Column("said", sa.String(length=255), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], ondelete="CASCADE", name="fk_told_alert_id"),
        sa.PrimaryKeyConstraint("host", "way", "alert_id", name="pk_told"),
    )
    op.create_index("ix_told_alert_id", "told", ["alert_id"])


def downgrade() -> None:
    op.drop_table("told")
