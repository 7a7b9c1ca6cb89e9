"""an index of the runs that did not help"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_COLUMNS = ["host", "finished_at", "task", "target", "dry_run"]
_WHICH = sa.text("outcome IN ('ineffective', 'failed')")


def upgrade() -> None:
    op.create_index("ix_runs_not_helped", "runs", _COLUMNS, sqlite_where=_WHICH, postgresql_where=_WHICH)


def downgrade() -> None:
    op.drop_index("ix_runs_not_helped", "runs")
