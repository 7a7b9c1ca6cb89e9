"""Rollouts: what one would be, beginning it, and what becomes of it."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog

from exporter.base.text import format_time_ms, nearest
from remediator.api.operations import NO_HOSTS, NO_PARAMS, PAGE, QUIET
from remediator.audit.canonical import canonical
from remediator.model.caller import Caller
from remediator.model.errors import conflict, not_found, unavailable, unprocessable
from remediator.model.rollout import OPEN, STATES, Member, Rollout
from remediator.model.shapes.answers import Page
from remediator.model.shapes.rollouts import RolloutHostView, RolloutView
from remediator.rollout.driver import entry
from remediator.rollout.sight import Looking
from remediator.rollout.turn import cancelled, resumed
from remediator.rollout.waves import Candidate, members
from remediator.store import audit, fleet, rollouts
from remediator.store.database import Database

log = structlog.get_logger(__name__)


class Rolling:
    """caller: who asks. serves: whether this process is the host's remediator, which alone drives. wake: called when
    there is something to drive. ask: asks another host.
    """

    def __init__(
        self,
        database: Database,
        looking: Looking,
        clock: Callable[[], float],
        caller: Callable[[], Caller],
        serves: Callable[[], bool],
        wake: Callable[[], None],
        ask: Callable[..., Awaitable[Any]],
    ) -> None:
        self._ask = ask
        self._database = database
        self._looking = looking
        self._clock = clock
        self._caller = caller
        self._serves = serves
        self._wake = wake

    async def rollouts(self, *, limit: int = PAGE, before: int | None = None) -> Page[RolloutView]:
        found, following = await self._database.read(partial(rollouts.page, limit=limit, before=before))
        return {"items": [view(one) for one in found], "next": following}

    async def rollout(self, id: int) -> RolloutView:
        return view(await self._get(id))

    async def plan_rollout(
        self,
        task: str,
        target: str,
        params: Mapping[str, Any] = NO_PARAMS,
        hosts: list[str] = NO_HOSTS,
        failure_domain: str | None = None,
        wait: float = QUIET,
        at_once: int | None = None,
        alerts: bool = True,
    ) -> RolloutView:
        """What a rollout would be now. Changes nothing and records nothing."""
        found = await self._database.read(partial(fleet.standings, now=self._clock()))
        # On one machine's own database nobody gives signs of life: whoever answers is there.
        alone = self._database.one_machine
        candidates = [Candidate(one.host, one.up or alone, one.seen_at, one.paused, one.labels) for one in found]
        if failure_domain is not None and not any(failure_domain in one.labels for one in candidates):
            known = sorted({name for one in candidates for name in one.labels})
            hint = nearest(failure_domain, known) or (
                f"known labels: {', '.join(known)}" if known else "give hosts labels: `host: {labels: {...}}`"
            )
            raise unprocessable(f"no host has a label {failure_domain!r}; {hint}")
        now = self._clock()
        return view(
            Rollout(
                host=self._database.host,
                task=task,
                target=target,
                params=params,
                caller=self._caller(),
                label=failure_domain,
                wait=wait,
                alerts=alerts,
                members=members(candidates, hosts, failure_domain, at_once),
                asked_at=now,
                since=now,
                driver=self._database.host,
            )
        )

    async def start_rollout(
        self,
        task: str,
        target: str,
        params: Mapping[str, Any] = NO_PARAMS,
        hosts: list[str] = NO_HOSTS,
        failure_domain: str | None = None,
        wait: float = QUIET,
        at_once: int | None = None,
        alerts: bool = True,
        plan_hash: str | None = None,
    ) -> RolloutView:
        """Begins a rollout. Raises RequestError where its waves are others than those of that hash, where no host is
        left, and where alerts are to be looked at and cannot be known.
        """
        self._require_service()
        if self._database.journal is not None:
            raise unavailable("the database that hosts share is away: a rollout begins when it is back")
        planned = await self.plan_rollout(task, target, params, hosts, failure_domain, wait, at_once, alerts)
        if plan_hash is not None and planned["plan_hash"] != plan_hash:
            raise conflict("the waves are others by now: look at them again")
        if not planned["waves"]:
            why = "; ".join(f"{one['host']}: {one['reason']}" for one in planned["hosts"]) or "there is none"
            raise conflict(f"no host can take part: {why}")
        now = self._clock()
        if alerts:
            sight = await self._looking.look([], now)
            if sight.unknown:
                raise unavailable(
                    f"{sight.unknown}; without them only failed runs stop a rollout: --no-alerts (API: alerts=false)"
                )
        begun = Rollout(
            host=self._database.host,
            task=task,
            target=target,
            params=params,
            caller=self._caller(),
            label=failure_domain,
            wait=wait,
            alerts=alerts,
            members=[_member(one) for one in planned["hosts"]],
            asked_at=now,
            since=now,
            driver=self._database.host,
        )
        id = await self._database.write(partial(_store, rollout=begun, now=now))
        log.info("rollout begun", rollout=id, task=task, hosts=len(begun.members), by=begun.caller.name)
        self._wake()
        return await self.rollout(id)

    async def resume_rollout(self, id: int, without: list[str] = NO_HOSTS) -> RolloutView:
        """Goes on with one that has stopped or was cancelled. without: hosts that are left out from now on."""
        self._require_service()
        found = await self._get(id)
        strangers = sorted(set(without) - {one.host for one in found.members})
        if strangers:
            raise not_found(f"rollout {id} has no host {strangers[0]!r}")
        await self._change(id, partial(self._resume, without=without, caller=self._caller()))
        self._wake()
        return await self.rollout(id)

    async def cancel_rollout(self, id: int, reason: str = "") -> RolloutView:
        """No other run of it begins. Those under way go on to their end."""
        found = await self._get(id)
        if self._database.held and found.state in OPEN and found.driver != self._database.host:
            there: RolloutView = await self._ask(found.driver, "cancel_rollout", id=id, reason=reason)
            return there
        await self._change(id, partial(self._cancel, reason=reason, caller=self._caller()))
        self._wake()
        return await self.rollout(id)

    async def _change(self, id: int, change: Callable[[sa.Connection, Rollout], Rollout]) -> None:
        def work(connection: sa.Connection) -> None:
            try:
                before = rollouts.hold(connection, id)
            except LookupError as error:
                raise not_found(str(error)) from error
            rollouts.save(connection, change(connection, before))

        await self._database.write(work)

    def _resume(self, connection: sa.Connection, rollout: Rollout, without: Sequence[str], caller: Caller) -> Rollout:
        if rollout.state in ("running", "done") or rollout.state not in STATES:
            raise conflict(f"rollout {rollout.id} is {rollout.state}: it can be resumed once it has stopped")
        now = self._clock()
        after = resumed(rollout, without, caller.name or caller.trigger, now)
        body = {"rollout": rollout.id, "task": rollout.task, "without": list(without)}
        audit.append(
            connection, self._database.host, replace(entry(after, "rollout.resumed", now, body), caller=caller)
        )
        rollouts.hand_over(connection, rollout.id, self._database.host, now)
        return after

    def _cancel(self, connection: sa.Connection, rollout: Rollout, reason: str, caller: Caller) -> Rollout:
        if rollout.state not in (*OPEN, "stopped"):
            raise conflict(f"rollout {rollout.id} is {rollout.state}")
        now = self._clock()
        why = f"cancelled by {caller.name or caller.trigger}{f': {reason}' if reason else ''}"
        after = cancelled(rollout, why)
        if rollout.state == "stopped":
            after = replace(after, state="cancelled")
        body = {"rollout": rollout.id, "task": rollout.task, "reason": reason}
        audit.append(
            connection, self._database.host, replace(entry(after, "rollout.cancelled", now, body), caller=caller)
        )
        return after

    async def _get(self, id: int) -> Rollout:
        try:
            return await self._database.read(partial(rollouts.get, rollout_id=id))
        except LookupError as error:
            raise not_found(str(error)) from error

    def _require_service(self) -> None:
        if not self._serves():
            raise unavailable("a rollout needs a running remediator, which drives it")


def view(rollout: Rollout) -> RolloutView:
    """A rollout in the API's shape."""
    next_at = None if rollout.quiet_since is None else rollout.quiet_since + rollout.wait
    return {
        "id": rollout.id or None,
        "host": rollout.host,
        "task": rollout.task,
        "target": rollout.target,
        "params": dict(rollout.params),
        "caller": {"trigger": rollout.caller.trigger, "name": rollout.caller.name},
        "label": rollout.label,
        "wait": rollout.wait,
        "alerts": rollout.alerts,
        "state": rollout.state,
        "reason": rollout.reason,
        "hitch": rollout.hitch,
        "wave": rollout.wave,
        "waves": max((one.wave for one in rollout.members), default=0),
        "asked_at": format_time_ms(rollout.asked_at),
        "next_at": None if next_at is None or rollout.state != "running" else format_time_ms(next_at),
        "finished_at": None if rollout.finished_at is None else format_time_ms(rollout.finished_at),
        "driver": rollout.driver,
        "plan_hash": _hash(rollout),
        "hosts": [_host_view(one) for one in rollout.members],
    }


def _host_view(one: Member) -> RolloutHostView:
    return {
        "host": one.host,
        "domain": one.domain,
        "wave": one.wave,
        "state": one.state,
        "reason": one.reason,
        "run": one.run_id,
        "began_at": None if one.began_at is None else format_time_ms(one.began_at),
    }


def _member(one: RolloutHostView) -> Member:
    return Member(one["host"], one["domain"], one["wave"], one["state"], one["reason"])


def _hash(rollout: Rollout) -> str:
    """Of what would be done where and in which order."""
    waves = [[one.wave, one.host] for one in rollout.members if one.wave]
    what = [rollout.task, rollout.target, dict(rollout.params), rollout.label, rollout.wait, rollout.alerts, waves]
    return hashlib.sha256(canonical(what).encode()).hexdigest()


def _store(connection: sa.Connection, rollout: Rollout, now: float) -> int:
    id = rollouts.create(connection, rollout, now)
    waves = {one.host: one.wave for one in rollout.members}
    body = {"target": rollout.target, "params": dict(rollout.params), "label": rollout.label, "wait": rollout.wait,
            "alerts": rollout.alerts, "waves": waves}  # fmt: skip
    audit.append(connection, rollout.host, entry(replace(rollout, id=id), "rollout.begun", now, body))
    return id
