"""Who is let in to the console: a token or a password once, then a cookie; and each form must be one that we made."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

import structlog
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from sqlalchemy.exc import SQLAlchemyError

from exporter.web.passwords import TooBusy
from remediator.access.failures import Failures
from remediator.console.people import People, Person
from remediator.console.sessions import Notice, Session, Sessions, same
from remediator.console.static import BASE
from remediator.control.access import Access, Grant
from remediator.model.caller import ASKING, Caller
from remediator.model.token import hash_of

if TYPE_CHECKING:
    from multidict import MultiDictProxy

log = structlog.get_logger(__name__)

COOKIE = "upkeeper-session"
LOGIN = f"{BASE}/login"
EVENTS = f"{BASE}/events"
LOGOUT = "logout"
"""The name of the route that a viewer may post to, too."""
_LONGEST_TOKEN = 1000

Page = Callable[[web.Request, "Visitor"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Visitor:
    """Who asks for a page: the session, and what its token grants now."""

    session: Session
    grant: Grant
    looks: bool = True
    """Whether what is answered is seen by a person as a page: no HEAD, and nothing that an open page asks by itself."""

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
        people: People,
        failures: Failures,
        sessions: Sessions,
        secure: bool,
        page: Callable[[Mapping[str, object], int], web.Response],
    ) -> None:
        self._access = access
        self._people = people
        self._failures = failures
        self.sessions = sessions
        self._secure = secure
        self.page = page

    def visited(self, page: Page, *, acts: bool = False) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The page for those who are logged in; the others are asked for their token first. acts: takes a form."""

        async def respond(request: web.Request) -> web.StreamResponse:
            try:
                visitor = await self._visitor(request)
            except SQLAlchemyError:
                log.exception("tokens cannot be read")
                problem = "Who you are cannot be looked up now, as the record cannot be read. Try again."
                return self.page({"problem": problem, "next": f"{BASE}/"}, 503)
            if visitor is None:
                return self._not_logged_in(request)
            if acts:
                try:
                    self._check_form(request, visitor, await form_of(request))
                except Refused as error:
                    visitor.session.notice = Notice(str(error), good=False)
                    raise web.HTTPSeeOther(f"{self._people.prefix}{BASE}/") from error
            asking = ASKING.set(Caller("console", visitor.grant.name))
            try:
                return await page(request, visitor)
            finally:
                ASKING.reset(asking)

        return respond

    async def login(self, request: web.Request) -> web.StreamResponse:
        """Takes a token, or a user and a password, and gives the cookie of a new session for it."""
        form = await form_of(request)
        onward = onward_to(str(form.get("next", "")))
        if is_from_elsewhere(request):
            return self.page({"problem": "That form was sent from another site.", "next": onward}, 403)
        user = str(form.get("user", "")).strip()[:_LONGEST_TOKEN]
        token = str(form.get("token", "")).strip()[:_LONGEST_TOKEN]
        if user:
            return await self._log_in_user(request, user, token, onward)
        digest = hash_of(token.encode("utf-8", "replace"))
        grant = await self._access.grant_of(digest) if token else None
        if grant is None:
            return self._refused(request, "That token is not valid.", onward)
        if not grant.may("viewer"):
            problem = f"The token {grant.name} is for Alertmanager: it posts alerts, and may look at nothing."
            return self.page({"problem": problem, "next": onward}, 403)
        return self._let_in(request, grant, onward, token=digest)

    async def _log_in_user(self, request: web.Request, user: str, password: str, onward: str) -> web.StreamResponse:
        try:
            person = await self._people.with_password(user, password) if password else None
        except TooBusy:
            problem = "Too many passwords are being checked now. Try again."
            return self.page({"problem": problem, "next": onward}, 503)
        if person is None:
            return self._refused(request, "That user or password is not right.", onward)
        grant = self._people.grant(person, request)
        if grant is None:
            problem = f"The password is right, and {user} has no access: `console.users` in the config names others."
            return self.page({"problem": problem, "next": onward}, 403)
        return self._let_in(request, grant, onward, person=person)

    def _refused(self, request: web.Request, problem: str, onward: str) -> web.StreamResponse:
        wait = self._failures.too_many(request.remote or "")
        if wait:
            problem = f"Too many wrong tokens from this address; wait {wait} s."
        log.warning("console login refused", address=request.remote or "")
        return self.page({"problem": problem, "next": onward}, 429 if wait else 401)

    def _let_in(
        self, request: web.Request, grant: Grant, onward: str, *, token: str = "", person: Person | None = None
    ) -> web.StreamResponse:
        """Begins a session, and goes on to a page of ours."""
        headers = {hdrs.LOCATION: self._people.prefix + onward, hdrs.CACHE_CONTROL: "no-store"}
        response = web.Response(status=303, headers=headers)
        self._begin(request, response, grant, token, person)
        return response

    def let_in_from_elsewhere(self, request: web.Request, person: Person, onward: str) -> web.StreamResponse:
        """The same for whom another site sent: a page of ours goes on, as the cookie is kept back until then."""
        grant = self._people.grant(person, request)
        if grant is None:
            log.warning("console login refused", address=request.remote or "", by=person.way)
            problem = f"{person.name} is known there, and nothing in the config lets him in here."
            return self.page({"problem": problem, "next": onward}, 403)
        response = self.page({"again": self._people.prefix + onward, "problem": "", "next": onward}, 200)
        self._begin(request, response, grant, "", person)
        return response

    def _begin(
        self, request: web.Request, response: web.Response, grant: Grant, token: str, person: Person | None
    ) -> None:
        """Begins a session in place of the one that the browser has."""
        before = request.cookies.get(self.cookie(request))
        old = self.sessions.of(before) if before else None
        if old is not None:
            self.sessions.end(old.number)
        browser = request.headers.get(hdrs.USER_AGENT, "").encode("utf-8", "replace").decode()
        secret = self.sessions.begin(token, grant.name, browser, request.remote or "", person)
        log.info("console login", name=grant.name, role=grant.role, by=person.way if person else "token")
        secure = self.is_secure(request)
        response.set_cookie(self.cookie(request), secret, path="/", httponly=True, samesite="Strict", secure=secure)

    async def logout(self, request: web.Request, visitor: Visitor) -> web.StreamResponse:
        self.sessions.end(visitor.session.number)
        response = web.Response(status=303, headers={hdrs.LOCATION: self._people.prefix + LOGIN})
        secure = self.is_secure(request)
        response.del_cookie(self.cookie(request), path="/", httponly=True, samesite="Strict", secure=secure)
        return response

    def is_secure(self, request: web.Request) -> bool:
        return self._secure or self._people.is_tls_outside(request)

    def cookie(self, request: web.Request, name: str = COOKIE) -> str:
        """A cookie's name, which no page without TLS can set where TLS is spoken."""
        return f"__Host-{name}" if self.is_secure(request) else name

    async def goes_on(self, request: web.Request) -> bool:
        """Whether the session of a request that is still being answered goes on."""
        return await self._visitor(request) is not None

    async def _visitor(self, request: web.Request) -> Visitor | None:
        secret = request.cookies.get(self.cookie(request))
        # What an open page asks for by itself is no use of the session: it must end where nobody is.
        by_itself = request.path == EVENTS or "HX-Request" in request.headers
        session = self.sessions.of(secret, used=not by_itself) if secret else None
        if session is None:
            return None
        if session.person is not None:
            grant = self._people.grant(session.person, request)
        else:
            grant = await self._access.grant_of(session.token)
        if grant is None:  # revoked or expired since, or named by the proxy no longer
            self.sessions.end(session.number)
            return None
        return Visitor(session, grant, looks=request.method == hdrs.METH_GET and not by_itself)

    def _not_logged_in(self, request: web.Request) -> web.StreamResponse:
        onward = request.path_qs if request.method == "GET" else f"{BASE}/"
        if request.method == "GET" and request.headers.get("Sec-Fetch-Site") == "cross-site":
            # A link in a mail or a chat: browsers keep a SameSite=Strict cookie back until a page of ours asks again.
            return self.page({"again": self._people.prefix + onward, "problem": "", "next": onward}, 200)
        person = self._people.named_by_proxy(request)
        if person is not None:
            grant = self._people.grant(person, request)
            if grant is not None:
                return self._let_in(request, grant, onward_to(onward), person=person)
            problem = f"The proxy names {person.name}, and `console.users` in the config does not. Use a token."
            return self.page({"problem": problem, "next": onward}, 403)
        raise web.HTTPSeeOther(f"{self._people.prefix}{LOGIN}?next={quote(onward, safe='')}")

    def _check_form(self, request: web.Request, visitor: Visitor, form: Mapping[str, object]) -> None:
        """Raises Refused unless the form was made by us for this session, whose token may act."""
        given = form.get("csrf")
        if is_from_elsewhere(request) or not isinstance(given, str) or not same(given, visitor.session.csrf):
            raise Refused("That form was not one of this session; nothing was done. Open the page again.")
        if not visitor.may_act and request.match_info.route.name != LOGOUT:
            raise Refused(f"{visitor.grant.name} may look and not act; nothing was done.")


def is_from_elsewhere(request: web.Request) -> bool:
    """Whether the browser says that another site sent this. Whoever says nothing is no browser of today."""
    fetched = request.headers.get("Sec-Fetch-Site")
    if fetched is not None:
        return fetched not in ("same-origin", "none")
    origin = request.headers.get(hdrs.ORIGIN)
    try:
        return origin is not None and urlsplit(origin).netloc != request.headers.get(hdrs.HOST)
    except ValueError:
        return True  # it is no address


async def form_of(request: web.Request) -> "MultiDictProxy[str | bytes | bytearray | web.FileField]":
    """What a form has sent. Raises HTTPBadRequest for what is none."""
    try:
        return await request.post()
    # Its encoding, its parts, how a part is encoded, or a part's header.
    except (ValueError, LookupError, AssertionError, RuntimeError, HttpProcessingError) as error:
        raise web.HTTPBadRequest(reason="That form cannot be read") from error


def onward_to(address: str) -> str:
    """Where to go after a login: only to a page of ours."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return f"{BASE}/"
    ours = not parts.scheme and not parts.netloc and parts.path.startswith(f"{BASE}/") and "\\" not in address
    plain = address.isascii() and address.isprintable() and "/../" not in f"{unquote(parts.path)}/"
    return address if ours and plain else f"{BASE}/"
