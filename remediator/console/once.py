"""The page of a mail's link: the plan, and an answer to it, for whom the mail was sent to. A GET only shows."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from remediator.access.failures import Failures
from remediator.console.forms import VERDICTS
from remediator.console.gate import form_of, is_from_elsewhere
from remediator.model.errors import RequestError
from remediator.model.shapes.approvals import ApprovalView

if TYPE_CHECKING:
    from remediator.chat.links import Linked

log = structlog.get_logger(__name__)

_LONGEST_REASON = 500


class Links(Protocol):
    """As remediator.chat.links."""

    async def shown(self, secret: str) -> "Linked": ...

    async def answer(self, secret: str, verdict: Any, reason: str) -> ApprovalView: ...


class Once:
    """page: makes a page of a template, its title, its values and a status."""

    def __init__(
        self, links: Links, failures: Failures, page: Callable[[str, str, Mapping[str, Any], int], web.Response]
    ) -> None:
        self._links = links
        self._failures = failures
        self._page = page

    async def show(self, request: web.Request) -> web.Response:
        return await self._shown(request, "", 200)

    async def take(self, request: web.Request) -> web.Response:
        fields = await form_of(request)
        verdict = VERDICTS.get(str(fields.get("verdict", "")))
        if is_from_elsewhere(request):
            return await self._shown(request, "That form was sent from another site; nothing was done.", 403)
        if verdict is None:
            return await self._shown(request, "Choose to approve or to deny; nothing was done.", 400)
        try:
            reason = str(fields.get("reason", "")).replace("\0", "")[:_LONGEST_REASON]  # which no database takes
            await self._links.answer(request.match_info["secret"], verdict, reason)
        except RequestError as error:
            return await self._shown(request, str(error), error.status)
        except SQLAlchemyError:
            log.exception("an answer by a link failed")
            said = "It failed; the remediator's log says why. Look whether it was done before you try again."
            return await self._shown(request, said, 500)
        return await self._shown(request, "", 200)

    async def _shown(self, request: web.Request, problem: str, status: int) -> web.Response:
        try:
            linked = await self._links.shown(request.match_info["secret"])
        except RequestError as error:
            if self._failures.too_many(request.remote or ""):
                return self._page("problem.html", "Not possible", {"problem": "Too many wrong links; wait."}, 429)
            return self._page("problem.html", "Not possible", {"problem": str(error)}, error.status)
        except SQLAlchemyError:
            log.exception("a link cannot be looked up")
            return self._page("problem.html", "Not possible", {"problem": "The record cannot be read now."}, 503)
        values = {"approval": linked.approval, "run": linked.run, "who": linked.who, "problem": problem}
        return self._page("once.html", "Approval", values, status)
