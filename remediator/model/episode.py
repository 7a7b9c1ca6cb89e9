"""An episode of an alert as the record has it, for what compares it with Alertmanager."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Episode:
    """One (fingerprint, starts_at). Times are Unix seconds.

    ends_at: None while it fires. heard_at: when it was last received, or last seen in Alertmanager. muted: why people
    and the webhook do not hear of it, as it was last seen; None where they do. held: a silence of ours keeps it from
    the webhook.
    """

    id: int
    fingerprint: str
    starts_at: float
    ends_at: float | None
    first_received_at: float
    heard_at: float
    muted: str | None = None
    held: bool = False

    @property
    def firing(self) -> bool:
        return self.ends_at is None
