"""Login by an OpenID Connect provider: sends people there, and lets in whom it sends back as the config says."""

from collections.abc import Callable
from urllib.parse import quote

import structlog
from aiohttp import hdrs, web

from remediator.console.gate import LOGIN as LOGIN_PAGE
from remediator.console.gate import Gate, is_from_elsewhere, onward_to
from remediator.console.people import People, Person, mark_of
from remediator.console.static import BASE
from remediator.oidc.idtoken import OidcError
from remediator.oidc.provider import Provider
from remediator.oidc.underway import LASTS, Underway

log = structlog.get_logger(__name__)

LOGIN = f"{BASE}/oidc/login"
BACK = f"{BASE}/oidc/back"
COOKIE = "upkeeper-login"
_LONGEST = 4000
"""Characters of a code or a state."""


class SignIn:
    """clock: Unix seconds. Whatever goes wrong at the provider, the login page says so and takes tokens as before."""

    def __init__(self, gate: Gate, people: People, clock: Callable[[], float]) -> None:
        self._gate = gate
        self._people = people
        self._clock = clock
        self._underway = Underway(clock)
        self._provider: Provider | None = None

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """Begins a login, which this browser alone can end, and goes to the provider."""
        onward = onward_to(request.query.get("next", ""))
        provider = self._configured()
        if provider is None or is_from_elsewhere(request):  # only a person's own click on a page of ours begins one
            raise web.HTTPSeeOther(f"{self._people.prefix}{LOGIN_PAGE}?next={quote(onward, safe='')}")
        secret, begun = self._underway.begin(provider, onward)
        try:
            address = await provider.address(self._back, begun.state, begun.nonce, begun.verifier)
        except OidcError as error:
            return self._refused(request, provider, str(error), onward, 502)
        response = web.Response(status=303, headers={hdrs.LOCATION: address, hdrs.CACHE_CONTROL: "no-store"})
        # Lax: the provider sends the browser back here, which is another site's doing.
        response.set_cookie(
            self._gate.cookie(request, COOKIE), secret, path="/", httponly=True, samesite="Lax", max_age=int(LASTS),
            secure=self._gate.is_secure(request),
        )  # fmt: skip
        return response

    async def come_back(self, request: web.Request) -> web.StreamResponse:
        """Lets in whom the provider sent back, if that login began in this browser, and once."""
        given = {name: values[0] for name in request.query if len(values := request.query.getall(name)) == 1}
        state, code = given.get("state", "")[:_LONGEST], given.get("code", "")[:_LONGEST]
        begun = self._underway.take(request.cookies.get(self._gate.cookie(request, COOKIE), ""), state)
        if begun is None:
            log.warning("single sign-on refused", address=request.remote or "", reason="not of this browser")
            begin = f"{self._people.url}{LOGIN_PAGE}"
            problem = f"That login did not begin in this browser, was used before, or took too long. Begin at {begin}"
            return self._gate.page({"problem": problem, "next": ""}, 403)
        settings = begun.provider.settings
        if given.get("iss", settings.issuer) != settings.issuer:
            return self._refused(request, begun.provider, "another provider answers", begun.onward, 403)
        if not code:
            word = given.get("error", "")
            said = word if word.isidentifier() and len(word) < 100 else "no code"
            return self._refused(request, begun.provider, f"the provider lets nobody in: {said}", begun.onward, 403)
        try:
            found = await begun.provider.identity(code, self._back, begun.nonce, begun.verifier)
        except OidcError as error:
            return self._refused(request, begun.provider, str(error), begun.onward, 403)
        person = Person(found.name, "oidc", mark_of(settings), found.values)
        response = self._gate.let_in_from_elsewhere(request, person, begun.onward)
        secure = self._gate.is_secure(request)
        name = self._gate.cookie(request, COOKIE)
        response.del_cookie(name, path="/", httponly=True, samesite="Lax", secure=secure)
        return response

    @property
    def _back(self) -> str:
        return f"{self._people.url}{BACK}"

    def _configured(self) -> Provider | None:
        settings = self._people.oidc
        if settings is None:
            return None
        if self._provider is None or self._provider.settings != settings:
            self._provider = Provider(settings, self._clock)
        return self._provider

    def _refused(
        self, request: web.Request, provider: Provider, reason: str, onward: str, status: int
    ) -> web.StreamResponse:
        log.warning("single sign-on refused", address=request.remote or "", reason=reason)
        problem = f"{provider.settings.name}: {reason}. A token lets you in as before."
        return self._gate.page({"problem": problem, "next": onward}, status)
