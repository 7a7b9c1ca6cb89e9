"""Whether an episode that begins is the outage of the one before it, to which a restart gave a new start. Pure.

What is known of restarts (all seen with Alertmanager 0.25 and 0.28, Prometheus 2.42):

- An Alertmanager that starts knows no alert until Prometheus posts it again, with the start that Prometheus has now.
  An older one that it had kept until then is gone, and so one outage goes on as another (fingerprint, startsAt).
- A Prometheus that starts lets a short ``for`` begin anew. Meanwhile Alertmanager holds the alert for ended and says
  so; then the same outage fires with a new start.
- Right after its start Prometheus evaluates the samples from before its stop, so an alert that had ended fires again
  for some seconds.

Without a restart a new start is a new episode: while Alertmanager lives, it keeps the older start of what goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from remediator.model.episode import Episode

NEAR = 900.0
"""Seconds within which a restart explains a new start: Prometheus forgets each ``for`` below ten minutes, and its
alerts end in Alertmanager four minutes after it last posted them."""


@dataclass(frozen=True)
class Restarts:
    """Since when what sends alerts has been running, as far as it is known (Unix seconds)."""

    alertmanagers: Sequence[float] = ()
    prometheus: float | None = None


def goes_on(before: Episode, starts_at: float, restarts: Restarts) -> bool:
    """Whether an alert with this new start is the outage of the episode before it."""
    if starts_at <= before.starts_at:
        return False
    prometheus = [] if restarts.prometheus is None else [restarts.prometheus]
    if before.ends_at is None:
        return any(
            before.first_received_at <= at <= before.heard_at + NEAR and starts_at <= at + NEAR
            for at in [*restarts.alertmanagers, *prometheus]
        )
    # An end that was told comes from Prometheus, or from its silence: a start of Alertmanager makes none.
    return any(
        before.starts_at < at and abs(before.ends_at - at) <= NEAR and starts_at <= at + NEAR for at in prometheus
    )
