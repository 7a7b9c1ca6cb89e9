"""Stands in for an OpenID Connect provider: discovery, keys, codes with PKCE, and ID tokens that it signs. None of its
users has a password: whom it lets in the test says. What it does wrong the test says too.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import BasicAuth, web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

CLIENT, SECRET = "upkeeper", "geheim & more"
ANNA: Mapping[str, Any] = {"sub": "7", "preferred_username": "anna", "groups": ["ops"]}
KEY = ECKey.generate_key("P-256", {"kid": "first", "use": "sig"})
OTHER = ECKey.generate_key("P-256", {"kid": "first", "use": "sig"})  # of somebody else, who calls it the same

Change = Callable[[dict[str, Any]], object]


@dataclass
class Provider:
    """user: whom it lets in, as claims. token: makes the ID token of the claims. change: what it gets wrong in them."""

    url: str = ""
    user: Mapping[str, Any] = field(default_factory=lambda: ANNA)
    userinfo: Mapping[str, Any] | None = None
    token: Callable[[dict[str, Any]], str] = lambda claims: signed(claims)
    change: Change = lambda claims: None
    document: Mapping[str, object] = field(default_factory=dict)
    """What its description says otherwise."""
    fails: dict[str, int] = field(default_factory=dict)
    """Statuses of answers by path."""
    more: Mapping[str, str] = field(default_factory=dict)
    """What it sends back beside the code."""
    calls: list[str] = field(default_factory=list)
    _codes: dict[str, Mapping[str, str]] = field(default_factory=dict)

    async def describe(self, request: web.Request) -> web.Response:
        made = {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize?tenant=a",
            "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
        }  # fmt: skip
        return self._answer(request, made | self.document)

    async def keys(self, request: web.Request) -> web.Response:
        public = KeySet([KEY]).as_dict(private=False)
        return self._answer(request, {"keys": [{"kty": "unknown", "kid": "new"}, {"kty": "RSA"}, 5, *public["keys"]]})

    async def authorize(self, request: web.Request) -> web.Response:
        asked = request.query
        assert (asked["response_type"], asked["client_id"], asked["tenant"]) == ("code", CLIENT, "a")
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe()
        self._codes[code] = dict(asked)
        back = {"state": asked["state"], "code": code, **self.more}
        return web.Response(status=302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(back)}"})

    async def give(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = self._codes.pop(str(form["code"]), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(str(form["code_verifier"]).encode()).digest())
        basic = BasicAuth.decode(request.headers["Authorization"])
        assert (basic.login, basic.password) == (CLIENT, "geheim%20%26%20more")
        if asked is None or challenge.rstrip(b"=").decode() != asked["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        assert form["redirect_uri"] == asked["redirect_uri"]
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": CLIENT, "nonce": asked["nonce"], "iat": now, "exp": now + 300, **self.user,
        }  # fmt: skip
        self.change(claims)
        return self._answer(request, {"id_token": self.token(claims), "access_token": "at", "token_type": "Bearer"})

    async def tell(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer at"
        return self._answer(request, self.userinfo)

    def _answer(self, request: web.Request, body: object) -> web.Response:
        self.calls.append(request.path)
        status = self.fails.get(request.path, 200)
        return web.json_response(body, status=status)


def signed(claims: dict[str, Any], key: RSAKey | ECKey = KEY, algorithm: str = "ES256") -> str:
    return jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key, algorithms=[algorithm])


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    made = Provider()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", made.describe)
    app.router.add_get("/keys", made.keys)
    app.router.add_get("/authorize", made.authorize)
    app.router.add_post("/token", made.give)
    app.router.add_get("/userinfo", made.tell)
    async with TestServer(app) as server:
        made.url = str(server.make_url("")).rstrip("/")
        yield made
