"""messages in chats that ask for approvals"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "chat_messages",
        sa.Column("id", _ID, nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("recipient", sa.String(length=255), nullable=False),
        sa.Column("approval_id", _ID, nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("ref", sa.Text(), nullable=True),
        sa.Column("shown", sa.String(length=16), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approvals.id"], ondelete="CASCADE", name="fk_chat_messages_approval_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_chat_messages"),
        sa.UniqueConstraint(
            "channel", "recipient", "approval_id", name="uq_chat_messages_channel_recipient_approval_id"
        ),
        sa.UniqueConstraint("secret", name="uq_chat_messages_secret"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_chat_messages_approval_id", "chat_messages", ["approval_id"])


def downgrade() -> None:
    op.drop_table("chat_messages")
