"""One episode of an alert, by its id."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from remediator.store.tables import alerts


@dataclass(frozen=True)
class Episode:
    labels: Mapping[str, str]
    firing: bool


def of_id(connection: sa.Connection, alert_id: int) -> Episode | None:
    """The episode; None where there is none."""
    row = connection.execute(sa.select(alerts.c.labels, alerts.c.status).where(alerts.c.id == alert_id)).one_or_none()
    return None if row is None else Episode(row.labels, row.status == "firing")
