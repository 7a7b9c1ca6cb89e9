"""Whether a service is well on its image, and stays so."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from exporter.inventory.services import Probe
from exporter.probing.result import ProbeResult
from remediator.tasks.image_update.alerts import Alerts
from remediator.tasks.image_update.services import Estate, Member
from remediator.tasks.service_restart.container_state import describe

Prober = Callable[[str, Probe], Awaitable[ProbeResult]]


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds. start: until it is well, at least; a health check's own time counts too. stay: how long it must be so
    after that. poll: between two looks. alerts: between two questions to Alertmanager. settle: for which one that
    nothing checks must have run before it counts as well.
    """

    start: float
    stay: float
    poll: float = 1.0
    alerts: float = 5.0
    settle: float = 10.0


@dataclass(frozen=True)
class Watched:
    """What is watched. names: of the service, in Compose and in the config. probes: each with its service's name.

    alerts_before: fingerprints of what fired before; None where alerts are not asked. count: of its containers.
    """

    project: str
    service: str
    names: Collection[str]
    probes: Sequence[tuple[str, Probe]]
    alerts_before: Collection[str] | None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """How it went. problem: empty where it is well. alerts: why they were not asked; empty where they were."""

    problem: str
    alerts: str = ""


class Watch:
    """clock: Unix seconds; ticks: monotonic ones. sleep and probe are passed in by tests."""

    def __init__(
        self,
        estate: Estate,
        alerts: Alerts,
        patience: Patience,
        probe: Prober,
        ticks: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._estate, self._alerts, self._patience, self._probe = estate, alerts, patience, probe
        self._ticks, self._sleep = ticks, sleep

    async def until_well(self, watched: Watched, on_well: Callable[[], Awaitable[object]]) -> Seen:
        """Waits until it is well, calls ``on_well``, and goes on looking for as long as it must stay so.

        Of several containers each must be well.
        """
        began = self._ticks()
        well_since: float | None = None
        well: set[tuple[str, str]] = set()
        first_seen: dict[tuple[str, str], float] = {}
        asked, unasked = 0.0, ""
        while True:
            members = await self._estate.again(watched.project, watched.service)
            if len(members) != watched.count:
                return Seen(_missing(len(members), watched.count))
            starts = {_start_of(each): each for each in members}
            again = next((each.state for key, each in starts.items() if key not in well), None)
            if well_since is not None and again is not None:
                name = f"{again.name} " if watched.count > 1 else "it "
                return Seen(f"{name}ended and was started again: {describe(again)}")
            problem = await self.not_well(members, watched)
            now = self._ticks()
            for key in starts:
                first_seen.setdefault(key, now)
            ran = now - max(first_seen[key] for key in starts)
            checked = watched.probes or all(each.state.health != "none" for each in members)
            if not problem and not checked and ran < min(self._patience.settle, self._patience.stay):
                await self._sleep(self._patience.poll)
                continue
            if problem and well_since is not None:
                return Seen(f"it was healthy, and is not any more: {problem}")
            sick = problem and self._given_up(members, now - began)
            if sick:
                return Seen(f"{sick}: {problem}")
            if not problem:
                if well_since is None:
                    well_since, well = now, set(starts)
                    await on_well()
                last = now - well_since >= self._patience.stay
                if watched.alerts_before is not None and (last or now - asked >= self._patience.alerts):
                    asked = now
                    containers = [each.state.name for each in members]
                    firing = await self._alerts.firing(containers, watched.project, watched.names)
                    unasked = firing if isinstance(firing, str) else ""
                    new = [] if isinstance(firing, str) else [
                        name for key, name in firing.items() if key not in watched.alerts_before
                    ]  # fmt: skip
                    if new:
                        return Seen(
                            f"it is healthy, and an alert of it fires that did not before: {', '.join(sorted(new))}"
                        )
                if last:
                    return Seen("", unasked)
            await self._sleep(self._patience.poll)

    def _given_up(self, members: Sequence[Member], waited: float) -> str:
        """Why there is nothing left to wait for, in words; empty where it may yet become well. waited: seconds."""
        states = [each.state for each in members]
        patient = max(state.health_seconds if state.health == "starting" else 0.0 for state in states)
        if waited >= max(self._patience.start, patient):
            return "it has not become healthy"
        if any(state.status in ("exited", "dead", "restarting") and state.restarts >= 3 for state in states):
            return "it does not start"
        if any(state.status in ("exited", "dead") and state.restart_policy in ("no", "") for state in states):
            return "it has ended"
        return ""

    async def not_well(self, members: Sequence[Member], watched: Watched) -> str:
        """What is wrong with its containers now, in words; empty where nothing is."""
        sick = [
            each.state for each in members if not each.state.running or each.state.health in ("unhealthy", "starting")
        ]
        if sick and len(members) == 1:
            return describe(sick[0])
        if sick:
            return "; ".join(f"{state.name} {describe(state)}" for state in sick)
        results = await asyncio.gather(*(self._probe(name, probe) for name, probe in watched.probes))
        return "; ".join(f"probe {one.target}/{one.probe}: {one.detail}" for one in results if not one.success)


def _start_of(member: Member) -> tuple[str, str]:
    """Tells one start of one container from every other."""
    return member.state.id, member.state.started_at


def _missing(there: int, count: int) -> str:
    if not there:
        return "its containers are gone" if count > 1 else "its container is gone"
    return f"it has {there} containers, not {count}"
