"""what hosts ask of each other, through which host a run was asked for, and who can work with these tables"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("runs", sa.Column("via", sa.String(length=255)))
    op.create_table(
        "asks",
        sa.Column("id", _ID, nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("sender", sa.String(length=255), nullable=False),
        sa.Column("operation", sa.String(length=63), nullable=False),
        sa.Column("given", sa.JSON(), nullable=False),
        sa.Column("trigger", sa.String(length=16), nullable=False),
        sa.Column("caller", sa.String(length=255), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.Column("done_at", sa.Float()),
        sa.Column("status", sa.Integer()),
        sa.Column("answer", sa.JSON()),
        sa.PrimaryKeyConstraint("id", name="pk_asks"),
        sqlite_autoincrement=True,
    )
    is_open = sa.text("done_at IS NULL")
    op.create_index("ix_asks_open", "asks", ["host", "id"], sqlite_where=is_open, postgresql_where=is_open)
    op.add_column("alembic_version", sa.Column("works_since", sa.String(length=32)))


def downgrade() -> None:
    op.drop_column("alembic_version", "works_since")
    op.drop_table("asks")
    op.drop_column("runs", "via")
