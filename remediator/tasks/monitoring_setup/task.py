"""monitoring-setup: what of the monitoring is missing, and what of that Upkeeper may put in place."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import JsonValue

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted, parse_time
from remediator.config.config import Config
from remediator.model.artefact import Made
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.monitoring import alertmanager as am
from remediator.monitoring.check import BAD
from remediator.monitoring.container import restart_policy
from remediator.monitoring.look import Arrival, Found, Look
from remediator.monitoring.owned import Change, write
from remediator.monitoring.place import BESIDE, SCRAPE, Wanted, not_writable
from remediator.monitoring.prometheus import JOBS
from remediator.peers.http import PeerError
from remediator.peers.prometheus import Prometheus
from remediator.share import share_path
from remediator.store.hosts import this_host
from remediator.tasks.monitoring_setup.facts import ALL, MONITORING_SETUP
from remediator.tasks.monitoring_setup.rows import row
from remediator.tasks.resources import Resources
from remediator.tasks.worker import in_thread

TEST = "test-message"
TEST_SECONDS = 180.0
"""For a test message: the waits of the routes are half a minute, and a mail server has its own."""
SCRAPED_SECONDS = 15.0
"""For the first scrape after a change."""
_LOOK_EVERY = 0.25


class Setup(Parameters):
    """Parameters."""

    test_message: Literal["if-unknown", "yes", "no"] = "if-unknown"
    """Whether people get a test message; ``if-unknown``: where Alertmanager has sent none since its start."""


class MonitoringSetup:
    """arrival: when Watchdog last came to the remediator."""

    facts = MONITORING_SETUP
    parameters = Setup
    action_timeout = 240.0

    def __init__(self, look: Look, arrival: Callable[[], Any]) -> None:
        self._look, self._arrival = look, arrival

    async def targets(self) -> Sequence[str]:
        return [ALL]

    async def measure(self, target: str) -> Measurement:
        """Breached: anything is missing or wrong. Values: how many things are in which state."""
        found = await self._found(target)
        states = [check.state for check in found.checks]
        values = {state: float(states.count(state)) for state in ("ok", "missing", "wrong", "unknown")}
        bad = [check for check in found.checks if check.state in BAD]
        detail = f"{len(states) - len(bad)} of {counted(len(states), 'thing')} in place"
        if bad:
            detail += f"; {bad[0].name}: {bad[0].detail}"
        return Measurement(breached=bool(bad), values=values, detail=detail)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """A row for each thing, an action for what may be put in place, and a note for what a person does."""
        asked, found = Setup.model_validate(dict(params)), await self._found(target)
        actions: list[Action] = []
        notes = [sentence for places in found.places for sentence in places.by_hand]
        lines = [lines for places in found.places for lines in places.lines]
        for wanted in _wanted(found):
            closed = await in_thread(lambda _, changes=wanted.changes: not_writable(changes))  # type: ignore[misc]
            if closed is not None:
                notes.append(f"{closed} cannot be written by this user, so {wanted.object} is left to you.")
            else:
                actions.append(_action(wanted))
        notes += [f"{one.into} is yours: add what {_kept(one.into)} has, then have it read again." for one in lines]
        if any(wanted.reloads for wanted in _wanted(found)) and not _lifecycle(found):
            notes.append("Prometheus runs without --web.enable-lifecycle: have it read its config again yourself.")
        ways = _ways(found)
        if ways and (asked.test_message == "yes" or (asked.test_message == "if-unknown" and _unproven(found))):
            actions.append(
                Action(kind=TEST, object=", ".join(ways), reason="whether messages arrive is known only by sending one")
            )
        made = [Made(name=_name(one.into), media_type="application/yaml", content=one.content) for one in lines]
        return Plan(actions=actions, rows=[row(check) for check in found.checks], notes=notes, made=made)

    async def apply(self, target: str, action: Action) -> Effect:
        found = await self._found(target)
        if action.kind == TEST:
            return await self._test(found)
        wanted = next((one for one in _wanted(found) if (one.kind, one.object) == (action.kind, action.object)), None)
        if wanted is None:
            return Effect(state="skipped", detail="it is in place already")
        if not _files(wanted.changes).items() <= _as_files(action.params.get("files")).items():
            raise TaskError(f"{wanted.object} needs something else than was planned; plan again")
        try:
            undo = await in_thread(lambda _: _write(wanted.changes))
        except OSError as error:
            if isinstance(error, UpkeeperError):
                raise
            raise TaskError(f"{wanted.object}: {error.strerror or error}") from error
        detail = f"{counted(len(undo), 'file')} written"
        if not wanted.reloads:
            return Effect(state="done", detail=detail)
        if not _lifecycle(found):
            return Effect(state="done", detail=f"{detail}; have Prometheus read its config again")
        await self._reload(undo, JOBS if wanted.kind == SCRAPE else ())
        return Effect(state="done", detail=f"{detail}; Prometheus has read them")

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return after.values["ok"] > before.values["ok"]

    async def _found(self, target: str) -> Found:
        if target != ALL:
            raise TaskError(f"{self.facts.name} has one target, {ALL}")
        try:
            return await self._look(await self._arrival())
        except OSError as error:
            if isinstance(error, UpkeeperError):
                raise
            raise TaskError(f"{error.filename or 'a file'}: {error.strerror or error}") from error

    async def _reload(self, undo: Sequence[Change], jobs: Collection[str] = ()) -> None:
        """Has Prometheus read its config, and waits for what it then scrapes. One that it refuses is undone: with that
        it would not start again.
        """
        assert self._look.peers is not None
        async with self._look.peers.prometheus() as prometheus:
            try:
                await prometheus.reload()
            except PeerError as error:
                await in_thread(lambda _: write(undo))
                with suppress(PeerError):
                    await prometheus.reload()
                raise TaskError(f"{error}; nothing was left there") from error
            with suppress(TimeoutError):
                async with asyncio.timeout(SCRAPED_SECONDS):
                    while not await _scraped(prometheus, jobs):  # noqa: ASYNC110  it is another process
                        await asyncio.sleep(_LOOK_EVERY)

    async def _test(self, found: Found) -> Effect:
        """An alert that says that it is a test, to the first Alertmanager; done when each way has taken it."""
        assert self._look.peers is not None
        ways = _ways(found)
        if not ways:
            raise TaskError("no receiver of people is there any more")
        async with self._look.peers.alertmanager(found.alertmanagers[0].url) as alertmanager:
            before = await alertmanager.sent()
            await alertmanager.post([_test_alert(datetime.now(UTC))])
            deadline = time.monotonic() + TEST_SECONDS
            while True:
                now = await alertmanager.sent()
                good = {way: _taken(now, way) - _taken(before, way) for way in ways}
                if all(count > 0 for count in good.values()):
                    together = [way for way in ways if not found.alertmanagers[0].counted_alone(way)]
                    look = f"; look whether it came by {', '.join(together)}" if together else ""
                    return Effect(state="done", detail=f"handed over by {', '.join(ways)}{look}")
                if time.monotonic() > deadline:
                    break
                await asyncio.sleep(_LOOK_EVERY)
        lost = [way for way, count in good.items() if count <= 0]
        failed = {way: now.get(way, (0, 0))[1] - before.get(way, (0, 0))[1] for way in lost}
        said = ", ".join(f"{way} ({counted(failed[way], 'attempt')} failed)" for way in lost)
        raise TaskError(f"no test message was handed over by {said}; Alertmanager's log says why")


async def _scraped(prometheus: Prometheus, jobs: Collection[str]) -> bool:
    """Each of the jobs has a target, and each target of theirs was asked; it takes Prometheus seconds to begin."""
    asked = [one for one in (await prometheus.targets())["activeTargets"] if one["labels"].get("job") in jobs]
    return {one["labels"]["job"] for one in asked} == {*jobs} and all(one["health"] != "unknown" for one in asked)


def _wanted(found: Found) -> Sequence[Wanted]:
    return [wanted for places in found.places for wanted in places.wanted]


def _lifecycle(found: Found) -> bool:
    return found.prometheus is not None and found.prometheus.lifecycle


def _ways(found: Found) -> Sequence[str]:
    """How the people are told whom a test message would reach."""
    return found.alertmanagers[0].ways_of("info") if found.alertmanagers else []


def _unproven(found: Found) -> bool:
    sent = found.alertmanagers[0].sent
    return any(_taken(sent, way) <= 0 for way in _ways(found))


def _taken(sent: Mapping[str, tuple[int, int]], way: str) -> int:
    tried, failed = sent.get(way, (0, 0))
    return tried - failed


def _action(wanted: Wanted) -> Action:
    files = _files(wanted.changes)
    return Action(
        kind=wanted.kind,
        object=wanted.object,
        reason=wanted.reason,
        items=len(files),
        params={"files": dict[str, JsonValue](files)},
    )


def _files(changes: Sequence[Change]) -> dict[str, str]:
    """What each file becomes, by its path: a digest of that and of what is there, in short."""
    from hashlib import sha256

    def becomes(change: Change) -> str:
        return "gone" if change.content is None else sha256(change.content).hexdigest()[:16]

    return {str(change.path): f"{change.digest[:16]}-{becomes(change)}" for change in changes}


def _as_files(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _write(changes: Sequence[Change]) -> Sequence[Change]:
    for change in changes:
        if not change.path.parent.exists():
            change.path.parent.mkdir(mode=0o755)
    return write(changes)


def _kept(into: str) -> str:
    """Where what is to be added lies: beside a file that is here once that is approved, and with each run anyway."""
    with_run = f"{_name(into)}, which is kept with the run (`upkeeper show RUN --save DIR`)"
    return f"{with_run} and written beside it," if into.startswith("/") else f"{with_run},"


def _name(into: str) -> str:
    return into.rpartition("/")[2] + BESIDE


def _test_alert(now: datetime) -> dict[str, Any]:
    return {
        "labels": {**am.TEST, "host": this_host()},
        "annotations": {
            "summary": f"A test message of {this_host()}: alerts reach you",
            "description": "Nothing is wrong: it was sent by `upkeeper run monitoring-setup`, as a person approved.",
            "ended": "It was a test.",
        },
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(seconds=TEST_SECONDS)).isoformat(),
    }


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    async def arrival() -> Arrival:
        try:
            at = (await resources.remediator.status())["watchdog_at"]
        except UpkeeperError:
            return Arrival()  # the check says that it is not known
        age = None if at is None else max(0.0, (datetime.now(UTC) - parse_time(at)).total_seconds())
        return Arrival(True, age)

    async def policy() -> str | None:
        return await restart_policy(resources.docker)

    return [MonitoringSetup(Look(config, resources.state_dir, share_path(), policy), arrival)]
