"""What differs between the episodes in the record and the alerts that Alertmanager has, and what to do about it. Pure.

A webhook is delivered at least once, out of order, and now and then not at all: a receiver that was down never learns
of an end, and an alert that clears and fires again between two flushes is never announced. So the record is compared
with ``/api/v2/alerts`` from time to time. What differs is given the time that its webhook may take; then it counts.

An Alertmanager's word is taken for no more than it knows:

- One that has just started has no alerts until Prometheus has posted them again, so what it lacks has not ended,
  unless it had it since then: an only one, also when it sent it since then.
- Of several, one may be cut off: an episode has ended only when none of those that answer has it, and goes on where
  one was told of it since.
- Routed elsewhere, inhibited, silenced by a person, or where times of day may mute the route (the API does not tell of
  that): such an alert would not have been sent, so it begins nothing.
- Under a silence of ours the webhook cannot come, so its end counts at once, and as nothing that was missed.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from remediator.model.episode import Episode
from remediator.model.silence import INHIBITED, Silence, in_words
from remediator.peers.alertmanager import KnownAlert

TOLD_LATE = 60.0
"""Seconds beside a route's own in which a webhook may still come: a second Alertmanager waits 15 for the first one, and
a delivery that failed is tried again."""
UNHEARD = 900.0
"""Seconds for which an episode is kept open that some Alertmanager which does not answer may yet know of."""
IN_FLIGHT = 5.0
"""Seconds in which something may yet arrive that was sent before an Alertmanager was restarted, or an alert ended."""
SAME_START = 0.0015
"""Seconds by which the same start may differ."""

Missed = Literal["firing", "resolved", "truncated", "restarted", "down"]
"""What webhooks did not tell: that an alert began or ended, those cut off from a group, the new start that a restart of
Alertmanager or Prometheus gave an outage, and whatever happened while the remediator was down."""


@dataclass(frozen=True)
class Reading:
    """The alerts of one Alertmanager. Times are Unix seconds.

    read_at: when it was asked. started_at: since when it runs. had: fingerprints of alerts that it had since then. told
    within, timed: of its routes to us. silences: by id, as far as alerts name them.
    """

    read_at: float
    started_at: float
    alerts: Sequence[KnownAlert]
    had: Collection[str] = ()
    told_within: float = 300.0
    timed: bool = False
    silences: Mapping[str, Silence] = field(default_factory=dict)


class Key(NamedTuple):
    """What differs: an episode that is to begin, or one that is to end."""

    what: Literal["begin", "end"]
    fingerprint: str
    starts_at: float


@dataclass(frozen=True)
class View:
    """What is compared.

    episodes: all that fire, and of each alert that Alertmanager has the newest. readings: of those that answered.
    silent: how many Alertmanagers did not. receivers: the remediator's. ours: ids of our own silences. noticed: what
    differed the last time, with when it was first seen. since: when this process began. trust_after: seconds after its
    start from which an Alertmanager's lack of an alert counts. at_once: whether an alert belongs to a group that was
    just sent cut off. acts_when_silenced: whether a remedy acts on it in spite of a person's silence.
    """

    episodes: Sequence[Episode]
    readings: Sequence[Reading]
    receivers: Collection[str]
    now: float
    since: float = 0.0
    silent: int = 0
    ours: Collection[str] = ()
    noticed: Mapping[Key, float] = field(default_factory=dict)
    trust_after: float = 420.0
    at_once: Callable[[Mapping[str, str]], bool] = lambda _: False
    acts_when_silenced: Callable[[Mapping[str, str]], bool] = lambda _: False


class Begun(NamedTuple):
    """An alert that fires and whose webhook did not come. before: the newest episode of the same alert, if any.

    missed: None for what the webhook could not tell.
    """

    alert: KnownAlert
    missed: Missed | None
    before: Episode | None
    muted: str | None


class Ended(NamedTuple):
    """An episode that is over. missed: None for what the webhook could not or need not tell."""

    episode: Episode
    missed: Missed | None


@dataclass(frozen=True)
class Changes:
    """What to store. seen: episodes that fire as recorded. muted: those of them whose muting has changed, with why."""

    begun: Sequence[Begun] = ()
    ended: Sequence[Ended] = ()
    reopened: Sequence[Episode] = ()
    seen: Sequence[Episode] = ()
    muted: Mapping[int, str | None] = field(default_factory=dict)
    noticed: Mapping[Key, float] = field(default_factory=dict)


def compare(view: View) -> Changes:
    """What to do now, and what differs for too short a time yet (``noticed``)."""
    if not view.readings:
        return Changes(noticed=view.noticed)
    return _Comparison(view).changes()


class _Comparison:
    def __init__(self, view: View) -> None:
        self._view = view
        self._known: dict[str, list[tuple[Reading, KnownAlert]]] = {}
        for reading in view.readings:
            for alert in reading.alerts:
                self._known.setdefault(alert.fingerprint, []).append((reading, alert))
        self._newest: dict[str, Episode] = {}
        for episode in view.episodes:
            other = self._newest.get(episode.fingerprint)
            if other is None or other.starts_at < episode.starts_at:
                self._newest[episode.fingerprint] = episode
        self._noticed: dict[Key, float] = {}

    def changes(self) -> Changes:
        seen, muted = [], {}
        for episode, why in self._still_firing():
            seen.append(episode)
            if why != episode.muted:
                muted[episode.id] = why
        return Changes(
            begun=list(self._begun()),
            ended=list(self._ended()),
            reopened=list(self._reopened()),
            seen=seen,
            muted=muted,
            noticed=self._noticed,
        )

    def _still_firing(self) -> Iterator[tuple[Episode, str | None]]:
        for fingerprint, known in self._known.items():
            episode = self._newest.get(fingerprint)
            if episode is not None and episode.firing and self._routed(known):
                yield episode, self._muted(known)

    def _begun(self) -> Iterator[Begun]:
        for fingerprint, known in self._known.items():
            before = self._newest.get(fingerprint)
            reading, alert = max(self._routed(known), key=lambda each: each[1].starts_at, default=(None, None))
            if reading is None or alert is None or not alert.processed or reading.timed:
                continue
            if before is not None and alert.starts_at <= before.starts_at + SAME_START:
                continue
            muted = self._muted(known)
            if muted is not None and (alert.inhibited or not self._view.acts_when_silenced(alert.labels)):
                continue
            cut_off = self._view.at_once(alert.labels)
            first = self._note(Key("begin", fingerprint, alert.starts_at))
            if muted is not None:
                yield Begun(alert, None, before, muted)
            elif cut_off or self._ripe(first, reading):
                yield Begun(alert, "truncated" if cut_off else self._missed("firing", first), before, None)

    def _reopened(self) -> Iterator[Episode]:
        """Ended as an Alertmanager said that had lost Prometheus, while another one was told since that it fires."""
        for fingerprint, known in self._known.items():
            episode = self._newest.get(fingerprint)
            if episode is None or episode.ends_at is None or self._muted(known) is not None:
                continue
            told = [
                reading
                for reading, alert in self._routed(known)
                if alert.starts_at <= episode.starts_at + SAME_START
                and alert.updated_at > episode.ends_at + IN_FLIGHT
                and not reading.timed
            ]
            if not told:
                continue
            first = self._note(Key("begin", fingerprint, episode.starts_at))
            if any(self._ripe(first, reading) for reading in told):
                yield episode

    def _ended(self) -> Iterator[Ended]:
        for episode in self._view.episodes:
            if not episode.firing:
                continue
            if episode is not self._newest[episode.fingerprint]:
                yield Ended(episode, None)  # it has begun again since
                continue
            if episode.fingerprint in self._known or not self._trusted(episode):
                continue
            first = self._note(Key("end", episode.fingerprint, episode.starts_at))
            if episode.held or episode.muted is not None:
                yield Ended(episode, None)
            elif all(self._ripe(first, reading) for reading in self._view.readings):
                yield Ended(episode, self._missed("resolved", first))

    def _trusted(self, episode: Episode) -> bool:
        """Whether it has ended, as none of those that answer has it."""
        view = self._view
        if view.silent and view.now - episode.heard_at <= UNHEARD:
            return False
        alone = len(view.readings) == 1 and not view.silent
        return any(
            reading.read_at >= episode.heard_at
            and (
                reading.read_at - reading.started_at >= view.trust_after
                or episode.fingerprint in reading.had
                or (alone and episode.heard_at >= reading.started_at + IN_FLIGHT)
            )
            for reading in view.readings
        )

    def _routed(self, known: Sequence[tuple[Reading, KnownAlert]]) -> list[tuple[Reading, KnownAlert]]:
        receivers = self._view.receivers
        return [each for each in known if not each[1].receivers.isdisjoint(receivers)]

    def _muted(self, known: Sequence[tuple[Reading, KnownAlert]]) -> str | None:
        """Why nobody is told, where that is so in every Alertmanager that has it."""
        reasons = [self._reason(reading, alert) for reading, alert in self._routed(known)]
        return None if None in reasons else next(iter(reasons), None)

    def _reason(self, reading: Reading, alert: KnownAlert) -> str | None:
        for id in alert.silenced_by:
            if id not in self._view.ours:
                silence = reading.silences.get(id)
                return in_words(silence) if silence is not None else "silenced"
        return INHIBITED if alert.inhibited else None

    def _note(self, key: Key) -> float:
        first = min(self._view.noticed.get(key, self._view.now), self._view.now)
        self._noticed[key] = first
        return first

    def _ripe(self, first: float, reading: Reading) -> bool:
        return self._view.now - first >= reading.told_within + TOLD_LATE

    def _missed(self, what: Missed, first: float) -> Missed:
        """What was there already when this process began came while none was there to be told."""
        soon = self._view.since + TOLD_LATE
        return "down" if first <= soon else what
