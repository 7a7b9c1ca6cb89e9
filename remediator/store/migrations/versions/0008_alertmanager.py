"""what Alertmanager was asked about episodes; by which receivers webhooks came; starts to the millisecond"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

AT_ONCE = 1000


def upgrade() -> None:
    op.add_column("alerts", sa.Column("seen_at", sa.Float(), nullable=True))
    op.add_column("alerts", sa.Column("muted", sa.Text(), nullable=True))
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("alerts", sa.Column("continued_by", big, nullable=True))
    firing = sa.text("status = 'firing'")
    op.create_index("ix_alerts_firing", "alerts", ["id"], sqlite_where=firing, postgresql_where=firing)
    op.create_table(
        "senders",
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("receiver", sa.String(255), nullable=False),
        sa.Column("heard_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("host", "receiver", name="pk_senders"),
    )
    op.create_table(
        "silences",
        sa.Column("id", big, nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("purpose", sa.String(8), nullable=False),
        sa.Column("run_id", big, nullable=True),
        sa.Column("task", sa.String(63), nullable=True),
        sa.Column("matchers", sa.JSON(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("held", sa.JSON(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=True),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_silences_run_id_runs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_silences"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_silences_run_id", "silences", ["run_id"])
    live = sa.text("ended_at IS NULL")
    op.create_index("ix_silences_live", "silences", ["id"], sqlite_where=live, postgresql_where=live)
    _to_milliseconds(op.get_bind())


def downgrade() -> None:
    op.drop_table("silences")
    op.drop_table("senders")
    op.drop_index("ix_alerts_firing", "alerts")
    for column in ("continued_by", "muted", "seen_at"):
        op.drop_column("alerts", column)


def _to_milliseconds(bind: sa.Connection) -> None:
    """Starts of episodes as Alertmanager's API tells them. Of two within a millisecond the later keeps its own."""
    alerts = sa.table("alerts", sa.column("id"), sa.column("fingerprint"), sa.column("starts_at"))
    other = alerts.alias()
    start = sa.bindparam("start", type_=sa.Float())
    same = sa.exists().where(other.c.fingerprint == alerts.c.fingerprint, other.c.starts_at == start)
    last = 0
    while True:
        select = (
            sa.select(alerts.c.id, alerts.c.starts_at).where(alerts.c.id > last).order_by(alerts.c.id).limit(AT_ONCE)
        )
        rows = bind.execute(select).all()
        if not rows:
            return
        changed = []
        for id, starts_at in rows:
            to = round(starts_at * 1e6) // 1000 / 1000
            if to != starts_at:
                changed.append({"of": id, "start": to})
        if changed:
            update = alerts.update().where(alerts.c.id == sa.bindparam("of"), sa.not_(same))
            bind.execute(update.values(starts_at=start), changed)
        last = rows[-1].id
