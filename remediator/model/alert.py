"""An alert as it was received: one state of an episode, and the notification that brought it."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

Status = Literal["firing", "resolved"]


def unix_seconds(value: object) -> float:
    """Seconds since the epoch of an RFC 3339 time, to the millisecond. Raises ValueError.

    Alertmanager tells the start of an alert to the nanosecond in a webhook, and to the millisecond in its API.
    """
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise PydanticCustomError("rfc3339", "must be an RFC 3339 time with a zone")
    try:
        found = datetime.fromisoformat(value)
        return found.replace(microsecond=found.microsecond // 1000 * 1000).timestamp()
    except ValueError:
        raise PydanticCustomError("rfc3339", "is not a valid time") from None


def _unix_seconds_of_end(value: object) -> float | None:
    end = unix_seconds(value)
    return None if end == _ZERO_TIME else end


_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


_ZERO_TIME = datetime(1, 1, 1, tzinfo=UTC).timestamp()
"""Go's zero time, ``0001-01-01T00:00:00Z``: Alertmanager's way to say "no end"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedAlert:
    """One alert of a notification. (fingerprint, starts_at) is its identity: an episode.

    The status is its own, not the group's. ends_at is None while no end is known. Times are Unix seconds.
    """

    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] = ""
    starts_at: Annotated[float, PlainValidator(unix_seconds), Field(validation_alias="startsAt")]
    ends_at: Annotated[float | None, PlainValidator(_unix_seconds_of_end), Field(validation_alias="endsAt")] = None
    status: Status
    labels: dict[str, str]
    annotations: dict[str, str] = field(default_factory=dict)
    generator_url: Annotated[str, Field(validation_alias="generatorURL")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What one webhook call brought. truncated_alerts: how many more the group has than were sent.

    group_labels: those that all alerts of the group share.
    """

    group_key: str
    receiver: str
    truncated_alerts: int = 0
    external_url: str = ""
    group_labels: dict[str, str] = field(default_factory=dict)
    alerts: tuple[ReceivedAlert, ...]
