"""Asking another host to do what only that can, or may: a pause with a silence is made in its Alertmanager, a breaker
is open by its config, and where the database keeps hosts apart nobody else can write what is its own.

What is asked is an operation of the API, of a few. Its host does it as if it had been asked there, by its own config
and guards, and tells in its own audit who has asked through which host.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Any

import structlog
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from exporter.base.text import format_time_ms, nearest
from remediator.api.given import checked
from remediator.api.operations import OPERATIONS, Operation
from remediator.api.parameters import answer as shape_of
from remediator.control.again import to_be_tried_again
from remediator.model.caller import ASKING, Caller
from remediator.model.errors import EXIT_BLOCKED, EXIT_FAILED, RequestError, not_found, unavailable
from remediator.store import asks, fleet
from remediator.store.asks import Ask
from remediator.store.database import Database

log = structlog.get_logger(__name__)

ASKED = frozenset({
    "pause", "resume", "close_breaker", "reset_autonomy", "promote", "decide_approval", "cancel_run", "cancel_rollout",
})  # fmt: skip
"""All that a host does for another. A run it is asked for in its own way."""
BEGINS_WITHIN = 10.0
"""Seconds in which a host that is up begins with it."""
DONE_WITHIN = 60.0
"""Seconds in which it is done then."""
LOOK = 0.1
"""Seconds between two looks whether it is done."""

_OPERATIONS: Mapping[str, Operation] = {one.name: one for one in OPERATIONS if one.name in ASKED}


class Asking:
    """do: an operation, here. obeys: the hosts for which this one does something; None for every one."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float],
        caller: Callable[[], Caller],
        do: Callable[[Operation, Mapping[str, Any]], Awaitable[Any]],
        obeys: Callable[[], Collection[str] | None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._caller = caller
        self._do = do
        self._obeys = obeys
        self._doing = asyncio.Lock()
        self._looked = False

    def refusal(self, sender: str) -> str | None:
        """Why this host does nothing for that one; None where it does."""
        obeys = self._obeys()
        if obeys is None or sender in obeys:
            return None
        return f"host {self._database.host} does nothing for {sender} (`fleet: {{obeys: ...}}` in its config)"

    # The host that asks.

    async def ask(self, host: str, operation: str, **given: Any) -> Any:
        """What the operation answers there. Raises RequestError, also where the host is down."""
        standings = {one.host: one for one in await self._database.read(partial(fleet.standings, now=self._clock()))}
        one = standings.get(host)
        if one is None:
            hint = nearest(host, standings) or "upkeeper hosts lists those that there are"
            raise not_found(f"there is no host {host!r}; {hint}")
        if not one.up:
            raise unavailable(
                f"host {host} is down: it was last seen at {format_time_ms(one.seen_at)}, and has to do this itself"
            )
        store = partial(
            asks.store, host=host, sender=self._database.host, operation=operation, given=given,
            caller=self._caller(), now=self._clock(), within=BEGINS_WITHIN,
        )  # fmt: skip
        return await self._answer(host, _OPERATIONS[operation], await self._database.write(store))

    async def _answer(self, host: str, operation: Operation, ask_id: int) -> Any:
        clock = asyncio.get_running_loop().time
        begun, asked_at = False, clock()
        while True:
            found = await self._database.read(partial(asks.answered, ask_id=ask_id))
            if found is not None:
                return _told(host, operation, *found)
            waited = clock() - asked_at
            if waited > BEGINS_WITHIN and not begun:
                if await self._database.write(partial(asks.take_back, ask_id=ask_id)):
                    raise unavailable(f"host {host} has not begun with it within {BEGINS_WITHIN:g}s: nothing was done")
                begun = True
            if waited > BEGINS_WITHIN + DONE_WITHIN:
                raise unavailable(f"host {host} has begun with it and does not say what came of it: look there")
            await asyncio.sleep(LOOK)

    # The host that is asked.

    async def take_up(self) -> None:
        """Does what this host is asked for, one after the other."""
        async with self._doing:
            with to_be_tried_again("what other hosts have asked for could not be looked at"):
                if not self._looked:
                    said = {"message": f"host {self._database.host} has begun with it, and ended meanwhile: look there"}
                    await self._database.write(
                        partial(asks.broke_off, host=self._database.host, said=said, now=self._clock())
                    )
                    self._looked = True
                for ask in await self._database.read(partial(asks.open_ones, host=self._database.host)):
                    if await self._database.write(partial(asks.begin, ask_id=ask.id, now=self._clock())):
                        status, said = await self._done(ask)
                        answer = partial(asks.answer, ask_id=ask.id, status=status, said=said, now=self._clock())
                        await self._database.write(answer)

    async def _done(self, ask: Ask) -> tuple[int, Any]:
        refusal = self.refusal(ask.sender)
        if refusal is not None:
            return 403, _error(refusal, EXIT_BLOCKED)
        operation = _OPERATIONS.get(ask.operation)
        if operation is None:
            return 404, _error(f"host {self._database.host} does no {ask.operation!r} for others", EXIT_FAILED)
        log.info("asked by another host", operation=ask.operation, host=ask.sender, by=ask.caller.name)
        # Through which host is what the database has seen to; the rest is what that host says.
        token = ASKING.set(Caller(ask.caller.trigger, f"{ask.caller.name} at {ask.sender}".strip()[:255]))
        try:
            values = checked(operation, ask.given)
            if values.get("host") not in (None, self._database.host):
                return 400, _error("it is to be done here and not elsewhere", EXIT_FAILED)
            return operation.status, await self._do(operation, values)
        except RequestError as error:
            return error.status, {**_error(str(error), error.exit_code), "guard": error.guard}
        except (SQLAlchemyError, OSError) as error:
            log.exception("what another host asked for failed", operation=ask.operation)
            return 500, _error(f"it failed on {self._database.host}: {type(error).__name__}", EXIT_FAILED)
        finally:
            ASKING.reset(token)


def _error(message: str, exit_code: int) -> dict[str, Any]:
    return {"message": message, "exit_code": exit_code}


class _Refusal(BaseModel):
    """What a host says that has not done it."""

    message: str = Field(max_length=2000)
    exit_code: int = Field(ge=1, le=4)
    guard: str | None = Field(default=None, max_length=32)


def _told(host: str, operation: Operation, status: int, said: Any) -> Any:
    """The answer of another host, in the shape that the table says. Raises RequestError where it is an error."""
    try:
        if status < 300:
            return TypeAdapter(shape_of(operation)).validate_python(said)
        refusal = _Refusal.model_validate(said)
    except ValidationError:
        raise unavailable(f"host {host} answers {status} in a form that is not understood") from None
    raise RequestError(refusal.message, status if 400 <= status < 600 else 502, refusal.exit_code, refusal.guard)
