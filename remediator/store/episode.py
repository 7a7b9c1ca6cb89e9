"""One episode of an alert, by its id."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from remediator.store.tables import alerts


@dataclass(frozen=True)
class Episode:
    """muted: why people were not told of it when it was last seen in Alertmanager."""

    labels: Mapping[str, str]
    firing: bool
    muted: str | None


def of_id(connection: sa.Connection, alert_id: int) -> Episode | None:
    """The episode; None where there is none."""
    columns = (alerts.c.labels, alerts.c.status, alerts.c.muted)
    row = connection.execute(sa.select(*columns).where(alerts.c.id == alert_id)).one_or_none()
    return None if row is None else Episode(row.labels, row.status == "firing", row.muted)
