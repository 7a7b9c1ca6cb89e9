"""What holds runs back: pauses and breakers."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog

from exporter.base.text import format_time_ms
from remediator.control.breakers import OpenBreaker, open_breakers
from remediator.control.choosing import known_task
from remediator.control.silencing import PauseSilences
from remediator.decide.means import Means
from remediator.model.caller import Caller
from remediator.model.errors import RequestError, conflict, not_found, unprocessable
from remediator.model.hold import Pause
from remediator.model.lease import Lease
from remediator.model.shapes.holds import BreakerView, PauseView
from remediator.store import fleet, holds

log = structlog.get_logger(__name__)


class Holding:
    """Sets and ends pauses, and closes breakers, by hand.

    caller: by whom. look_again: called when something held back may proceed. silenced: the silences of pauses.
    """

    def __init__(
        self,
        means: Means,
        caller: Callable[[], Caller],
        look_again: Callable[[], None],
        silenced: PauseSilences,
        ask: Callable[..., Awaitable[Any]],
    ) -> None:
        self._ask = ask
        self._database = means.database
        self._judge = means.judge
        self._tasks = means.tasks
        self._remedies = means.remedies
        self._clock = means.clock
        self._caller = caller
        self._look_again = look_again
        self._silenced = silenced

    async def pause(
        self, task: str | None, reason: str, seconds: float | None, silence: bool = False, host: str | None = None
    ) -> list[PauseView]:
        """Pauses a task, or everything, for this many seconds or until resumed. Returns the pauses in force there.

        It takes the place of an earlier one, but of no longer one of somebody else. silence: people are not told of its
        alerts meanwhile; it must have an end, and that of somebody else goes on until its own. host: else this one.
        """
        if host is not None and host != self._database.host:
            await self._require_host(host)
            if silence or await self._is_its_own_to_do(host, task):
                return list(await self._ask(host, "pause", task=task, reason=reason, seconds=seconds, silence=silence))
            return await self._pause_other(host, task, reason, seconds)
        if task is not None:
            known_task(self._tasks(), task)
        now, of = self._clock(), self._database.host
        made: Sequence[Lease] = ()
        hold = Pause(task, reason, now, None if seconds is None else now + seconds, self._caller())
        if silence and seconds is None:
            raise unprocessable("a pause with a silence must have an end: say for how long")
        await self._database.read(partial(_cuts_nothing_short, host=of, hold=hold))
        if silence and seconds is not None:
            made = await self._silenced.make(task, reason, now + seconds)
        try:
            mine = await self._database.write(partial(_pause, host=of, hold=hold))
        except RequestError:  # somebody was quicker
            await self._silenced.withdraw(made)
            raise
        if made or mine:
            await self._silenced.end(task, "another pause took its place", but=made)
        log.info("paused", task=task, reason=reason, seconds=seconds, silence=silence)
        return await self.paused()

    async def _is_its_own_to_do(self, host: str, task: str | None) -> bool:
        """Whether only the other host can change its pause: as that holds a silence, or as the database keeps it so."""
        return self._database.held or any(lease.task == task for lease in await self._silenced.all(host))

    async def _pause_other(self, host: str, task: str | None, reason: str, seconds: float | None) -> list[PauseView]:
        """Pauses on another host, which may be down. Which tasks it has only that knows."""
        now = self._clock()
        hold = Pause(task, reason, now, None if seconds is None else now + seconds, self._caller())

        def work(connection: sa.Connection) -> None:
            fleet.join_writers(connection, host)
            _pause(connection, host, hold)
            fleet.call(connection, [host])

        await self._database.write(work)
        log.info("paused", host=host, task=task, reason=reason, seconds=seconds)
        return await self.paused(host)

    async def _resume_other(self, host: str, task: str | None) -> list[PauseView]:
        await self._require_host(host)
        if await self._is_its_own_to_do(host, task):
            return list(await self._ask(host, "resume", task=task))
        caller, now = self._caller(), self._clock()

        def work(connection: sa.Connection) -> bool:
            fleet.join_writers(connection, host)
            fleet.call(connection, [host], everything=True)
            return bool(holds.resume(connection, host, task, caller, now))

        if not await self._database.write(work):
            raise _not_paused(task)
        log.info("resumed", host=host, task=task)
        return await self.paused(host)

    async def _require_host(self, host: str) -> None:
        if not await self._database.read(partial(fleet.known, names=[host])):
            raise not_found(f"there is no host {host!r}; upkeeper hosts lists those that there are")

    async def resume(self, task: str | None, host: str | None = None) -> list[PauseView]:
        """Ends the pause of a task, or the general one, here or on that host. Returns those still in force there."""
        if host is not None and host != self._database.host:
            return await self._resume_other(host, task)
        by_hand = partial(holds.resume, task=task, caller=self._caller(), now=self._clock())
        if not await self._database.write(partial(by_hand, host=self._database.host)):
            raise _not_paused(task)
        await self._silenced.end(task, "the pause was ended")
        self._look_again()
        log.info("resumed", task=task)
        return await self.paused()

    async def close_breaker(self, task: str, target: str, host: str | None = None) -> list[BreakerView]:
        """Closes a breaker by hand, here or on that host. Returns the breakers still open there."""
        if host is not None and host != self._database.host:
            return list(await self._ask(host, "close_breaker", task=task, target=target))
        if not any(one["task"] == task and one["target"] == target for one in await self.open_breakers()):
            raise not_found(f"no breaker is open for {task} on {target}")
        by_hand = partial(holds.close_breaker, task=task, target=target, caller=self._caller(), now=self._clock())
        await self._database.write(partial(by_hand, host=self._database.host))
        self._look_again()
        log.info("breaker closed by hand", task=task, target=target)
        return await self.open_breakers()

    async def pauses(self, host: str | None = None) -> Sequence[Pause]:
        """Those in force, oldest first. host: else this one."""
        of = host or self._database.host
        return await self._database.read(partial(holds.active_pauses, host=of, now=self._clock()))

    async def paused(self, host: str | None = None) -> list[PauseView]:
        """The same in the API's shape."""
        found = await self.pauses(host)
        silenced = {lease.task for lease in await self._silenced.all(host)} if found else set()
        return [_shown(host or self._database.host, hold, silenced=hold.task in silenced) for hold in found]

    async def breakers(self) -> Sequence[OpenBreaker]:
        """Those that are open."""
        return await open_breakers(self._database, self._judge, self._remedies(), self._clock())

    async def open_breakers(self) -> list[BreakerView]:
        """The same in the API's shape."""
        return [
            {"task": one.task, "target": one.target, "since": format_time_ms(one.since)}
            for one in await self.breakers()
        ]


def _pause(connection: sa.Connection, host: str, hold: Pause) -> bool:
    """Whether no pause of somebody else was in its place. Raises RequestError where that one lasts longer."""
    _cuts_nothing_short(connection, host, hold)
    others = holds.active_pauses(connection, host, hold.since)
    holds.pause(connection, host, hold)
    return not any(one.task == hold.task and holds.of_somebody_else(one, hold) for one in others)


def _cuts_nothing_short(connection: sa.Connection, host: str, hold: Pause) -> None:
    """Raises RequestError."""
    longer = holds.cut_short(connection, host, hold)
    if longer is not None:
        until = "until it is resumed" if longer.until is None else f"until {format_time_ms(longer.until)}"
        raise conflict(
            f"{hold.task or 'everything'} is paused {until} by {longer.caller.name or longer.caller.trigger} "
            f"({longer.reason}), which this would end sooner: pause for longer, or end that one first (upkeeper resume)"
        )


def _not_paused(task: str | None) -> RequestError:
    return not_found(f"task {task} is not paused" if task else "nothing is paused as a whole")


def _shown(host: str, hold: Pause, *, silenced: bool) -> PauseView:
    return {
        "host": host,
        "task": hold.task,
        "caller": {"trigger": hold.caller.trigger, "name": hold.caller.name},
        "reason": hold.reason,
        "since": format_time_ms(hold.since),
        "until": None if hold.until is None else format_time_ms(hold.until),
        "silenced": silenced,
    }
