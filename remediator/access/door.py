"""Who is let in to the API and the webhook: the token of a request, its role, and a limit on those that are wrong."""

from collections.abc import Mapping

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from sqlalchemy.exc import SQLAlchemyError

from exporter.base.problem import problem
from remediator.access.failures import Failures
from remediator.api.operations import API
from remediator.control.access import Access, Grant
from remediator.model.caller import ASKING, COMMAND_LINE, Caller
from remediator.webhook.payload import Rejection

log = structlog.get_logger(__name__)

WEBHOOK = f"{API}/alertmanager"

_CHALLENGE: Mapping[str, str] = {hdrs.WWW_AUTHENTICATE: "Bearer"}


class Door:
    """Asks everybody for a token, but for the probes and the metrics."""

    def __init__(self, access: Access, failures: Failures) -> None:
        self._access = access
        self._failures = failures

    @property
    def middleware(self) -> Middleware:
        """For an application, before everything else that it does."""

        @web.middleware
        async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._admit(request, handler)

        return admit

    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Lets to the API who may ask for what the request asks for; the webhook has its own answers."""
        if not request.path.startswith(f"{API}/") or request.path == WEBHOOK:
            return await handler(request)
        try:
            grant = await self._grant(request)
        except SQLAlchemyError:
            log.exception("tokens cannot be read")
            return problem(503, detail="tokens cannot be read now; ask again", headers={hdrs.RETRY_AFTER: "5"})
        if grant is None:
            wait = self._failures.too_many(_address(request))
            if wait:
                detail = "too many requests without a valid token from this address"
                return problem(429, detail=detail, headers={hdrs.RETRY_AFTER: str(wait)})
            return problem(401, detail="a valid bearer token is needed", headers=_CHALLENGE)
        role: str = getattr(request.match_info.handler, "role", "viewer")
        if not grant.may(role):
            return problem(403, detail=f"the token {grant.name} has the role {grant.role}, and this needs {role}")
        by_command = request.headers.get(hdrs.USER_AGENT) == COMMAND_LINE
        asking = ASKING.set(Caller("cli" if by_command else "api", grant.name))
        try:
            return await handler(request)
        finally:
            ASKING.reset(asking)

    async def check_webhook(self, request: web.Request) -> None:
        """Raises Rejection for who is not Alertmanager, and SQLAlchemyError.

        Over the limit the status is 503: Alertmanager offers its alerts again then, and gives an episode up for 429.
        """
        grant = await self._grant(request)
        if grant is None:
            if self._failures.too_many(_address(request)):
                raise Rejection(503, "unauthorized", "too many requests without a valid token from this address")
            raise Rejection(401, "unauthorized", "a valid bearer token is needed")
        if grant.role != "alertmanager":
            detail = (
                f"the token {grant.name} has the role {grant.role}, and alerts are posted with the role alertmanager"
            )
            raise Rejection(403, "unauthorized", detail)

    async def _grant(self, request: web.Request) -> Grant | None:
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        token = given.strip().encode("utf-8", "surrogateescape")
        if scheme.lower() != "bearer" or not token:
            return None
        return await self._access.grant(token)


def _address(request: web.Request) -> str:
    return request.remote or ""
