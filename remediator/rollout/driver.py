"""Goes on with rollouts. What one does next follows from what is stored, and each step is one transaction on its row: a
driver that is killed at any moment has done a step or not, and whoever goes on with it, this host after its restart
or another one, does none twice.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
import structlog

from exporter.base.wakeup import is_set_within
from remediator.audit.record import Entry, Kind
from remediator.model.errors import NoRoom
from remediator.model.rollout import Rollout
from remediator.model.run import Request
from remediator.rollout.sight import Looking
from remediator.rollout.turn import Facts, RunState, Sight, began, in_flight, next_turn
from remediator.store import audit, fleet, rollouts, runs
from remediator.store.database import Database
from remediator.store.fleet import UP_WITHIN
from remediator.store.room import ROOM_INTERVAL

log = structlog.get_logger(__name__)

STEP = 1.0
"""Seconds between two looks at the runs of a wave."""
LOOK = 10.0
"""Seconds between two looks at alerts, at most."""
SLOW = 5.0
"""Seconds between two looks at runs that are to end before a rollout has stopped."""


@dataclass(frozen=True)
class Stepped:
    """A rollout before and after a step, and the hosts that have a run more."""

    before: Rollout
    after: Rollout
    asked: Sequence[str]


class Driver:
    """Drives what this host has begun, and what nobody drives any more.

    called: there are runs of this host that it has not begun yet.
    """

    def __init__(
        self, database: Database, looking: Looking, clock: Callable[[], float], called: Callable[[], None]
    ) -> None:
        self._database = database
        self._looking = looking
        self._clock = clock
        self._called = called
        self._wake = asyncio.Event()
        self._sights: dict[int, Sight] = {}

    def wake(self) -> None:
        """A rollout was begun or changed, or one has lost its driver."""
        self._wake.set()

    async def run(self) -> None:
        """Goes on with them. Ends by cancellation; while there is none it waits to be woken."""
        pause: float | None = 0.0
        while True:
            await is_set_within(self._wake, pause)
            self._wake.clear()
            try:
                pause = await self.go_on()
            except NoRoom:
                pause = ROOM_INTERVAL  # the store has warned of it
            except (sa.exc.SQLAlchemyError, OSError):
                log.exception("rollouts could not be gone on with")
                pause = ROOM_INTERVAL

    async def go_on(self) -> float | None:
        """Takes each as far as it goes now; seconds until there may be more to do, None where there is none."""
        mine = await self._database.read(partial(rollouts.to_drive, host=self._database.host, now=self._clock()))
        self._sights = {id: sight for id, sight in self._sights.items() if id in mine}
        pauses = [pause for id in mine if (pause := await self._drive(id)) is not None]
        return min(pauses, default=None)

    async def _drive(self, id: int) -> float | None:
        rollout = await self._database.read(partial(rollouts.get, rollout_id=id))
        if rollout.driver != self._database.host and rollout.alerts and not self._looking.can():
            return SLOW  # another host that knows of alerts takes it over, as a rule
        now = self._clock()
        if rollout.alerts and rollout.state == "running" and self._is_due(rollout, now):
            hosts = [one.host for one in rollout.touched]
            self._sights[id] = await self._looking.look(hosts, rollout.asked_at)
        stepped = await self._database.write(partial(self._step, id=id, sight=self._sights.get(id)))
        if stepped is None:
            return None
        tell(stepped)
        if self._database.host in stepped.asked:
            self._called()
        return self._pause(stepped.after)

    def _is_due(self, rollout: Rollout, now: float) -> bool:
        """Whether alerts are to be looked at."""
        seen = self._sights.get(rollout.id)
        if seen is None or seen.at < rollout.since:
            return True
        until = None if rollout.quiet_since is None else rollout.quiet_since + rollout.wait
        return (until is not None and now >= until > seen.at) or now - seen.at >= min(
            LOOK, max(STEP, rollout.wait / 10)
        )

    def _pause(self, rollout: Rollout) -> float | None:
        if rollout.finished_at is not None:
            return None
        if rollout.state != "running":
            return SLOW
        if rollout.quiet_since is None:
            return STEP
        left = rollout.quiet_since + rollout.wait - self._clock()
        return min(max(left, 0.05), max(STEP, min(LOOK, rollout.wait / 10)))

    def _step(self, connection: sa.Connection, id: int, sight: Sight | None) -> Stepped | None:
        """In one transaction: takes the rollout as far as it goes, and asks for the runs that are to begin."""
        now, host = self._clock(), self._database.host
        before = rollouts.take(connection, id, host, now)
        if before is None:
            return None
        facts = self._facts(connection, before, sight, now)
        turn = next_turn(before, facts)
        after, asked = turn.rollout, []
        for name in turn.begin:
            run_id, new = runs.create_unless_in_flight(connection, request_of(after, name, host), now)
            if new:
                asked.append(name)
                after = began(after, name, run_id, now)
            else:
                after = in_flight(after, name, run_id, now)
        if after.state in ("stopping", "cancelling"):
            self._take_back(connection, after, now)
        if after == before:
            return Stepped(before, after, asked)
        rollouts.save(connection, after)
        audit.append(connection, host, *entries(before, after, asked, now))
        fleet.call(connection, asked)
        return Stepped(before, after, asked)

    def _take_back(self, connection: sa.Connection, rollout: Rollout, now: float) -> None:
        """Runs that have not begun do not, as where their host is away: it would begin them when it is back."""
        for one in rollout.members:
            if one.state == "running" and one.run_id is not None:
                fleet.join_writers(connection, one.host)
                why = f"rollout {rollout.id} stopped before it began"
                if runs.cancel_queued(connection, one.run_id, why, rollout.caller, now):
                    log.info("run taken back", run=one.run_id, host=one.host, rollout=rollout.id)

    def _facts(self, connection: sa.Connection, rollout: Rollout, sight: Sight | None, now: float) -> Facts:
        ids = [one.run_id for one in rollout.members if one.run_id is not None and one.state == "running"]
        found = {id: RunState(*state) for id, state in rollouts.states(connection, ids).items()}
        away: Mapping[str, float | None]
        if self._database.one_machine:
            away = {self._database.host: 0.0}
        else:
            standings = fleet.standings(connection, now)
            away = {one.host: None if one.stopped_at is not None else one.age for one in standings}
        return Facts(found, away, UP_WITHIN, sight, now)


def request_of(rollout: Rollout, host: str, driver: str) -> Request:
    """The run on a host: what whoever asked for the rollout could ask that host for."""
    return Request(
        host=host,
        task=rollout.task,
        target=rollout.target,
        caller=rollout.caller,
        dry_run=False,
        params=rollout.params,
        via=None if host == driver else driver,
    )


def entries(before: Rollout, after: Rollout, asked: Sequence[str], now: float) -> Sequence[Entry]:
    """What the audit is told of a step."""
    found = []
    if asked:
        runs_of = {one.host: one.run_id for one in after.members if one.host in asked}
        found.append(entry(after, "rollout.wave", now, {"wave": after.wave, "runs": runs_of}))
    if after.state != before.state:
        kinds: Mapping[str, Kind] = {"stopping": "rollout.stopped", "stopped": "rollout.stopped"}
        kind = kinds.get(after.state, "rollout.ended")
        body = {"state": after.state, "reason": after.reason, "hosts": {one.host: one.state for one in after.members}}
        found.append(entry(after, kind, now, body))
    return found


def entry(rollout: Rollout, kind: Kind, now: float, body: Mapping[str, object]) -> Entry:
    """A record about a rollout."""
    return Entry(kind, now, rollout.caller, {"rollout": rollout.id, "task": rollout.task, **body})


def tell(stepped: Stepped) -> None:
    """Logs what a step has led to."""
    before, after = stepped.before, stepped.after
    if stepped.asked:
        log.info("rollout goes on", rollout=after.id, task=after.task, wave=after.wave, hosts=list(stepped.asked))
    if after.state != before.state:
        level = log.warning if after.state in ("stopping", "stopped") else log.info
        level("rollout is " + after.state, rollout=after.id, task=after.task, reason=after.reason)
    if after.hitch and after.hitch != before.hitch:
        log.info("rollout is held up", rollout=after.id, reason=after.hitch)
