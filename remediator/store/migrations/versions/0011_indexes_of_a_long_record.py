"""indexes for a record of a hundred thousand runs"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_REMEDY = ["trigger", "caller", "finished_at", "host", "target", "dry_run", "outcome"]


def upgrade() -> None:
    op.create_index("ix_runs_by_remedy", "runs", _REMEDY)
    op.create_index("ix_runs_outcome_id", "runs", ["outcome", "id"])
    op.create_index("ix_runs_task_id", "runs", ["task", "id"])


def downgrade() -> None:
    for name in ("ix_runs_task_id", "ix_runs_outcome_id", "ix_runs_by_remedy"):
        op.drop_index(name, "runs")
