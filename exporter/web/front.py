"""What stands before an application: TLS, users, a limit and headers, all as the web config in force says."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog
from aiohttp import hdrs, web
from prometheus_client.core import Metric

from exporter.base.problem import Handler, problem
from exporter.base.threads import KeyedThreads, StillStuck
from exporter.configfile.problem import ConfigError, Problem
from exporter.web.load import Seen, WebSettings, changed, load
from exporter.web.passwords import Credentials, Passwords, TooBusy, parse_basic
from exporter.web.site import TlsSite
from exporter.web.tls import Handshakes, ServerContext, handshakes
from exporter.web.token_bucket import TokenBucket
from exporter.web.web_metrics import Reason, WebMetrics

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""The files are looked at this often. In a thread: a file system that hangs must not hold up a request."""
LOOK_DEADLINE = 10.0

CHALLENGE = 'Basic realm="Upkeeper", charset="UTF-8"'


class Front:
    """The web config of one server. Raises ConfigError when the file cannot be put in force at the start.

    path: the file. own_credential: whether a request is let in or turned away by the application's own credential.
    over_limit: the status for a request over the rate limit. changed: called when ``families`` says something new.
    wall: Unix seconds.
    """

    def __init__(
        self,
        path: Path,
        own_credential: Callable[[web.Request], bool] = lambda _: False,
        over_limit: Callable[[web.Request], int] = lambda _: 429,
        changed: Callable[[], None] = lambda: None,
        wall: Callable[[], float] = time.time,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._path = path.absolute()
        self._own_credential = own_credential
        self._over_limit = over_limit
        self._changed = changed
        self._wall = wall
        self._look_seconds = look_seconds
        self._threads = KeyedThreads()
        self._passwords = Passwords()
        self._error = ""
        self._stuck = False
        self._seen: Seen = {}
        self._now = load(self._path, self._seen)
        self._figures = WebMetrics(wall(), self._now.certificate)
        self._bucket = _bucket(self._now)
        self._stand_in: Handshakes | None = None
        if self._now.tls is not None:
            self._now.tls.failed = self._handshake_failed
            self._stand_in = handshakes(self._now.tls)

    @property
    def tls(self) -> bool:
        """Whether TLS is spoken. This stays as it was at the start."""
        return self._stand_in is not None

    def attach(self, app: web.Application) -> None:
        """Puts itself before everything that the application does."""

        @web.middleware
        async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
            refusal = await self._refusal(request)
            return refusal if refusal is not None else await handler(request)

        app.middlewares.insert(0, admit)
        app.on_response_prepare.append(self._finish)

    def mark(self, user: str) -> str | None:
        """Tells a user's password from the next one without telling anything of it; None for none of the users."""
        hashed = self._now.users.get(user.encode())
        return None if hashed is None else hashlib.sha256(hashed).hexdigest()

    async def right(self, user: str, password: str) -> bool:
        """Whether one of the users has this password. Raises TooBusy."""
        users = self._now.users
        given = Credentials(user.encode("utf-8", "replace"), password.encode("utf-8", "replace"))
        return bool(users) and await self._passwords.right(users, given)

    def site(self, runner: web.BaseRunner, host: str | None, port: int) -> web.BaseSite:
        """What listens."""
        return (
            web.TCPSite(runner, host, port) if self._stand_in is None else TlsSite(runner, host, port, self._stand_in)
        )

    def announce(self, address: str) -> None:
        """One line about how the address is protected."""
        config = self._now.loaded.value
        http = config.http_server_config
        log.info("web config in force", address=address, path=str(self._path), tls=self.tls, users=len(self._now.users))
        if self._now.users and not self.tls:
            log.warning("passwords are sent without TLS: whoever can read the traffic can read them", address=address)
        if http is not None and http.http2 and self.tls:
            log.info("http2 is set, and HTTP/2 is not served: clients use HTTP/1.1", path=str(self._path))

    async def run(self) -> None:
        """Puts changed files in force until it is cancelled. What is wrong never replaces what works."""
        while True:
            await asyncio.sleep(self._look_seconds)
            await self.look()

    async def look(self) -> None:
        """Looks once whether a file has changed, and puts it in force if all of it is right."""
        try:
            async with asyncio.timeout(LOOK_DEADLINE):
                found = await self._threads.run("web config", lambda: _load_changed(self._path, self._seen))
            self._set_stuck(False)
            if found is not None:
                self._seen, outcome = found
                if isinstance(outcome, ConfigError):
                    raise outcome
                self._put_in_force(outcome)
        except (TimeoutError, StillStuck):
            self._set_stuck(True)
        except (ConfigError, OSError) as error:
            self._failed(str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the watch either
            self._failed(type(error).__name__, error)
            self._seen = {self._path: None}  # so that all is read again once it works

    def families(self) -> Iterable[Metric]:
        """Metric families about the web config and who was turned away."""
        self._figures.successful = not self._error and not self._stuck
        return self._figures.families()

    def _put_in_force(self, found: WebSettings) -> None:
        if (found.tls is not None) != self.tls:
            switched = "on" if found.tls is not None else "off"
            message = f"TLS is switched {switched}, which needs a restart"
            raise ConfigError([Problem(str(self._path), None, None, "tls_server_config", message)])
        if found.rate_limit != self._now.rate_limit:
            self._bucket = _bucket(found)
        self._now = found
        if found.tls is not None and self._stand_in is not None:
            found.tls.failed = self._handshake_failed
            self._stand_in.current = found.tls
        self._error, self._figures.last_success, self._figures.certificate = "", self._wall(), found.certificate
        log.info("web config reloaded", path=str(self._path))
        self._changed()

    def _set_stuck(self, stuck: bool) -> None:
        if stuck != self._stuck:
            self._stuck = stuck
            if stuck:
                log.error("web config cannot be read: the file system does not answer", path=str(self._path))
            else:
                log.info("web config can be read again", path=str(self._path))
            self._changed()

    def _failed(self, error: str, surprise: Exception | None = None) -> None:
        if error != self._error:
            self._error = error
            log.error("web config not reloaded, the old one stays in force", error=error, exc_info=surprise)
            self._changed()

    async def _refusal(self, request: web.Request) -> web.Response | None:
        """The answer to who is not let in."""
        if self._bucket is not None and not self._bucket.take():
            wait = max(1, round(self._bucket.wait))
            status = self._over_limit(request)
            return self._deny("rate_limit", status, "over the rate limit", {hdrs.RETRY_AFTER: str(wait)})
        context = _context_of(request)
        if context is not None and self._now.tls is not None and context.clients != self._now.tls.clients:
            refusal = self._deny("client_certificate", 403, "the requirements for clients have changed; connect again")
            refusal.force_close()
            return refusal
        if not self._now.users or self._own_credential(request):
            return None
        given = parse_basic(request.headers.get(hdrs.AUTHORIZATION, ""))
        try:
            if given is not None and await self._passwords.right(self._now.users, given):
                return None
        except TooBusy:
            return self._deny("busy", 503, "too many passwords are being checked", {hdrs.RETRY_AFTER: "1"})
        detail = "a user name and password are required"
        return self._deny("credentials", 401, detail, {hdrs.WWW_AUTHENTICATE: CHALLENGE})

    def _deny(self, reason: Reason, status: int, detail: str, headers: dict[str, str] | None = None) -> web.Response:
        self._figures.denied[reason] += 1
        self._changed()
        return problem(status, detail=detail, headers=headers)

    async def _finish(self, request: web.Request, response: web.StreamResponse) -> None:
        """Adds the headers, and ends a connection that was made under an older certificate or its rules."""
        for name, value in self._now.headers.items():
            response.headers.setdefault(name, value)
        context = _context_of(request)
        if context is not None and context is not self._now.tls:
            response.force_close()
            response.headers[hdrs.CONNECTION] = "close"

    def _handshake_failed(self) -> None:
        self._figures.handshake_errors += 1
        self._changed()


def _load_changed(path: Path, before: Seen) -> tuple[Seen, WebSettings | ConfigError] | None:
    """What was read and what came of it; None when nothing has changed. Blocking.

    A file that is wrong is so read once, until it changes again.
    """
    if not changed(before):
        return None
    seen: Seen = {}
    try:
        return seen, load(path, seen)
    except ConfigError as error:
        return seen, error


def _bucket(settings: WebSettings) -> TokenBucket | None:
    limit = settings.rate_limit
    return TokenBucket(limit.interval, limit.burst, time.monotonic) if limit is not None else None


def _context_of(request: web.Request) -> ServerContext | None:
    """The context that the request's connection was made under; None without TLS."""
    connection = request.transport.get_extra_info("ssl_object") if request.transport is not None else None
    context = connection.context if connection is not None else None
    return context if isinstance(context, ServerContext) else None
