"""The table that a run's task left. It goes with its run."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from remediator.model.task import Row
from remediator.store.tables import run_rows


def replace(connection: sa.Connection, run_id: int, rows: Sequence[Row]) -> None:
    """Stores the rows of a run instead of those that it had: a step is repeated after a crash."""
    connection.execute(run_rows.delete().where(run_rows.c.run_id == run_id))
    if rows:
        connection.execute(
            run_rows.insert(),
            [
                {"run_id": run_id, "position": position, "cells": row.model_dump(mode="json")}
                for position, row in enumerate(rows)
            ],
        )


def of_run(connection: sa.Connection, run_id: int) -> list[Mapping[str, Any]]:
    """The rows of a run in their order, each its cells by the names of the columns."""
    select = sa.select(run_rows.c.cells).where(run_rows.c.run_id == run_id).order_by(run_rows.c.position)
    return list(connection.scalars(select))
