"""the runs on a target are found in an index"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_runs_target_id", "runs", ["target", "id"])


def downgrade() -> None:
    op.drop_index("ix_runs_target_id", table_name="runs")
