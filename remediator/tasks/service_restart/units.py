"""The host's systemd units, through systemctl and journalctl."""

import asyncio
from collections.abc import Sequence

from exporter.base.programs import CommandFailed, run
from remediator.model.task import TaskError
from remediator.tasks.service_restart.unit_state import PROPERTIES, UnitState, parse_unit

LOG_LINES = 60
_LOOK_SECONDS = 15.0
_ACT_SECONDS = 330.0
"""A unit has 90 s to stop by default, and as long to start; many have more."""


class Units:
    """Asks systemd. Every method raises TaskError or CommandFailed when it does not answer.

    systemctl, journalctl: the programs, with options that each call gets.
    """

    def __init__(self, systemctl: Sequence[str] = ("systemctl",), journalctl: Sequence[str] = ("journalctl",)) -> None:
        self._systemctl, self._journalctl = list(systemctl), list(journalctl)

    async def find(self, name: str) -> UnitState:
        """Raises TaskError where there is no such unit."""
        answer = await self._run([*self._systemctl, "show", f"--property={PROPERTIES}", "--", name], _LOOK_SECONDS)
        state = parse_unit(name, answer)
        if state.load == "not-found":
            raise TaskError(f"there is no unit {name}; correct `unit:`")
        return state

    async def restart(self, name: str, how: str) -> None:
        """``restart`` or ``start``; returns when systemd has done it. What it counted as failures is forgotten."""
        if how == "start":
            await self._run([*self._systemctl, "--no-ask-password", "reset-failed", "--", name], _LOOK_SECONDS)
        await self._run([*self._systemctl, "--no-ask-password", how, "--", name], _ACT_SECONDS)

    async def log(self, name: str) -> list[str]:
        """The last lines that the unit wrote into the journal."""
        options = [f"--unit={name}", f"--lines={LOG_LINES}", "--output=cat", "--no-pager", "--quiet"]
        return (await self._run([*self._journalctl, *options], _LOOK_SECONDS)).splitlines()

    async def _run(self, command: Sequence[str], seconds: float) -> str:
        try:
            async with asyncio.timeout(seconds):
                done = await run(command, polite=False)
        except TimeoutError:
            raise CommandFailed(f"{command[0]}: no answer within {seconds:.0f} s") from None
        except OSError as error:
            raise TaskError(f"{command[0]} cannot be run: {error.strerror}") from error
        if done.status != 0:
            raise CommandFailed(f"{command[0]}: {done.complaint}")
        return done.output
