"""what lists of approvals show is beside their plans; when any alert came last is in an index"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, type_ in (("actions", sa.Integer()), ("estimated_bytes", sa.BigInteger())):
        op.add_column("approvals", sa.Column(name, type_, server_default=sa.text("0"), nullable=False))
    approvals = sa.table(
        "approvals",
        sa.column("id", sa.BigInteger),
        sa.column("plan", sa.JSON),
        sa.column("actions", sa.Integer),
        sa.column("estimated_bytes", sa.BigInteger),
    )
    connection = op.get_bind()
    for number in connection.scalars(sa.select(approvals.c.id)).all():
        same = approvals.c.id == number
        plan = connection.execute(sa.select(approvals.c.plan).where(same)).scalar_one()
        planned = plan["actions"]
        size = sum(action.get("estimated_bytes", 0) for action in planned)
        connection.execute(approvals.update().where(same).values(actions=len(planned), estimated_bytes=size))
    op.create_index("ix_alerts_last_received_at", "alerts", ["last_received_at"])


def downgrade() -> None:
    op.drop_index("ix_alerts_last_received_at", table_name="alerts")
    for name in ("estimated_bytes", "actions"):
        op.drop_column("approvals", name)
