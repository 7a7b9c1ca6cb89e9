"""reboot: the machine started anew where updates wait for that, and compared before and after.

What must be there again stands in the plan's action, with the start of the machine that it was made in. So whoever goes
on with the run afterwards knows that the machine was started since, and what to look for.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import psutil
from pydantic import Field, ValidationError

from exporter.base.errors import UpkeeperError
from exporter.base.units import format_duration
from remediator.config.config import Config
from remediator.config.reboot import Reboot as Settings
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.store import slots
from remediator.store.slots import Rival
from remediator.tasks.packages.apt.apt import LOCKS
from remediator.tasks.packages.locks import wait_until_free
from remediator.tasks.packages.task import found
from remediator.tasks.reboot.facts import HOST, REBOOT
from remediator.tasks.reboot.fingerprint import Fingerprint, not_back, said
from remediator.tasks.reboot.look import Look
from remediator.tasks.reboot.machine import Machine
from remediator.tasks.reboot.told import Told, read, write
from remediator.tasks.resources import Resources
from remediator.tasks.worker import in_thread

PLAN_LASTS = 900.0
"""Seconds after its plan in which the machine may be told to reboot: an interrupted run must not do so at noon."""
_POLL = 2.0
_NAMED = 10

Working = Callable[[], Awaitable[Sequence[Rival]]]
Broken = Callable[[], Awaitable[Sequence[str]]]


class RebootParameters(Parameters):
    anyway: bool = Field(default=False, description="also where nothing waits for a reboot")


class Reboot:
    """working: the runs of this host that act. broken: what the package managers have half done, for people.

    noted: the file that says whom it told to reboot; None where there is no state directory, so that nothing is told.

    clock (Unix seconds) and sleep are passed in by tests.
    """

    facts = REBOOT
    parameters = RebootParameters

    def __init__(
        self,
        settings: Settings,
        machine: Machine,
        look: Look,
        working: Working,
        broken: Broken,
        noted: Path | None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._machine = machine
        self._look = look
        self._working = working
        self._broken = broken
        self._noted = noted
        self._clock = clock
        self._sleep = sleep
        self.action_timeout = 2 * settings.free_within + settings.down_within + settings.back_within + 300.0

    async def targets(self) -> Sequence[str]:
        return [HOST]

    async def measure(self, target: str) -> Measurement:
        """Breached: updates wait for a reboot. Values: ``required``, 0 or 1; none where the machine does not tell."""
        waits = await self._machine.waits()
        values = {} if waits.required is None else {"required": float(waits.required)}
        uptime = self._machine.uptime()
        since = "" if uptime is None else f"; it was started {format_duration(max(1, round(uptime)))} ago"
        return Measurement(breached=bool(waits.required), values=values, detail=f"{waits}{since}")

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """Always asks, unless a person asked for the run."""
        if not self._machine.has_systemd:
            raise TaskError(
                "systemd does not run this machine, or Upkeeper runs in a container: reboot it by hand, or run the "
                "remediator on the machine itself"
            )
        waits = await self._machine.waits()
        if not waits.required and not params.get("anyway"):
            return Plan(notes=[f"{_sentence(str(waits))}; `anyway=true` reboots all the same."])
        if waits.in_vain and not params.get("anyway"):
            return Plan(notes=[f"{_sentence(str(waits))}: another reboot would do the same. Look at its default."])
        if broken := await self._broken():
            return Plan(notes=[f"Nothing is rebooted while packages are half installed: {'; '.join(broken[:5])}. "
                               "system-update mends them."])  # fmt: skip
        seen = await self._look.now()
        action = Action(
            kind="reboot",
            object=HOST,
            reason=str(waits) if waits.required else f"asked for; {waits}",
            params={
                "boot": self._machine.boot(),
                "at": self._clock(),
                "before": seen.found.model_dump(mode="json"),
            },
            identity=f"{self._machine.boot()} {waits}",
        )
        notes = [f"What must be there again: {said(seen.found)}.", *seen.leaves, *await self._about_us()]
        notes += [f"{_sentence(text)}." for text in seen.found.unknown]
        return Plan(actions=[action], notes=notes, asks="a reboot takes down all that runs on this machine")

    async def _about_us(self) -> Sequence[str]:
        """Who would be cut off, and whether this remediator comes back."""
        people = sorted({one.name for one in await asyncio.to_thread(psutil.users)})
        notes = [f"Logged in now: {', '.join(people)}."] if people else []
        if not self._machine.is_root:
            notes.append("Only root may reboot the machine, and this is not root.")
        unit = self._machine.own_unit()
        if not unit:
            notes.append("systemd does not start this program: the run ends once the remediator is started again.")
        elif not await self._machine.starts(unit):
            notes.append(f"{unit} is not enabled: the run ends once it is started again.")
        return notes

    async def apply(self, target: str, action: Action) -> Effect:
        """Reboots, and does not return; called again after that, it waits until all is back. Raises TaskError."""
        before = _fingerprint(action)
        if self._machine.boot() != action.params["boot"]:
            return await self._back(before, float(str(action.params["at"])))
        age = self._clock() - float(str(action.params["at"]))
        if not 0 <= age < PLAN_LASTS:
            return Effect(state="skipped", detail=f"the plan is {format_duration(abs(round(age)))} old: plan again")
        if not self._machine.is_root:
            raise TaskError("only root may reboot the machine: run the remediator, or this command, as root")
        if self._noted is None:
            raise TaskError("nothing is rebooted without a state directory, which keeps the run")
        told = Told(boot=str(action.params["boot"]), at=float(str(action.params["at"])))
        if await asyncio.to_thread(read, self._noted) == told:
            raise TaskError("the machine was told to reboot before, and as far as can be seen it has not: look why")
        await self._until_free()
        await asyncio.to_thread(write, self._noted, told)
        await self._machine.reboot("Upkeeper reboots this machine: updates wait for it")
        await self._sleep(self._settings.down_within)
        raise TaskError(
            f"the machine was told to reboot and has not stopped within {format_duration(self._settings.down_within)}: "
            "`systemctl list-jobs` shows what keeps it"
        )

    async def _until_free(self) -> None:
        """Raises TaskError where somebody is still at work in the end."""
        end = self._clock() + self._settings.free_within
        while others := await self._working():
            if self._clock() >= end:
                named = ", ".join(f"run {one.run_id} ({one.task} on {one.target})" for one in others)
                raise TaskError(f"{named} still acts, and is not cut off by a reboot; run this again afterwards")
            await self._sleep(_POLL)
        paths = [self._machine.path(path) for path in LOCKS]
        await in_thread(lambda stop: wait_until_free(paths, self._settings.free_within, stop.is_set))

    async def _back(self, before: Fingerprint, planned: float) -> Effect:
        """Waits until all that ran before runs again. Raises TaskError with what does not."""
        end = self._clock() + self._settings.back_within
        while True:
            try:
                missing = not_back(before, (await self._look.now()).found)
            except UpkeeperError as error:
                missing = [str(error)]
            if not missing:
                since = format_duration(max(1, round(self._clock() - planned)))
                return Effect(state="done", detail=f"all is back {since} after the plan: {said(before)}")
            if self._clock() >= end:
                rest = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
                raise TaskError(f"the machine was rebooted, but {'; '.join(missing[:_NAMED])}{rest}")
            await self._sleep(_POLL)

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return before.breached and not after.breached


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _fingerprint(action: Action) -> Fingerprint:
    try:
        return Fingerprint.model_validate(action.params["before"])
    except (KeyError, ValidationError) as error:
        raise TaskError(f"what ran before the reboot cannot be read: {error}") from None


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    machine = Machine()

    async def working() -> Sequence[Rival]:
        record = resources.record
        others = await record.read(partial(slots.at_work, host=record.host))
        return [one for one in others if one.task != REBOOT.name]

    async def broken() -> Sequence[str]:
        said = []
        for manager in found(config.packages):
            state = await manager.state()
            said += [f"{name} is {how}" for name, how in state.broken.items()]
            if state.interrupted:
                said.append(f"{manager.name} was interrupted")
        return said

    noted = None if resources.state_dir is None else resources.state_dir / "reboot.json"
    return [Reboot(config.reboots, machine, Look(machine, resources.docker, config.services), working, broken, noted)]
