"""A run's evidence: an artefact of it, so that it goes with its run."""

import json
from collections.abc import Sequence

import sqlalchemy as sa

from remediator.model.evidence import Section
from remediator.store import artefacts
from remediator.store.tables import artefacts as table

NAME = "evidence.json"

_SELECT = sa.select(table.c.id).where(table.c.name == NAME, table.c.run_id == sa.bindparam("of"))


def has(connection: sa.Connection, run_id: int) -> bool:
    return connection.scalar(_SELECT, {"of": run_id}) is not None


def keep(connection: sa.Connection, run_id: int, sections: Sequence[Section], now: float) -> None:
    content = json.dumps([section._asdict() for section in sections], ensure_ascii=False).encode()
    artefacts.keep(connection, run_id, name=NAME, media_type="application/json", content=content, now=now)


def of_run(connection: sa.Connection, run_id: int) -> list[Section] | None:
    """None where none was kept. Raises ValueError when it is not what was stored."""
    artefact_id = connection.scalar(_SELECT, {"of": run_id})
    if artefact_id is None:
        return None
    _, content = artefacts.read(connection, artefact_id)
    return [Section(**section) for section in json.loads(content)]
