"""service-restart of a systemd unit: measured, planned and restarted until it is active and its probes are well."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from exporter.base.errors import UpkeeperError
from exporter.base.redact import redacted
from exporter.base.text import counted
from exporter.inventory.services import Service
from exporter.probing.result import ProbeResult
from remediator.model.evidence import Source
from remediator.model.task import Action, Effect, Measurement, Plan, TaskError
from remediator.tasks.service_restart.endings import explain
from remediator.tasks.service_restart.restarter import Pacing
from remediator.tasks.service_restart.unit_state import (
    UnitState,
    describe_unit,
    dies_over_and_over,
    judge_unit,
    params_of,
)
from remediator.tasks.service_restart.units import Units

log = structlog.get_logger(__name__)

Failing = Callable[[Service], Awaitable[list[ProbeResult]]]


class UnitRestart:
    """Restarts the unit of a service. failing: its probes that fail now.

    clock (monotonic seconds) and sleep are passed in by tests.
    """

    def __init__(
        self,
        units: Units,
        failing: Failing,
        pacing: Pacing,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._units, self._failing, self._pacing = units, failing, pacing
        self._clock, self._sleep = clock, sleep

    async def measure(self, service: Service) -> Measurement:
        """Values: ``running`` (0 or 1), ``probes_failing``, ``restarts`` by systemd itself."""
        state, failing = await self._look(service)
        return Measurement(
            breached=not state.running or bool(failing),
            values={"running": float(state.running), "probes_failing": len(failing), "restarts": state.restarts},
            detail=f"{state.name}: {describe_unit(state, _words(failing))}",
        )

    def evidence(self, service: Service) -> Sequence[Source]:
        """How the unit stands, and its last words."""

        async def state() -> Sequence[str]:
            found = await self._units.find(_unit(service))
            return [f"{found.name}: {describe_unit(found)}", f"invocation {found.invocation or 'none'}"]

        async def journal() -> Sequence[str]:
            return [redacted(line, set()) for line in await self._units.log(_unit(service))]

        return [Source("unit", state), Source("unit's journal", journal)]

    async def plan(self, service: Service) -> Plan:
        state, failing = await self._look(service)
        advice = judge_unit(state, _words(failing), starting=any(each.starting for each in failing))
        if advice.action is None:
            notes = [f"{advice.reason}."]
            if dies_over_and_over(state):
                notes += await self._why(state)
            return Plan(notes=notes)
        action = Action(kind=advice.action, object=state.name, reason=advice.reason, params=dict(params_of(state)))
        return Plan(actions=[action])

    async def apply(self, service: Service, action: Action, seconds: float) -> Effect:
        """A unit that was started since the plan, by a person or by this action before a crash, is only waited for.

        seconds: within which to give up. Raises TaskError if it has not recovered by then.
        """
        ends = self._clock() + seconds
        state, failing = await self._look(service)
        if state.invocation != action.params["invocation"] and state.running:
            problem = await self._wait(service, state, ends)
            if problem is not None:
                raise TaskError(f"{state.name} was started again since the plan, but has not recovered: {problem}")
            return Effect(state="skipped", detail="it was started again since the plan, and has recovered")
        advice = judge_unit(state, _words(failing), starting=any(each.starting for each in failing))
        if advice.action is None:
            return Effect(state="skipped", detail=advice.reason)
        restarts, pause, problem, how = 0, self._pacing.backoff, None, advice.action
        for attempt in range(1, self._pacing.attempts + 1):
            restarts += 1
            problem = await self._restart(service, how, ends)
            if problem is None:
                return Effect(state="done", detail=f"recovered after {counted(restarts, 'restart')}")
            log.warning("unit is not well", unit=state.name, restarts=restarts, problem=problem)
            if attempt == self._pacing.attempts or self._clock() + pause >= ends:
                break
            await self._sleep(pause)
            pause *= 2
            state, failing = await self._look(service)
            advice = judge_unit(state, _words(failing))
            if advice.action is None:
                if advice.may_be_well and await self._wait(service, state, ends) is None:
                    return Effect(state="done", detail=f"recovered after {counted(restarts, 'restart')}")
                raise TaskError(f"gave up after {counted(restarts, 'restart')}: {advice.reason}")
            how = advice.action
        raise TaskError(f"{state.name} has not recovered after {counted(restarts, 'restart')}: {problem}")

    async def _restart(self, service: Service, how: str, ends: float) -> str | None:
        """Restarts once and waits. None once it has recovered, else what is wrong, in words."""
        try:
            await self._units.restart(_unit(service), how)
        except UpkeeperError as error:
            return str(error)
        return await self._wait(service, await self._units.find(_unit(service)), ends)

    async def _wait(self, service: Service, start: UnitState, ends: float) -> str | None:
        """Follows one start until the unit is active and its probes are well; else what is wrong, in words."""
        deadline = min(ends, self._clock() + self._pacing.probes)
        while True:
            state, failing = await self._look(service)
            if state.active in ("failed", "inactive") or dies_over_and_over(state):
                return describe_unit(state)
            if state.running and state.invocation == start.invocation and not failing:
                return None
            if state.running and start.running and state.invocation != start.invocation:
                return "it stopped and was started again, not by this run"
            if self._clock() >= deadline:
                return describe_unit(state, _words(failing))
            start = start if start.running else state
            await self._sleep(self._pacing.poll)

    async def _look(self, service: Service) -> tuple[UnitState, list[ProbeResult]]:
        """Its probes are not asked while it is not running."""
        state = await self._units.find(_unit(service))
        return state, await self._failing(service) if state.running else []

    async def _why(self, state: UnitState) -> list[str]:
        try:
            lines = [redacted(line, set()) for line in await self._units.log(state.name)]
        except UpkeeperError as error:
            lines = [f"(its journal cannot be read: {error})"]
        oom = state.result == "oom-kill"
        return explain(lines, state.exit_code, oom=oom, memory_limit=state.memory_max)


def _unit(service: Service) -> str:
    assert service.unit is not None
    return service.unit


def _words(failing: Sequence[ProbeResult]) -> list[str]:
    return [f"probe {result.target}/{result.probe}: {result.detail}" for result in failing]
