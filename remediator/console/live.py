"""Tells open pages when something has changed: server-sent events, looked for only while somebody looks."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import hdrs, web

from exporter.base.complaints import Complaints
from exporter.base.wakeup import is_set_within
from remediator.api.operations import Operations
from remediator.progress import coarse

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
MOST = 50
"""Pages that are told at once; a further one is shown as it is and must be loaded again."""
LASTS = 600.0
"""Seconds after which a page has to ask anew, so that who is no longer logged in is told no more."""
_BEAT = 15.0


class Live:
    """One stream a page. The state is looked at once for all of them.

    writes: how often the record was written to; a page says at which number it was made, so that it hears too of what
    happened before its stream began, or while it had none.
    """

    def __init__(self, ask: Operations, writes: Callable[[], int]) -> None:
        self._ask = ask
        self._writes = writes
        self._open = 0
        self._mark: object = None
        self._count = 0
        self._changed = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._closing = False
        self._complaints = Complaints(log, "open pages are told nothing", "open pages are told of changes again")

    async def stream(self, request: web.Request, still_there: Callable[[], Awaitable[bool]]) -> web.StreamResponse:
        """Sends ``changed`` whenever something has, until the page is left or nobody is logged in."""
        if self._open >= MOST or self._closing:
            return web.Response(status=204)  # which tells an EventSource not to ask again
        response = web.StreamResponse(headers={hdrs.CACHE_CONTROL: "no-store", "X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        await response.prepare(request)
        self._open += 1
        try:
            if self._watch is None:
                self._watch = asyncio.ensure_future(self._look())
            await self._tell(response, still_there, made_at=request.query.get("seen", ""))
        except ConnectionResetError:
            pass  # the page was left
        finally:
            self._open -= 1
            if not self._open and self._watch is not None:
                self._watch.cancel()
                self._watch, self._mark = None, None
        return response

    def close(self) -> None:
        """Ends all streams: a server that stops waits for them."""
        self._closing = True
        self._changed.set()

    async def _tell(
        self, response: web.StreamResponse, still_there: Callable[[], Awaitable[bool]], made_at: str
    ) -> None:
        told, end = self._count, asyncio.get_running_loop().time() + LASTS
        if made_at and made_at != str(self._writes()):
            told = -1
        await response.write(b"retry: 2000\n\n")
        while not self._closing and asyncio.get_running_loop().time() < end and await still_there():
            if self._count != told:
                told = self._count
                await response.write(b"event: changed\ndata: \n\n")
            if not await is_set_within(self._changed, _BEAT):
                await response.write(b": \n\n")

    async def _look(self) -> None:
        while True:
            try:
                mark = await self._state()
            except Exception as error:  # noqa: BLE001 - looked at again: pages that are open must hear what comes after it
                self._complaints.note((), str(error) or type(error).__name__)
                mark = None
            else:
                self._complaints.note((), "")
            if mark is not None and mark != self._mark:
                first, self._mark = self._mark is None, mark
                if not first:
                    self._count += 1
                    self._changed.set()
                    self._changed = asyncio.Event()
            await asyncio.sleep(LOOK_SECONDS)

    async def _state(self) -> object:
        """What tells one state from the next: how far the newest runs are, what waits, what was decided last."""
        runs = (await self._ask.runs(limit=20))["items"]
        asked = (await self._ask.approvals(state="asked", limit=20))["items"]
        alerts = (await self._ask.alerts(limit=20))["items"]
        decisions = (await self._ask.decisions(limit=1))["items"]
        acting = [await self._ask.run(run["id"]) for run in runs if run["state"] == "applying"]
        return (
            [coarse(run["progress"]) for run in acting if "progress" in run],
            [(run["id"], run["state"], [action["state"] for action in run["actions"]]) for run in runs],
            [one["id"] for one in asked],
            [(alert["id"], alert["status"]) for alert in alerts],
            [(one["id"], one["repeats"]) for one in decisions],
        )
