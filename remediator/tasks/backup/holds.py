"""Containers that stand still while something of theirs is copied, and that always run again afterwards.

Which ones is noted on disk before the first is stopped, so that a run that is interrupted in between, however, starts
them when it goes on; else the next run of the series does.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ValidationError

from exporter.base.errors import UpkeeperError
from exporter.base.replace_file import replace_file
from exporter.docker.engine import DockerEngine, EngineRefused, is_gone
from remediator.model.task import TaskError
from remediator.tasks.backup.contained import LABELS
from remediator.tasks.worker import in_thread

if TYPE_CHECKING:
    from docker import APIClient

How = Literal["stop", "pause"]
_STOP_SECONDS = 120
_WAIT_SECONDS = 180.0


class Held(BaseModel):
    """A container that ran, and that was or is about to be stopped or paused."""

    id: str
    name: str
    how: How


class _Note(BaseModel):
    version: Literal[1] = 1
    held: list[Held]


@dataclass(frozen=True)
class Containers:
    """Stops and starts containers of one series. note: the file of what is stopped, on a disk that outlives us.

    section: of the config, where they are named.
    """

    engine: DockerEngine
    note: Path
    section: str = "make:"

    @asynccontextmanager
    async def still(self, stop: Sequence[str], pause: Sequence[str]) -> AsyncIterator[None]:
        """Within the block those of these names that run stand still; afterwards all run again that did before.

        Raises UpkeeperError; also where one cannot be started again, which is then tried by the next run.
        """
        if not stop and not pause:
            yield
            return
        before = await self.noted()
        running = [await self._running(name, "stop") for name in stop]
        running += [await self._running(name, "pause") for name in pause]
        known = {each.id for each in before}
        held = [*before, *(each for each in running if each is not None and each.id not in known)]
        await in_thread(lambda _: self._write(held))
        try:
            for each in held:
                await self._hold(each)
            yield
        finally:
            await asyncio.shield(asyncio.ensure_future(self.release()))

    async def noted(self) -> list[Held]:
        """Those that an earlier run stopped and did not start again. Raises TaskError where that cannot be told."""
        return await in_thread(lambda _: self._read())

    async def release(self) -> list[str]:
        """Starts or unpauses all that are noted; their names. Raises UpkeeperError where one does not run again."""
        held = await self.noted()
        failed: list[tuple[Held, UpkeeperError]] = []
        names: list[str] = []
        for each in held:
            try:
                await self._engine_for_long().call(partial(_let_go, held=each))
                names.append(each.name)
            except UpkeeperError as error:
                failed.append((each, error))
        await in_thread(lambda _: self._write([each for each, _ in failed]))
        if failed:
            left, why = failed[0]
            raise TaskError(f"the container {left.name} stood still and cannot go on: {why}")
        return names

    async def _running(self, name: str, how: How) -> Held | None:
        """The container of this name if it runs. Raises TaskError where there is none."""
        try:
            found = await self.engine.call(lambda client: client.inspect_container(name))
        except EngineRefused as error:
            if is_gone(error):
                raise TaskError(f"there is no container {name} to {how}; correct its name in {self.section}") from None
            raise
        state = found["State"]
        if not state["Running"] or state.get("Paused"):
            return None
        return Held(id=found["Id"], name=found["Name"].lstrip("/"), how=how)

    async def _hold(self, held: Held) -> None:
        await self._engine_for_long().call(partial(_hold, held=held))

    def _engine_for_long(self) -> DockerEngine:
        return self.engine.patient(_WAIT_SECONDS)

    def _read(self) -> list[Held]:
        try:
            return _Note.model_validate_json(self.note.read_bytes()).held
        except FileNotFoundError:
            return []
        except (OSError, ValidationError) as error:
            raise TaskError(f"{self.note}, which names stopped containers, cannot be read: {error}") from None

    def _write(self, held: Sequence[Held]) -> None:
        if not held:
            self.note.unlink(missing_ok=True)
            return
        self.note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        document = json.loads(_Note(held=list(held)).model_dump_json())
        replace_file(self.note, f"{json.dumps(document, indent=1)}\n".encode(), durable=True)


def _hold(client: "APIClient", held: Held) -> None:
    state = client.inspect_container(held.id)["State"]
    if held.how == "stop":
        if state["Running"]:
            client.stop(held.id, timeout=_STOP_SECONDS)
    elif state["Running"] and not state.get("Paused"):
        client.pause(held.id)


def _let_go(client: "APIClient", held: Held) -> None:
    """Lets it run again. One that is gone, or was made anew, is somebody else's doing."""
    try:
        state = client.inspect_container(held.id)["State"]
        if held.how == "stop" and not state["Running"]:
            _end_one_offs(client, held.id)
            client.start(held.id)
        elif held.how == "pause" and state.get("Paused"):
            client.unpause(held.id)
    except OSError as error:  # the library's APIError is one
        if not is_gone(error):
            raise


def _end_one_offs(client: "APIClient", container: str) -> None:
    """Ends what a run of ours that was killed has left at work on the volumes of a container that stood still."""
    asked = {"label": [f"{name}={value}" for name, value in LABELS.items()]}
    for each in client.containers(all=True, filters=asked):
        with suppress(OSError):  # it has ended meanwhile
            lent = client.inspect_container(each["Id"])["HostConfig"].get("VolumesFrom") or []
            if container in {one.partition(":")[0] for one in lent}:
                client.remove_container(each["Id"], force=True)
