"""The table that a run's task left. It goes with its run."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from remediator.model.task import Row
from remediator.store.tables import run_rows, runs


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


class Ended(NamedTuple):
    """A run that has ended. planned_at: Unix seconds."""

    id: int
    planned_at: float


_LOOKED_AT = 20


def newest(connection: sa.Connection, host: str, tasks: Collection[str]) -> Ended | None:
    """The newest run of these tasks that left rows, without parameters of its own; None where there is none lately."""
    select = (
        sa.select(runs.c.id, runs.c.planned_at, runs.c.params)
        .where(runs.c.host == host, runs.c.task.in_(tasks), runs.c.finished_at.is_not(None))
        .where(
            runs.c.planned_at.is_not(None), runs.c.id.in_(sa.select(run_rows.c.run_id).where(run_rows.c.position == 0))
        )
        .order_by(runs.c.finished_at.desc(), runs.c.id.desc())
        .limit(_LOOKED_AT)
    )
    return next((Ended(row.id, row.planned_at) for row in connection.execute(select) if not row.params), None)
