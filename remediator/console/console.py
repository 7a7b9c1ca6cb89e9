"""The console in an application: its pages, forms, sessions and files."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import structlog
from aiohttp import hdrs, web

from remediator.access.failures import Failures
from remediator.api.operations import DIGITS, Operations
from remediator.api.routes import download
from remediator.console.forms import FORMS, Act
from remediator.console.gate import EVENTS, LOGOUT, Gate, Visitor, form_of
from remediator.console.live import Live
from remediator.console.looks import LOOKS, Look
from remediator.console.once import Links, Once
from remediator.console.pages import PAGES, STATUS, Page
from remediator.console.people import People
from remediator.console.sessions import Notice, Sessions
from remediator.console.signin import BACK as OIDC_BACK
from remediator.console.signin import LOGIN as OIDC_LOGIN
from remediator.console.signin import SignIn
from remediator.console.static import BASE, address_of, is_there, serve
from remediator.console.times import Times
from remediator.control.access import Access
from remediator.model.errors import RequestError, bad_request

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)
log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    hdrs.CACHE_CONTROL: "no-store",
}
_SHOWN = ("text/html", "text/plain", "text/markdown", "application/json")
"""Types of what a run has made that a browser shows in place of saving it."""
_LONGEST_FIELD = 2000
_LONGEST_REASON = 500
_FEWEST_FOR_GZIP = 1000


class Console:
    """Serves the console below BASE, on the operations of the API. clock: Unix seconds. writes: how often
    the record was written to. secure: TLS is spoken.
    """

    def __init__(
        self,
        ask: Operations,
        access: Access,
        people: People,
        links: Links,
        failures: Failures,
        clock: Callable[[], float],
        writes: Callable[[], int],
        *,
        secure: bool = False,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._people = people
        self._gate = Gate(access, people, failures, Sessions(clock), secure, self._login_page)
        self._signin = SignIn(self._gate, people, clock)
        self._writes = writes
        self._live = Live(ask, writes)
        self._once = Once(
            links, failures, lambda name, title, values, status: self._page(name, title, values, None, status)
        )

    def add_to(self, app: web.Application) -> None:
        router = app.router
        router.add_get("/", self._to_console)
        router.add_get(BASE, self._to_console)
        router.add_get(f"{BASE}/static/{{hash}}/{{name}}", self._as_page(self._static))
        router.add_get(EVENTS, self._gate.visited(self._events), allow_head=False)  # it would be held open
        get, post = partial(self._add, router.add_get), partial(self._add, router.add_post)
        get("/login", self._show_login)
        post("/login", self._gate.login)
        router.add_get(OIDC_LOGIN, self._as_page(self._signin.leave))
        router.add_get(OIDC_BACK, self._as_page(self._signin.come_back))
        get("/once/{secret}", self._once.show)
        post("/once/{secret}", self._once.take)
        router.add_post(f"{BASE}/logout", self._as_page(self._gate.visited(self._gate.logout, acts=True)), name=LOGOUT)
        get(f"/artefacts/{{id:[0-9]{{1,{DIGITS}}}}}", self._gate.visited(self._artefact))
        get("/sessions", self._gate.visited(self._sessions))
        post("/sessions/end", self._gate.visited(self._end_session, acts=True))
        get("/alerts/of/{fingerprint:[0-9a-f]{1,16}}", self._gate.visited(self._newest))
        for page in PAGES:
            get(page.path.replace("{id}", "{id:[0-9]+}"), self._gate.visited(self._shown(page)))
        for path, act in FORMS.items():
            post(path, self._gate.visited(self._taken(act), acts=True))
        for path, look in LOOKS.items():
            post(path, self._gate.visited(self._looked(look), acts=True))
        # Last: whatever is below the console and is none of these.
        get("/{rest:.*}", self._gate.visited(self._nowhere))
        for path in (BASE, f"{BASE}/{{rest:.*}}"):
            router.add_route("*", path, self._as_page(self._gate.visited(self._no_way)))
        app.on_shutdown.append(self._stop)

    def _add(self, add: Callable[..., Any], path: str, handler: Handler) -> None:
        add(BASE + path, self._as_page(handler))

    def _as_page(self, handler: Handler) -> Handler:
        """Says on a page what else would be said as a problem of the API."""

        async def respond(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except web.HTTPException as error:
                if error.status < 400:
                    raise
                return self._problem(f"{error.reason}.", error.status)
            except Exception:
                log.exception("request of the console failed", method=request.method, path=request.path)
                return self._problem("This cannot be answered; the remediator's log says why.", 500)

        return respond

    def _problem(self, text: str, status: int, visitor: Visitor | None = None, *, passes: bool = False) -> web.Response:
        """passes: what was asked for may be there at another time, so an open page looks again when news come."""
        values = {"problem": text, "live": passes and visitor is not None, "seen": self._writes()}
        return self._page("problem.html", "Not possible", values, visitor, status)

    async def _static(self, request: web.Request) -> web.StreamResponse:
        return await (serve if is_there(request) else self._gate.visited(self._nowhere))(request)

    async def _nowhere(self, request: web.Request, visitor: Visitor) -> web.Response:
        return self._problem("There is no such page.", 404, visitor)

    async def _no_way(self, request: web.Request, visitor: Visitor) -> web.Response:
        return self._problem("Nothing can be sent there.", 405, visitor)

    async def _stop(self, app: web.Application) -> None:
        self._live.close()

    async def _events(self, request: web.Request, visitor: Visitor) -> web.StreamResponse:
        return await self._live.stream(request, lambda: self._gate.goes_on(request))

    def _shown(self, page: Page) -> Callable[[web.Request, Visitor], Any]:
        async def respond(request: web.Request, visitor: Visitor) -> web.Response:
            seen = self._writes()
            try:
                values = {**await page.read(self._ask, request, visitor), "seen": seen}
                status = values.pop(STATUS, 200)
                return self._page(page.template, page.title, values, visitor, status, times=Times.of(request.query))
            except RequestError as error:
                return self._problem(str(error), error.status, visitor)
            except Exception:
                log.exception("page failed", path=page.path)
                said = "This page cannot be made; the remediator's log says why."
                return self._problem(said, 500, visitor, passes=True)

        return respond

    def _looked(self, look: Look) -> Callable[[web.Request, Visitor], Any]:
        """The page of what a form asks to see: nothing is changed, so nothing is to be gone on from."""

        async def respond(request: web.Request, visitor: Visitor) -> web.Response:
            form = await form_of(request)
            try:
                return self._page(look.template, look.title, await look.read(self._ask, _fields(form)), visitor)
            except RequestError as error:
                return self._problem(str(error), error.status, visitor)
            except Exception:
                log.exception("look failed", path=request.path)
                return self._problem("This cannot be told; the remediator's log says why.", 500, visitor)

        return respond

    def _taken(self, act: Act) -> Callable[[web.Request, Visitor], Any]:
        async def respond(request: web.Request, visitor: Visitor) -> web.StreamResponse:
            form = await form_of(request)
            onward = _back(str(form.get("back", "")))
            try:
                text, onward = await act(self._ask, _fields(form))
                visitor.session.notice = Notice(text)
            except RequestError as error:
                visitor.session.notice = Notice(str(error), good=False)
            except Exception:
                log.exception("form failed", path=request.path)
                said = "It failed; the remediator's log says why. Look whether it was done before you try again."
                visitor.session.notice = Notice(said, good=False)
            return web.Response(
                status=303, headers={hdrs.LOCATION: self._base + onward, hdrs.CACHE_CONTROL: "no-store"}
            )

        return respond

    async def _newest(self, request: web.Request, visitor: Visitor) -> web.Response:
        """The newest episode of an alert by its fingerprint, which is all that Alertmanager's messages know of it."""
        try:
            found = await self._ask.alerts(limit=1, fingerprint=request.match_info["fingerprint"])
        except RequestError as error:
            return self._problem(str(error), error.status, visitor)
        if not found["items"]:
            problem = (
                "There is no such alert in the record. It has not reached this remediator yet, its route in"
                " Alertmanager does not lead here, or it is so old that the record no longer has it."
            )
            return self._problem(problem, 404, visitor)
        onward = f"{self._base}/alerts/{found['items'][0]['id']}"
        return web.Response(status=303, headers={hdrs.LOCATION: onward, hdrs.CACHE_CONTROL: "no-store"})

    async def _artefact(self, request: web.Request, visitor: Visitor) -> web.Response:
        """What a run has made: a report is shown, without a script and as of no site; all else is saved."""
        try:
            found = await self._ask.artefact(int(request.match_info["id"]))
        except RequestError as error:
            return self._problem(str(error), error.status, visitor)
        response = download(found, shown=found["media_type"].partition(";")[0] in _SHOWN)
        response.headers[hdrs.CACHE_CONTROL] = "no-store"
        return response

    async def _sessions(self, request: web.Request, visitor: Visitor) -> web.Response:
        values = {"sessions": self._gate.sessions.all(), "own": visitor.session.number}
        return self._page("sessions.html", "Sessions", values, visitor, times=Times.of(request.query))

    async def _end_session(self, request: web.Request, visitor: Visitor) -> web.StreamResponse:
        number = str((await form_of(request)).get("number", ""))
        ended = number.isdecimal() and len(number) < 10 and self._gate.sessions.end(int(number))
        visitor.session.notice = Notice("The session has ended." if ended else "That session had ended before.")
        raise web.HTTPSeeOther(f"{self._base}/sessions")

    async def _show_login(self, request: web.Request) -> web.StreamResponse:
        return self._login_page({"problem": "", "next": request.query.get("next", "")}, 200)

    def _login_page(self, values: Mapping[str, object], status: int) -> web.Response:
        oidc = self._people.oidc
        more = {"again": "", "users": self._people.has_users, "oidc": "" if oidc is None else oidc.name}
        return self._page("login.html", "Log in", {**more, **values}, None, status)

    @property
    def _base(self) -> str:
        """Where the console begins, seen from outside."""
        return self._people.prefix + BASE

    async def _to_console(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"{self._base}/")

    def _page(
        self,
        template: str,
        title: str,
        values: Mapping[str, Any],
        visitor: Visitor | None,
        status: int = 200,
        *,
        times: Times | None = None,
    ) -> web.Response:
        from remediator.console.render import render  # a library that is needed only where somebody looks

        notice = None
        if visitor is not None and visitor.looks:
            notice, visitor.session.notice = visitor.session.notice, None
        more = {
            "base": self._base,
            "static": lambda name: self._people.prefix + address_of(name),
            "title": title,
            "menu": [page for page in PAGES if page.menu],
            "visitor": visitor,
            "notice": notice,
            "times": times,
        }
        body = render(template, {**more, **values}, self._clock(), exact=times is not None and times.exact)
        response = web.Response(text=body, status=status, content_type="text/html", headers=_HEADERS)
        if len(body) > _FEWEST_FOR_GZIP:
            response.enable_compression()
        return response


def _fields(form: Mapping[str, object]) -> Mapping[str, str]:
    """What a form has sent. Raises RequestError for what no database takes: without it, it would mean something else,
    and an empty task means all of them. Only a reason is cut and cleaned, as far as something is left of it.
    """
    fields = {name: str(value) for name, value in form.items()}
    reason = fields.get("reason", "").replace("\0", "")[:_LONGEST_REASON]
    if reason:
        fields["reason"] = reason
    for name, text in fields.items():
        if "\0" in text:
            raise bad_request(f"{name[:50]} holds a NUL character; nothing was done")
        if len(text) > _LONGEST_FIELD:
            raise bad_request(f"{name[:50]} is longer than {_LONGEST_FIELD} characters; nothing was done")
    return fields


def _back(path: str) -> str:
    """The page that a form was on, below the console's, if it is one of ours."""
    known = {page.path for page in PAGES if "{" not in page.path}
    first, _, number = path[1:].partition("/")
    below = f"/{first}/{{id}}" in {page.path for page in PAGES} and number.isascii() and number.isdecimal()
    return path if path in known or below else "/"
