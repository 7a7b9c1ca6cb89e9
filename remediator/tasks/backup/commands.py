"""Commands of the user's before and after a backup: argument lists, never a shell, bounded in time and in what is kept.

That ``after`` is owed is noted on disk before the first ``before`` runs, so that a run that is interrupted in between
runs it when it goes on; else the next run of the series does.
"""

import asyncio
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from exporter.base import programs
from exporter.base.programs import CommandFailed
from exporter.base.replace_file import replace_file
from exporter.base.units import format_duration
from remediator.model.task import TaskError
from remediator.tasks.worker import in_thread

_MOST_SAID = 300
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class _Note(BaseModel):
    set: str


@dataclass(frozen=True)
class Commands:
    """Those of one series. note: the file of what is owed, on a disk that outlives us. seconds: for each command."""

    before: Sequence[Sequence[str]]
    after: Sequence[Sequence[str]]
    seconds: float
    environment: Mapping[str, str]
    note: Path

    async def owed(self) -> bool:
        """Whether an earlier run began and did not come to ``after``."""
        return await in_thread(lambda _: self._noted())

    async def owe(self, name: str) -> None:
        """Notes that ``after`` is to run, for a set of this name. Raises OSError."""
        if self.after:
            await in_thread(lambda _: self._note(name))

    async def run_before(self, name: str) -> str:
        """Runs them in order; the last words of the last. Raises TaskError at the first that fails."""
        said = ""
        for command in self.before:
            said = await self._run(command, name)
        return said

    async def run_after(self, name: str) -> str:
        """Runs all of them, also where one fails. Raises TaskError then; what is owed is done in any case."""
        said, failed = "", []
        for command in self.after:
            try:
                said = await self._run(command, name)
            except TaskError as error:
                failed.append(str(error))
        await in_thread(lambda _: self.note.unlink(missing_ok=True))
        if failed:
            raise TaskError("; ".join(failed))
        return said

    async def _run(self, command: Sequence[str], name: str) -> str:
        told = shlex.join(command)
        try:
            async with asyncio.timeout(self.seconds):
                done = await programs.run(command, environment={**self.environment, "UPKEEPER_SET": name}, polite=False)
        except TimeoutError:
            raise TaskError(f"{told} took longer than {format_duration(self.seconds)} and was ended") from None
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or error
            raise TaskError(f"{told} cannot be run: {why}") from None
        except CommandFailed as error:
            raise TaskError(f"{told}: {error}") from None
        said = _said(done.errors) or _said(done.output)
        if done.status:
            raise TaskError(f"{told} ended with exit status {done.status}" + (f": {said}" if said else ""))
        return said

    def _noted(self) -> bool:
        try:
            _Note.model_validate_json(self.note.read_bytes())
        except FileNotFoundError:
            return False
        except (OSError, ValidationError) as error:
            raise TaskError(f"{self.note}, which says that after: is owed, cannot be read: {error}") from None
        return True

    def _note(self, name: str) -> None:
        self.note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(self.note, _Note(set=name).model_dump_json().encode(), durable=True)


def _said(text: str) -> str:
    """The end of what a program wrote, on one line."""
    line = _CONTROL.sub(" ", text.strip())
    return line if len(line) <= _MOST_SAID else f"...{line[3 - _MOST_SAID :]}"
