"""capacity-planning: what is full when. It only looks."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import psutil
from pydantic import Field

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted, format_time
from exporter.base.units import format_duration, parse_duration
from exporter.docker.engine import DockerEngine
from remediator.config.config import Config
from remediator.forecast.row import ForecastRow
from remediator.model.artefact import Made
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.peers.http import PeerError
from remediator.peers.places import Peers, PeerUnknown
from remediator.peers.prometheus import Prometheus
from remediator.tasks.capacity_planning.facts import ALL, CAPACITY_PLANNING
from remediator.tasks.capacity_planning.foretell import foretell, soonest
from remediator.tasks.capacity_planning.history import exporter_of_this_host, read
from remediator.tasks.resources import Resources

DAY = 86400.0
ANSWER_SECONDS = 60.0
"""For each answer of Prometheus: an hour's extremes over weeks take it a second or two."""
SAME_LOOK = 120.0
"""Seconds for which a look at the history serves measuring and planning."""


class CapacityParameters(Parameters):
    """How much history is looked at."""

    days: int | None = Field(default=None, ge=7, le=365)
    """Of history; None: what the config says."""


@dataclass(frozen=True)
class Look:
    """rows: what is foretold. notes: what a reader should know of all of it."""

    at: float
    rows: Sequence[ForecastRow]
    notes: Sequence[str]


class CapacityPlanning:
    """Asks Prometheus, and foretells.

    prometheus: the one that is known, as a context manager; raises PeerUnknown. docker: whose root is asked for.
    data: the data directories of PostgreSQL servers, by name. booted_at: when this host was booted. Unix seconds.
    """

    facts = CAPACITY_PLANNING
    parameters = CapacityParameters
    action_timeout = 60.0

    def __init__(
        self,
        config: Config,
        prometheus: Callable[[], AbstractAsyncContextManager[Prometheus]],
        docker: DockerEngine | None,
        clock: Callable[[], float] = time.time,
        booted_at: Callable[[], float] = psutil.boot_time,
    ) -> None:
        self._history = config.forecasts.history
        self._data = {
            server.name: str(server.maintenance.data_directory)
            for server in config.postgres
            if server.maintenance.data_directory is not None
        }
        self._prometheus = prometheus
        self._docker = docker
        self._clock = clock
        self._booted_at = booted_at
        self._last: tuple[float, Look] | None = None

    async def targets(self) -> Sequence[str]:
        return [ALL]

    async def measure(self, target: str) -> Measurement:
        """Never breached: what will be full has its own alert. Values: days until full, of each sink that will be."""
        look = await self._look(self._history)
        values = {row.sink: row.days for row in look.rows if row.days is not None}
        return Measurement(breached=False, values=values, detail=_detail(look))

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """Never an action; a row for each sink, what is full soonest first, and all of it as JSON."""
        given = CapacityParameters.model_validate(params).days
        look = await self._look(given * DAY if given is not None else self._history)
        document = {
            "made_at": format_time(look.at),
            "notes": list(look.notes),
            "sinks": [row.model_dump(mode="json") for row in look.rows],
        }
        content = json.dumps(document, indent=2, allow_nan=False).encode()
        made = Made(name="capacity.json", media_type="application/json", content=content)
        return Plan(rows=look.rows, notes=look.notes, made=[made])

    async def apply(self, target: str, action: Action) -> Effect:
        raise TaskError(f"{self.facts.name} has no actions, so it cannot {action.kind}")

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return False

    async def _look(self, history: float) -> Look:
        """What is foretold now, or was a moment ago. Raises PeerError and TaskError."""
        now = self._clock()
        if self._last is not None and self._last[0] == history and 0 <= now - self._last[1].at <= SAME_LOOK:
            return self._last[1]
        look = await self._ask(history, now)
        self._last = history, look
        return look

    async def _ask(self, history: float, now: float) -> Look:
        try:
            opened = self._prometheus()
        except PeerUnknown as error:
            return Look(now, (), [f"Nothing can be foretold without a history: {error}."])
        async with opened as prometheus:
            who = await exporter_of_this_host(prometheus, self._booted_at(), now)
            if who is None:
                return Look(now, (), [f"Nothing is foretold: {prometheus.url} has nothing of Upkeeper's exporter."])
            notes = await _retention(prometheus, history)
            found = await read(prometheus, who, now - history, now)
        places = {
            sink.name: path
            for sink in found.sinks
            if sink.kind.place == "postgres" and (path := self._data.get(sink.labels.get("server", "")))
        }
        if any(sink.kind.place == "docker" for sink in found.sinks):
            root, why = await self._docker_root()
            places |= {sink.name: root for sink in found.sinks if root and sink.kind.place == "docker"}
            notes += [why] if why else []
        rows = await asyncio.to_thread(foretell, found, places, now)  # half a second or so
        young = [row.sink for row in rows if row.days is None and row.history_days is None]
        if young:
            notes.append(f"{counted(len(young), 'sink')} without a forecast, for the reasons in the table.")
        unlimited = [row.sink for row in rows if row.limit is None]
        if unlimited:
            notes.append(
                f"Of {', '.join(unlimited)} it is not known on which file system they lie "
                "(maintenance.data_directory of a PostgreSQL server): only their growth is told."
            )
        return Look(now, rows, notes)

    async def _docker_root(self) -> tuple[str, str]:
        """The directory that Docker keeps everything in, and why that is not known."""
        if self._docker is None:
            return "", ""
        try:
            info: Mapping[str, object] = await self._docker.call(lambda client: client.info())
        except UpkeeperError as error:
            return "", f"Where Docker keeps its objects is not known: {error}."
        return str(info.get("DockerRootDir") or ""), ""


async def _retention(prometheus: Prometheus, history: float) -> list[str]:
    """A note where Prometheus keeps less than is asked for."""
    try:
        kept = str((await prometheus.status("runtimeinfo"))["storageRetention"])
        seconds = parse_duration(kept.split(" ")[0])
    except (PeerError, KeyError, TypeError, ValueError):
        return []
    if not isinstance(seconds, float) or seconds >= history:
        return []
    return [
        f"Prometheus keeps {kept}, and {format_duration(history)} are looked at: with --storage.tsdb.retention.time="
        f"{format_duration(history)} forecasts reach further and are surer."
    ]


def _detail(look: Look) -> str:
    if not look.rows:
        return look.notes[0].rstrip(".") if look.notes else "there is nothing to look at"
    return f"{counted(len(look.rows), 'sink')}; {soonest(look.rows)}"


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    peers = Peers(lambda: config, resources.state_dir) if resources.state_dir is not None else None

    def prometheus() -> Prometheus:
        if peers is None:
            raise PeerUnknown("there is no state directory")
        return peers.prometheus(ANSWER_SECONDS)

    return [CapacityPlanning(config, prometheus, resources.docker)]
