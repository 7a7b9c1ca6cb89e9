"""Which alerts count against a rollout, and when it cannot be known what fires."""

from collections.abc import Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from remediator.config.config import Config
from remediator.config.fleet import Fleet
from remediator.decide.routing import Routing
from remediator.model.alert import ReceivedAlert
from remediator.peers.alertmanager import KnownAlert
from remediator.peers.http import PeerError
from remediator.peers.places import PeerUnknown
from remediator.rollout.sight import Looking, firing
from remediator.rollout.turn import Firing
from remediator.store import alerts, fleet
from remediator.store.database import Database
from remediator.store.fleet import Arrived

T0 = 1_700_000_000.0
SHARES = {"state": {"database_url_file": "/nowhere"}}
MAPPED = Routing("desk", Fleet(hosts={r"(web|db):\d+": "web", r"roof:\d+": "roof"}))


def known(starts_at: float, **labels: str) -> KnownAlert:
    return KnownAlert("0" * 16, starts_at, {"alertname": "Broken", **labels}, frozenset(), silenced_by=["ours"])


@pytest.mark.parametrize(
    ("alert", "counts"),
    [
        (known(T0, instance="web:9100"), True),
        (known(T0 + 60, instance="db:9100", severity="critical"), True),
        (known(T0 - 1, instance="web:9100"), False),  # it fired before
        (known(T0 + 1, instance="roof:9100"), False),  # a host that has not had its turn
        (known(T0 + 1, instance="printer:9100"), False),  # no host of the fleet
        (known(T0 + 1), False),
        (known(T0 + 1, instance="web:9100", severity="info"), False),
        (known(T0 + 1, instance="web:9100", severity="none"), False),
    ],
)
def test_new_alerts_of_the_hosts_count_silenced_ones_too(alert: KnownAlert, counts: bool) -> None:
    assert firing([alert], MAPPED, ["web"], T0) == ([Firing("web", "Broken", alert.starts_at)] if counts else [])


def test_where_nobody_can_tell_whose_an_alert_is_it_counts_for_each() -> None:
    found = firing([known(T0, instance="printer:1")], Routing("desk", None), ["web", "roof"], T0)
    assert [one.host for one in found] == ["web", "roof"]


class Peer:
    """A fake Alertmanager. found: its alerts, or the error that it answers with."""

    def __init__(self, found: list[KnownAlert] | PeerError, started_at: float = 0.0) -> None:
        self.found = found
        self.started_at = started_at

    async def standing(self) -> Any:
        return self

    async def alerts(self) -> list[KnownAlert]:
        if isinstance(self.found, PeerError):
            raise self.found
        return self.found


class Peers:
    def __init__(self, peers: Mapping[str, Peer]) -> None:
        self._peers = peers

    def urls(self, name: str) -> list[str]:
        if not self._peers:
            raise PeerUnknown("no Alertmanager is known")
        return list(self._peers)

    @asynccontextmanager
    async def alertmanager(self, url: str) -> Any:
        yield self._peers[url]


def looking(database: Database, peers: Mapping[str, Peer], *, lost: bool = False) -> Looking:
    config = Config.model_validate({**SHARES, "fleet": {"hosts": {"web:1": "web"}}, "reconcile": {"trust_after": "5m"}})
    return Looking(database, Peers(peers), lambda: config, lambda: lost, lambda: T0 + 100)  # type: ignore[arg-type]


@pytest.mark.parametrize("open_for", ["sqlite"], indirect=True)
async def test_what_fires_is_known_only_where_every_alertmanager_says_so(database: Database) -> None:
    good = Peer([known(T0, instance="web:1")])
    sight = await looking(database, {"a": good}).look(["web"], T0)
    assert (sight.firing, sight.unknown, sight.at) == ([Firing("web", "Broken", T0)], "", T0 + 100)
    for peers, lost, why in [
        ({}, False, "no Alertmanager is known"),
        ({"a": good, "b": Peer(PeerError("b does not answer"))}, False, "b does not answer"),
        ({"a": Peer([], T0 + 99)}, False, "Alertmanager was started just now"),
        ({"a": good}, True, "the alert Watchdog does not come"),
    ]:
        one = looking(database, peers, lost=lost)
        assert (await one.look(["web"], T0)).unknown == f"alerts cannot be known: {why}"
        assert one.can() is bool(peers)


async def test_what_webhooks_told_counts_although_it_has_ended(database: Database) -> None:
    shared = not database.one_machine
    host = "web" if shared else "kitchen"
    await database.write(partial(fleet.arrive, one=Arrived("web", "0", "node", None), now=T0))
    router = MAPPED if shared else None
    for number, (starts_at, instance) in enumerate([(T0 + 5, "web:1"), (T0 - 5, "web:1"), (T0 + 5, "printer:1")]):
        one = ReceivedAlert(
            fingerprint=f"{number:016x}", starts_at=starts_at, ends_at=starts_at + 1, status="resolved",
            labels={"alertname": "Flap", "instance": instance},
        )  # fmt: skip
        if shared or number < 2:
            await database.write(partial(alerts.accept, received=[(one, T0 + 6)], router=router))
    sight = await looking(database, {"a": Peer([])}).look([host], T0)
    assert sight.firing == [Firing(host, "Flap", T0 + 5)]
