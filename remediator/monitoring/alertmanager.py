"""Whether an Alertmanager has our alerts reach the remediator and people. Asking is apart from judging."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from exporter.base.text import counted
from exporter.base.units import format_duration
from remediator.monitoring.check import Check
from remediator.monitoring.fastyaml import parse
from remediator.monitoring.routing import WEBHOOK, Receiver, reached, receivers
from remediator.peers.alertmanager import Alertmanager
from remediator.peers.http import PeerError

WATCHDOG = {"alertname": "Watchdog", "severity": "none"}
KINDS: Mapping[str, Mapping[str, str]] = {
    "critical": {"alertname": "UpkeeperServiceDown", "severity": "critical", "target": "any"},
    "warning": {"alertname": "UpkeeperLogDirectoryOverLimit", "severity": "warning", "directory": "any"},
}
"""Alerts of ours that stand for the others of their severity."""
TEST = {"alertname": "UpkeeperTestMessage", "severity": "info"}


@dataclass(frozen=True)
class Seen:
    """ours, people: receivers by the kind of alert that reaches them. sent: by way, how often tried and failed."""

    url: str
    version: str
    config_text: str
    ours: Mapping[str, Sequence[Receiver]]
    people: Mapping[str, Sequence[Receiver]]
    watchdog: bool
    """It is routed to the remediator."""
    sent: Mapping[str, tuple[int, int]]

    def ways_of(self, kind: str) -> Sequence[str]:
        """How people hear of such an alert."""
        return list(dict.fromkeys(way for receiver in self.people.get(kind, ()) for way in receiver.ways))

    def counted_alone(self, way: str) -> bool:
        """Whether what was sent that way was all for people: Alertmanager has one figure for all webhooks."""
        return f"{way}_configs" != WEBHOOK or not any(self.ours.values())


async def look(alertmanager: Alertmanager, port: int) -> Seen:
    """port: of the remediator. Raises PeerError."""
    standing, sent = await alertmanager.standing(), await alertmanager.sent()
    try:
        document = parse(standing.config)
        return _seen(alertmanager.url, standing.version, standing.config, document, port, sent)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise PeerError(f"the config of Alertmanager at {alertmanager.url} is not understood: {error}") from error


def _seen(
    url: str, version: str, text: str, document: Mapping[str, Any], port: int, sent: Mapping[str, tuple[int, int]]
) -> Seen:
    known = receivers(document, port)
    hear = {
        kind: [known[name] for name in reached(document, labels) if name in known]
        for kind, labels in {**KINDS, "info": TEST, "watchdog": WATCHDOG}.items()
    }
    return Seen(
        url,
        version,
        text,
        {kind: [one for one in found if one.ours] for kind, found in hear.items()},
        {kind: [one for one in found if one.ways] for kind, found in hear.items()},
        any(one.ours for one in hear["watchdog"]),
        sent,
    )


def judge(seen: Seen, watchdog_age: float | None, *, knows_age: bool, lost_after: float = 600.0) -> Iterator[Check]:
    """watchdog_age: seconds since Watchdog last came to the remediator, where that is known; None: never.
    lost_after: seconds after which it is lost.
    """
    yield Check("alertmanager", "answers", "ok", f"{seen.version} at {seen.url}")
    yield _routes(seen, watchdog_age, lost_after, knows_age=knows_age)
    yield from _people(seen)


def _routes(seen: Seen, watchdog_age: float | None, lost_after: float, *, knows_age: bool) -> Check:
    lost = [kind for kind in KINDS if not seen.ours[kind]]
    if lost:
        what = f"{' and '.join(lost)} alerts are not sent to the remediator"
        return Check("alertmanager", "tells the remediator", "missing", what, "add the receiver and its routes")
    if not seen.watchdog:
        what = "alerts are sent to the remediator, and Watchdog is not: it cannot tell when they are lost"
        return Check("alertmanager", "tells the remediator", "missing", what, "add the route of Watchdog")
    if not knows_age:
        what = "by its routes; whether it arrives is not known here"
        return Check("alertmanager", "tells the remediator", "unknown", what, "look again while the remediator runs")
    if watchdog_age is None:
        what = "the routes are there, and nothing of them has arrived"
        remedy = "wait a minute; else see Alertmanager's log: the credential may not be ours (401), or the address"
        return Check("alertmanager", "tells the remediator", "wrong", what, remedy)
    came = f"Watchdog came {format_duration(int(watchdog_age))} ago"
    if watchdog_age > lost_after:
        what = f"{came}, which is longer than `watchdog: lost_after`"
        return Check("alertmanager", "tells the remediator", "wrong", what, "see Alertmanager's log, and Prometheus")
    return Check("alertmanager", "tells the remediator", "ok", came)


def _people(seen: Seen) -> Iterator[Check]:
    deaf = [kind for kind in KINDS if not seen.people[kind]]
    if len(deaf) == len(KINDS):
        yield Check(
            "alertmanager",
            "tells people",
            "missing",
            "WATCHING, TELLING NOBODY: no alert reaches a person",
            "set `notify:` in upkeeper.yml, or add a receiver to your alertmanager.yml",
        )
        return
    if deaf:
        what = f"{' and '.join(deaf)} alerts reach nobody but the remediator"
        yield Check("alertmanager", "tells people", "wrong", what, "route them to people, too")
    else:
        ways = dict.fromkeys(way for kind in KINDS for way in seen.ways_of(kind))
        yield Check("alertmanager", "tells people", "ok", f"by {', '.join(ways)}")
    for way in dict.fromkeys(way for kind in KINDS for way in seen.ways_of(kind)):
        yield _arrives(way, *seen.sent.get(way, (0, 0)), alone=seen.counted_alone(way))


def _arrives(way: str, tried: int, failed: int, *, alone: bool) -> Check:
    name = f"messages by {way}"
    if not alone:
        what = "Alertmanager counts them together with those to the remediator"
        return Check("alertmanager", name, "unknown", what, "look whether they came; by ntfy, `upkeeper status` says")
    if not tried:
        what = "none was sent since Alertmanager was started"
        return Check("alertmanager", name, "unknown", what, "send a test message")
    if failed >= tried:
        what = f"each of {counted(tried, 'attempt')} failed"
        return Check("alertmanager", name, "wrong", what, "Alertmanager's log says why")
    more = f", {counted(failed, 'attempt')} failed" if failed else ""
    return Check("alertmanager", name, "ok", f"{counted(tried - failed, 'message')} handed over{more}")
