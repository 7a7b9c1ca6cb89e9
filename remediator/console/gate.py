"""Who is let in to the console: a token once, then a cookie; and each form must be one that we made."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import structlog
from aiohttp import hdrs, web
from sqlalchemy.exc import SQLAlchemyError

from remediator.access.failures import Failures
from remediator.console.sessions import Notice, Session, Sessions, same
from remediator.console.static import BASE
from remediator.control.access import Access, Grant
from remediator.model.caller import ASKING, Caller
from remediator.model.token import hash_of

log = structlog.get_logger(__name__)

COOKIE = "upkeeper-session"
LOGIN = f"{BASE}/login"
EVENTS = f"{BASE}/events"
_LONGEST_TOKEN = 1000

Page = Callable[[web.Request, "Visitor"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Visitor:
    """Who asks for a page: the session, and what its token grants now."""

    session: Session
    grant: Grant

    @property
    def may_act(self) -> bool:
        return self.grant.may("operator")


class Refused(Exception):
    """A form that is not taken. The message is for whoever sent it."""


class Gate:
    """Logs in and out, and asks each request for its session.

    secure: whether TLS is spoken, so that the cookie goes nowhere else. page: makes the login page from what it says.
    """

    def __init__(
        self,
        access: Access,
        failures: Failures,
        sessions: Sessions,
        secure: bool,
        page: Callable[[Mapping[str, object], int], web.Response],
    ) -> None:
        self._access = access
        self._failures = failures
        self.sessions = sessions
        self._secure = secure
        self._page = page
        self._cookie = f"__Host-{COOKIE}" if secure else COOKIE

    def visited(self, page: Page, *, acts: bool = False) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The page for those who are logged in; the others are asked for their token first. acts: takes a form."""

        async def respond(request: web.Request) -> web.StreamResponse:
            try:
                visitor = await self._visitor(request)
            except SQLAlchemyError:
                log.exception("tokens cannot be read")
                problem = "Who you are cannot be looked up now, as the record cannot be read. Try again."
                return self._page({"problem": problem, "next": f"{BASE}/"}, 503)
            if visitor is None:
                return self._not_logged_in(request)
            if acts:
                try:
                    self._check_form(request, visitor, await request.post())
                except Refused as error:
                    visitor.session.notice = Notice(str(error), good=False)
                    raise web.HTTPSeeOther(f"{BASE}/") from error
            asking = ASKING.set(Caller("console", visitor.grant.name))
            try:
                return await page(request, visitor)
            finally:
                ASKING.reset(asking)

        return respond

    async def login(self, request: web.Request) -> web.StreamResponse:
        """Takes a token, and gives the cookie of a new session for it."""
        form = await request.post()
        onward = _onward(str(form.get("next", "")))
        if _is_from_elsewhere(request):
            return self._page({"problem": "That form was sent from another site.", "next": onward}, 403)
        token = str(form.get("token", "")).strip()[:_LONGEST_TOKEN].encode("utf-8", "replace")
        grant = await self._access.grant(token) if token else None
        if grant is None:
            wait = self._failures.too_many(request.remote or "")
            problem = f"Too many wrong tokens from this address; wait {wait} s." if wait else "That token is not valid."
            log.warning("console login refused", address=request.remote or "")
            return self._page({"problem": problem, "next": onward}, 429 if wait else 401)
        if not grant.may("viewer"):
            problem = f"The token {grant.name} is for Alertmanager: it posts alerts, and may look at nothing."
            return self._page({"problem": problem, "next": onward}, 403)
        before = request.cookies.get(self._cookie)
        old = self.sessions.of(before) if before else None
        if old is not None:
            self.sessions.end(old.number)
        browser = request.headers.get(hdrs.USER_AGENT, "")
        secret = self.sessions.begin(hash_of(token), grant.name, browser, request.remote or "")
        log.info("console login", name=grant.name, role=grant.role)
        response = web.Response(status=303, headers={hdrs.LOCATION: onward, hdrs.CACHE_CONTROL: "no-store"})
        response.set_cookie(self._cookie, secret, path="/", httponly=True, samesite="Strict", secure=self._secure)
        return response

    async def logout(self, request: web.Request, visitor: Visitor) -> web.StreamResponse:
        self.sessions.end(visitor.session.number)
        response = web.Response(status=303, headers={hdrs.LOCATION: LOGIN})
        response.del_cookie(self._cookie, path="/", httponly=True, samesite="Strict", secure=self._secure)
        return response

    async def goes_on(self, request: web.Request) -> bool:
        """Whether the session of a request that is still being answered goes on."""
        return await self._visitor(request) is not None

    async def _visitor(self, request: web.Request) -> Visitor | None:
        secret = request.cookies.get(self._cookie)
        # What an open page asks for by itself is no use of the session: it must end where nobody is.
        by_itself = request.path == EVENTS or "HX-Request" in request.headers
        session = self.sessions.of(secret, used=not by_itself) if secret else None
        if session is None:
            return None
        grant = await self._access.grant_of(session.token)
        if grant is None:  # revoked or expired since
            self.sessions.end(session.number)
            return None
        return Visitor(session, grant)

    def _not_logged_in(self, request: web.Request) -> web.StreamResponse:
        onward = request.path_qs if request.method == "GET" else f"{BASE}/"
        if request.method == "GET" and request.headers.get("Sec-Fetch-Site") == "cross-site":
            # A link in a mail or a chat: browsers keep a SameSite=Strict cookie back until a page of ours asks again.
            return self._page({"again": onward, "problem": "", "next": onward}, 200)
        raise web.HTTPSeeOther(f"{LOGIN}?next={quote(onward, safe='')}")

    def _check_form(self, request: web.Request, visitor: Visitor, form: Mapping[str, object]) -> None:
        """Raises Refused unless the form was made by us for this session, whose token may act."""
        given = form.get("csrf")
        if _is_from_elsewhere(request) or not isinstance(given, str) or not same(given, visitor.session.csrf):
            raise Refused("That form was not one of this session; nothing was done. Open the page again.")
        if not visitor.may_act and request.match_info.route.name != "logout":
            raise Refused(f"The token {visitor.grant.name} may look and not act; nothing was done.")


def _is_from_elsewhere(request: web.Request) -> bool:
    """Whether the browser says that another site sent this. Whoever says nothing is no browser of today."""
    fetched = request.headers.get("Sec-Fetch-Site")
    if fetched is not None:
        return fetched not in ("same-origin", "none")
    origin = request.headers.get(hdrs.ORIGIN)
    return origin is not None and urlsplit(origin).netloc != request.headers.get(hdrs.HOST)


def _onward(address: str) -> str:
    """Where to go after a login: only to a page of ours."""
    parts = urlsplit(address)
    ours = not parts.scheme and not parts.netloc and parts.path.startswith(f"{BASE}/") and "\\" not in address
    plain = address.isascii() and address.isprintable() and "/../" not in f"{parts.path}/"
    return address if ours and plain else f"{BASE}/"
