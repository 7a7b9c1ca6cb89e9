"""Tells people what became of alerts, by each way by itself: one that fails holds up no other and no run."""

import asyncio
import hashlib
import platform
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING

import structlog

from exporter.base.complaints import Complaints
from exporter.base.errors import UpkeeperError
from remediator.config.config import Config
from remediator.config.notify import Notify
from remediator.model.story import Done
from remediator.store import told
from remediator.store.database import Database
from remediator.telling import pace
from remediator.telling.news import FRESH, News, ripe
from remediator.telling.reach import Reach
from remediator.telling.words import Message, Place, again, message, one_line, together

if TYPE_CHECKING:
    from remediator.telling.ways import Way

log = structlog.get_logger(__name__)

LOOK_SECONDS = 2.0
"""Between two glances whether the record has changed; only where somebody is told."""
AT_LEAST = 60.0
"""Seconds after which is looked in any case: hosts that share a database change it too."""
PATIENCE = 2.0
"""Seconds for which a look waits for its ways; what takes longer goes on beside the next looks."""
FIRST_WAIT, LONGEST_WAIT = 30.0, 900.0
"""Seconds after which a way that failed is tried again; twice as long each time."""


@dataclass
class _Outage:
    """What did not go by a way. since: Unix seconds. untold: the alerts it was about, until a message of them goes."""

    since: float
    tries: int = 0
    reason: str = ""
    untold: set[int] = field(default_factory=set)


class Telling:
    """reach: is told how each way stands. make: the ways that a config has, in place of those that there are.
    clock: Unix seconds.
    """

    def __init__(
        self,
        database: Database,
        config: Callable[[], Config],
        clock: Callable[[], float],
        reach: Reach,
        make: "Callable[[Notify], Sequence[Way]] | None" = None,
        patience: float = PATIENCE,
    ) -> None:
        self._database = database
        self._config = config
        self._clock = clock
        self._reach = reach
        self._make = make or _ways
        self._patience = patience
        self._known: Notify | None = None
        self._ways: Sequence[Way] = ()
        self._not_before: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._outages: dict[str, _Outage] = {}
        self._at_work: dict[str, asyncio.Task[float]] = {}
        self._complaints = Complaints(log, "people cannot be told", "people can be told again", "way")

    async def run(self) -> None:
        """Ends by cancellation. A config that is put in force takes effect at the next look."""
        try:
            await self._look_again_and_again()
        finally:
            for task in self._at_work.values():
                task.cancel()
            await asyncio.gather(*self._at_work.values(), return_exceptions=True)

    async def _look_again_and_again(self) -> None:
        seen, again = -1, 0.0
        while True:
            if self._in_force():
                writes, now = self._database.writes, self._clock()
                if writes != seen or now >= again:
                    seen, again = writes, now + AT_LEAST
                    try:
                        again = min(again, await self.look() or again)
                    except Exception:  # whatever it is, all else goes on
                        log.exception("people could not be told")
            await asyncio.sleep(LOOK_SECONDS)

    def _in_force(self) -> bool:
        """Whether anybody is to be told."""
        notify = self._config().notify
        if notify != self._known:
            self._known, self._ways = notify, self._make(notify)
            self._reach.keep([way.name for way in self._ways])
            self._not_before.clear()  # what was changed is tried at once
            self._failures.clear()
        return bool(self._ways)

    async def look(self) -> float | None:
        """Tells what is to be told now; when there is more (Unix seconds), if that is known. Raises SQLAlchemyError.

        Each way tells for itself: for one that takes long nobody waits, and it is asked for nothing else meanwhile.
        """
        if not self._in_force():
            return None
        now = self._clock()
        stories = await self._database.read(partial(told.stories, host=self._database.host, since=now - FRESH))
        later: list[float] = []
        for way in self._ways:
            due, following = ripe(stories, way.name, now)
            later += [] if following is None else [following]
            if way.name in self._at_work:
                continue
            if due:
                self._at_work[way.name] = asyncio.create_task(self._tell(way, due, now))
            elif following is None and way.name in self._outages:
                self._at_work[way.name] = asyncio.create_task(self._tell_again(way, self._outages[way.name], now))
        if self._at_work:
            await asyncio.wait(self._at_work.values(), timeout=self._patience)
        ended = {name: task for name, task in self._at_work.items() if task.done()}
        self._at_work = {name: task for name, task in self._at_work.items() if name not in ended}
        later += [now + LOOK_SECONDS] if self._at_work else []
        results = await asyncio.gather(*ended.values(), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
            later.append(result)
        return min(later, default=None)

    async def _tell(self, way: "Way", due: Sequence[News], now: float) -> float:
        """Tells of them in one message, unless it is too soon for that; when to look again."""
        host, name = self._database.host, way.name
        sent = await self._database.read(partial(told.sent, host=host, way=name, since=now - pace.HOUR))
        not_before = max(pace.next_at(sent, now), self._not_before.get(way.name, 0.0))
        if now < not_before:
            return not_before
        done = await self._done(due)
        about = {one.story.alert_id for one in due}
        failed = await self._send(way, self._message(due, done), self._id(way, due), about)
        if failed is not None:
            return failed
        said = [(one.story.alert_id, one.key) for one in due]
        await self._database.write(partial(told.tell, host=host, way=name, told_of=said, now=now))
        log.info("people told what became of alerts", way=name, alerts=[id for id, _ in said][:20])
        return now + pace.APART

    async def _tell_again(self, way: "Way", outage: _Outage, now: float) -> float:
        """Tells that messages did not go, which by now are too old or no longer so: that shows whether the way works
        again, too. When to look again.
        """
        not_before = self._not_before.get(way.name, 0.0)
        if now < not_before:
            return not_before
        made = again(way.name, outage.since, outage.tries, outage.reason, len(outage.untold), self._place())
        failed = await self._send(way, made, _digest([self._database.host, way.name, f"again {outage.since}"]), ())
        if failed is not None:
            return failed
        self._outages.pop(way.name, None)
        log.info("people told that messages did not reach them", way=way.name, alerts=len(outage.untold))
        return now + pace.APART

    async def _send(self, way: "Way", made: Message, id: str, about: Collection[int]) -> float | None:
        """None where it went; else when to try again. about: the alerts that it is about."""
        try:
            await way.tell(made, id)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this way's, and is tried again later
            why = _why(error)
            self._complaints.note(way.name, why)
            self._reach.did_not_go(way.name, why)
            now = self._clock()
            outage = self._outages.setdefault(way.name, _Outage(now))
            outage.tries, outage.reason = outage.tries + 1, why
            outage.untold.update(about)
            failures = self._failures[way.name] = self._failures.get(way.name, 0) + 1
            self._not_before[way.name] = now + min(FIRST_WAIT * 2.0 ** min(failures - 1, 10), LONGEST_WAIT)
            return self._not_before[way.name]
        self._complaints.note(way.name, "")
        self._reach.went(way.name)
        self._failures.pop(way.name, None)
        self._not_before[way.name] = self._clock() + pace.APART
        if (over := self._outages.get(way.name)) is not None:
            over.untold.difference_update(about)
            if not over.untold:
                del self._outages[way.name]
        return None

    async def _done(self, due: Sequence[News]) -> Done:
        """What the run of the only one did."""
        run = due[0].story.run
        if len(due) > 1 or run is None:
            return Done()
        return await self._database.read(partial(told.done, run_id=run.id))

    def _message(self, due: Sequence[News], done: Done) -> Message:
        place = self._place()
        return together(due, place) if len(due) > 1 else message(due[0], done, place)

    def _place(self) -> Place:
        notify, console = self._config().notify, self._config().console.url
        return Place(notify.host or platform.node(), console)

    def _id(self, way: "Way", due: Sequence[News]) -> str:
        """The same for the same news, so that a second copy of a mail is known for one."""
        parts = [self._database.host, way.name, *(f"{one.story.alert_id} {one.key}" for one in due)]
        return _digest(parts)


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:40]


def _why(error: Exception) -> str:
    """One line without a secret. What is no error of ours may quote one: of that only what and where it is."""
    if isinstance(error, UpkeeperError):
        return one_line(str(error))
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {PurePath(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def _ways(notify: Notify) -> "Sequence[Way]":
    """They are imported where somebody is told."""
    if notify.tells_nobody:
        return ()
    from remediator.telling.ways import ways

    return ways(notify)
