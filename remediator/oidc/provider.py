"""An OpenID Connect provider: where it sends people to, and whom it says came back.

OpenID Connect Core 1.0 (authorization code), Discovery 1.0, PKCE (RFC 7636, S256), the issuer in answers (RFC 9207).
"""

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from exporter.base.secretfile import SecretUnreadable, read_secret
from exporter.base.threads import KeyedThreads, StillStuck
from remediator.config.console import Oidc
from remediator.oidc.idtoken import Expected, OidcError, name_of, texts, verified
from remediator.peers.http import PeerClient, PeerError, is_loopback

SECONDS = 10.0
"""In which each answer of the provider must be there."""
MAX_BYTES = 1_000_000
KEPT = 600.0
"""Seconds for which the provider's description of itself is kept."""
AGAIN = 5.0
"""Seconds after which one that could not be had is asked for again: whoever opens pages must not hammer a provider."""


@dataclass(frozen=True)
class Identity:
    """Whom the provider says somebody is. name: for the record. values: what it says of his roles."""

    name: str
    values: frozenset[str]


class Provider:
    """The one of the settings. clock: Unix seconds. It connects where it must, and keeps no connection."""

    def __init__(self, settings: Oidc, clock: Callable[[], float]) -> None:
        self.settings = settings
        self._clock = clock
        self._threads = KeyedThreads()
        self._asking, self._reading = asyncio.Lock(), asyncio.Lock()
        self._document: Mapping[str, Any] | None = None
        self._failure = ""
        self._until = 0.0

    async def address(self, back: str, state: str, nonce: str, verifier: str) -> str:
        """Where somebody logs in, to come back to the address ``back``. Raises OidcError."""
        if find_spec("joserfc") is None:
            raise OidcError("this installation cannot verify what it says: pip install 'upkeeper[oidc]'")
        endpoint = await self._endpoint("authorization_endpoint")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        values = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": back,
            "scope": " ".join(self.settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(values)}"

    async def identity(self, code: str, back: str, nonce: str, verifier: str) -> Identity:
        """Who came back with this code. Raises OidcError."""
        given = await self._exchange(code, back, verifier)
        keys = await self._ask("GET", await self._endpoint("jwks_uri"))
        expected = Expected(self.settings.issuer, self.settings.client_id, nonce, self._clock())
        # The library is imported with the first login, which takes a while.
        claims = await asyncio.to_thread(verified, given["id_token"], keys, expected)
        wanted = (self.settings.user_claim, self.settings.roles_claim)
        if not all(texts(claims, name) for name in wanted):
            claims = {**await self._more(given, str(claims["sub"])), **claims}
        return Identity(name_of(claims, self.settings.user_claim), texts(claims, self.settings.roles_claim))

    async def _exchange(self, code: str, back: str, verifier: str) -> Mapping[str, Any]:
        """Tokens for a code."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        headers, secret, document = {}, await self._secret(), await self._described()
        methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if secret is None:
            form["client_id"] = self.settings.client_id
        elif isinstance(methods, list) and "client_secret_basic" not in methods and "client_secret_post" in methods:
            form |= {"client_id": self.settings.client_id, "client_secret": secret}
        else:
            both = f"{quote(self.settings.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(both.encode()).decode()}"
        given = await self._ask("POST", await self._endpoint("token_endpoint"), data=form, headers=headers)
        if not isinstance(given.get("id_token"), str):
            raise OidcError("the provider gives no ID token; is `openid` among the scopes?")
        return given

    async def _more(self, given: Mapping[str, Any], subject: str) -> Mapping[str, Any]:
        """What the provider tells of somebody beside the ID token, if it does."""
        token = given.get("access_token")
        if not isinstance((await self._described()).get("userinfo_endpoint"), str) or not isinstance(token, str):
            return {}
        headers = {"Authorization": f"Bearer {token}"}
        found = await self._ask("GET", await self._endpoint("userinfo_endpoint"), headers=headers)
        if found.get("sub") != subject:
            raise OidcError("the provider tells of somebody else than who logged in")
        return found

    async def _secret(self) -> str | None:
        path = self.settings.client_secret_file
        if path is None:
            return None
        try:
            async with self._reading, asyncio.timeout(SECONDS):
                return await self._threads.run("secret", lambda: read_secret(path))
        except (TimeoutError, StillStuck):
            raise OidcError("the file of console.oidc.client_secret_file does not answer") from None
        except SecretUnreadable as error:
            raise OidcError(f"console.oidc.client_secret_file {error}") from None

    async def _endpoint(self, key: str) -> str:
        url = (await self._described()).get(key)
        if not isinstance(url, str) or not re.fullmatch(r"https?://[\x21-\x7e]+", url):
            raise OidcError(f"the provider names no {key}")
        if not url.startswith("https:") and not is_loopback(url):
            raise OidcError(f"the provider's {key} is without TLS")
        return url

    async def _described(self) -> Mapping[str, Any]:
        """What the provider says of itself."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if now >= self._until:
                try:
                    self._document, self._failure = await self._discovered(), ""
                except OidcError as error:
                    self._document, self._failure = None, str(error)
                self._until = now + (AGAIN if self._document is None else KEPT)
        if self._document is None:
            raise OidcError(self._failure)
        return self._document

    async def _discovered(self) -> Mapping[str, Any]:
        issuer = self.settings.issuer
        document = await self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != issuer:
            raise OidcError(
                f"what answers at {issuer} names itself otherwise; `console.oidc.issuer` must be exactly as it says"
            )
        return document

    async def _ask(self, method: str, url: str, **request: Any) -> Mapping[str, Any]:
        """A JSON object from one of its addresses."""
        async with PeerClient("the provider", url, SECONDS, MAX_BYTES) as client:
            try:
                status, body = await client.ask(method, "", **request)
            except PeerError as error:
                raise OidcError(str(error)) from None
        if status != 200 or not isinstance(body, dict):
            word = body.get("error") if isinstance(body, dict) else None
            said = f": {word}" if isinstance(word, str) and word.isidentifier() and len(word) < 100 else ""
            raise OidcError(f"the provider refuses {method} {urlsplit(url).path} ({status}){said}")
        return body
