"""the runs of a task that ended so are found in an index"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_runs_task_outcome_id", "runs", ["task", "outcome", "id"])


def downgrade() -> None:
    op.drop_index("ix_runs_task_outcome_id", table_name="runs")
