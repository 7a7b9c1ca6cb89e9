"""log-rotation: rotates logs by size and age, compresses them, and deletes rotated ones by age, count and space."""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from exporter.base.cycles import no_search_for_cycles
from exporter.base.text import counted
from exporter.base.units import format_bytes
from exporter.inventory.logs import LogDirectory
from exporter.logdirs.usage import LogUsage, measure
from remediator.config.config import Config
from remediator.evidence.disk import disk_of
from remediator.files.folder import open_root
from remediator.model.evidence import Source
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.statedir import DRILL_TARGET
from remediator.tasks.log_rotation.act import act
from remediator.tasks.log_rotation.choose import choose
from remediator.tasks.log_rotation.facts import LOG_ROTATION
from remediator.tasks.log_rotation.scan import scan
from remediator.tasks.resources import Resources
from remediator.tasks.worker import in_thread

_T = TypeVar("_T")


class LogRotation:
    """Keeps configured log directories within their limits. Loses no line."""

    facts = LOG_ROTATION
    parameters = Parameters
    action_timeout = 3600.0

    def __init__(self, directories: Sequence[LogDirectory], clock: Callable[[], float] = time.time) -> None:
        self._directories = {directory.name: directory for directory in directories}
        self._clock = clock

    async def targets(self) -> Sequence[str]:
        """Names of the configured log directories."""
        return list(self._directories)

    async def measure(self, target: str) -> Measurement:
        """What the directory takes on disk, by the exporter's own collector."""
        directory = self._directory(target)
        usage = await in_thread(lambda stop: _usage(directory, stop))
        return Measurement(
            breached=usage.allocated_bytes > directory.max_bytes,
            values={
                "allocated_bytes": usage.allocated_bytes,
                "apparent_bytes": usage.apparent_bytes,
                "max_bytes": directory.max_bytes,
                "files": usage.files,
            },
            detail=f"{format_bytes(usage.allocated_bytes)} of {format_bytes(directory.max_bytes)}"
            f" in {counted(usage.files, 'file')}",
        )

    def evidence(self, target: str) -> Sequence[Source]:
        directory = self._directories.get(target)
        return [] if directory is None else [disk_of(directory.path)]

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """Lists what is due now. Changes nothing."""
        directory = self._directory(target)
        return await in_thread(lambda stop: self._plan(directory, stop))

    def _plan(self, directory: LogDirectory, stop: threading.Event) -> Plan:
        try:
            opened = open_root(directory.path)
        except TaskError as error:
            _explain(error.__cause__, directory)
            raise
        with opened as root:
            try:
                found = scan(root, directory, stop)
            except OSError as error:
                raise TaskError(f"cannot read {directory.path}: {error.strerror or error}") from error
        allocated = found.allocated if found.all_seen else _usage(directory, stop).allocated_bytes
        with no_search_for_cycles():
            return choose(found, directory, allocated, self._clock(), secrets.token_hex(6))

    async def apply(self, target: str, action: Action) -> Effect:
        """Does one action; a cancelled one stops at the next MiB and leaves the log as it was."""
        directory = self._directory(target)

        def work(stop: threading.Event) -> Effect:
            return act(directory, action, stop, lambda: _usage(directory, stop).allocated_bytes)

        return await in_thread(work)

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """Less on disk than before, or now within the limit."""
        less = after.values["allocated_bytes"] < before.values["allocated_bytes"]
        return less or (before.breached and not after.breached)

    def _directory(self, target: str) -> LogDirectory:
        try:
            return self._directories[target]
        except KeyError:
            raise TaskError(f"no log directory is configured under the name {target!r}") from None


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    return [LogRotation(config.logs)]


def _usage(directory: LogDirectory, stop: threading.Event) -> LogUsage:
    try:
        return measure(directory, stop)
    except OSError as error:
        _explain(error, directory)
        raise TaskError(f"cannot measure {directory.path}: {error.strerror or error}") from error


def _explain(error: BaseException | None, directory: LogDirectory) -> None:
    """Raises TaskError with the remedy if the error means that the directory does not exist."""
    if not isinstance(error, FileNotFoundError) or Path(directory.path).exists():
        return
    if directory.name == DRILL_TARGET:
        raise TaskError(f"{directory.path} exists only during a drill: `upkeeper drill` makes it and removes it again")
    raise TaskError(f"{directory.path} does not exist: create it, or correct logs[{directory.name}].path in the config")
