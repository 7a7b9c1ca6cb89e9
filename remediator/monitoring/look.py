"""All that is looked at, together: how the monitoring of this machine stands."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from exporter.base.errors import UpkeeperError
from remediator import endpoints
from remediator.config.config import Config
from remediator.monitoring import alertmanager as am
from remediator.monitoring import host
from remediator.monitoring import prometheus as prom
from remediator.monitoring.check import Check
from remediator.monitoring.place import Places, for_alertmanager, for_prometheus
from remediator.monitoring.rules import Links, Rule, shipped
from remediator.peers.http import PeerError
from remediator.peers.places import Peers, PeerUnknown
from remediator.statedir import StateDir

DEFAULT_PORTS = {"upkeeper-exporter": 10746, "upkeeper-remediator": 10747}


@dataclass(frozen=True)
class Arrival:
    """When Watchdog last came to the remediator, in seconds before now. known: whether that can be told at all."""

    known: bool = False
    age: float | None = None


@dataclass(frozen=True)
class Found:
    """prometheus, alertmanagers: as far as they answer. places: what could be written for those that are a person's."""

    checks: Sequence[Check]
    prometheus: prom.Seen | None = None
    alertmanagers: Sequence[am.Seen] = ()
    places: Sequence[Places] = field(default=())


class Look:
    """state: the remediator's; None where there is none. policy: asks for the restart policy of our container."""

    def __init__(
        self, config: Config, state: Path | None, share: Path, policy: Callable[[], Awaitable[str | None]] | None = None
    ) -> None:
        self._config, self._state, self._share, self._policy = config, state, share, policy
        self._ours: Sequence[Rule] = ()
        self.peers = Peers(lambda: config, state) if state is not None else None

    async def __call__(self, arrival: Arrival) -> Found:
        """Raises OSError where what ships cannot be read, or the place of a file not be looked at."""
        ports = await asyncio.to_thread(lambda: self._ports())
        checks = [*await host.look(self._policy)]
        prometheus, said = await self._prometheus(ports)
        checks += said
        alertmanagers, said = await self._alertmanagers(ports["upkeeper-remediator"], arrival)
        checks += said
        places = await asyncio.to_thread(lambda: self._places(ports, prometheus, alertmanagers))
        return Found(checks, prometheus, alertmanagers, places)

    def _ports(self) -> dict[str, int]:
        """By job, where the services listen, as far as that was written down."""
        known = endpoints.read(self._state) if self._state is not None else None
        found = dict(DEFAULT_PORTS)
        for job, url in (
            ("upkeeper-exporter", known and known.exporter),
            ("upkeeper-remediator", known and known.remediator),
        ):
            port = urlsplit(url).port if url else None
            if port is not None:
                found[job] = port
        return found

    async def _prometheus(self, ports: Mapping[str, int]) -> tuple[prom.Seen | None, Sequence[Check]]:
        try:
            if self.peers is None:
                raise PeerUnknown("there is no state directory")
            if not self._ours:
                self._ours = await asyncio.to_thread(lambda: shipped(self._share))
            async with self.peers.prometheus() as prometheus:
                seen = await prom.look(prometheus, self._ours)
        except (PeerUnknown, PeerError) as error:
            return None, [_silent("prometheus", error)]
        return seen, list(prom.judge(seen, ports))

    async def _alertmanagers(self, port: int, arrival: Arrival) -> tuple[Sequence[am.Seen], Sequence[Check]]:
        found: list[am.Seen] = []
        checks: list[Check] = []
        try:
            if self.peers is None:
                raise PeerUnknown("there is no state directory")
            urls = self.peers.urls("alertmanager")
        except PeerUnknown as error:
            return [], [_silent("alertmanager", error)]
        for url in urls:
            try:
                async with self.peers.alertmanager(url) as alertmanager:
                    seen = await am.look(alertmanager, port)
            except PeerError as error:
                checks.append(_silent("alertmanager", error))
                continue
            found.append(seen)
            lost_after = self._config.watchdog.lost_after
            checks += am.judge(seen, arrival.age, knows_age=arrival.known, lost_after=lost_after)
        return found, checks

    def _places(
        self, ports: Mapping[str, int], prometheus: prom.Seen | None, alertmanagers: Sequence[am.Seen]
    ) -> Sequence[Places]:
        """None for those that `upkeeper up` starts: it writes all of theirs itself."""
        found: list[Places] = []
        if prometheus is not None and self._config.prometheus is not None:
            first = urlsplit(alertmanagers[0].url).netloc if alertmanagers else None
            links = Links(self._config.notify.runbooks, self._config.notify.dashboards)
            found.append(for_prometheus(prometheus, self._share, ports, links, first))
        if alertmanagers and self._config.alertmanager is not None and self._state is not None:
            token = StateDir(self._state).alertmanager_token
            known = self._config.configuration.alertmanager_configs
            port = ports["upkeeper-remediator"]
            found += [for_alertmanager(seen, self._share, port, token, known) for seen in alertmanagers]
        return found


def _silent(area: str, error: UpkeeperError) -> Check:
    unknown = isinstance(error, PeerUnknown)
    remedy = f"say where it is: `{area}: {{url: ...}}`, or start one with `upkeeper up`" if unknown else "start it"
    return Check(area, "answers", "missing" if unknown else "wrong", str(error), remedy)
