"""Logins that have begun and not come back, each bound to the browser in which it began. In this process's memory."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from remediator.oidc.provider import Provider

LASTS = 600.0
"""Seconds in which somebody must have logged in at the provider."""
MOST = 500
"""At once; the one that began longest ago is given up for a new one."""


@dataclass(frozen=True)
class Begun:
    """One login. onward: where to go after it. at: Unix seconds. state, nonce, verifier: as OpenID Connect and PKCE
    have them, each for this login alone.
    """

    provider: Provider
    onward: str
    at: float
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)


@dataclass
class Underway:
    """clock: Unix seconds."""

    clock: Callable[[], float]
    _begun: dict[str, Begun] = field(default_factory=dict)
    """By the hash of the secret that the browser's cookie holds; the oldest first."""

    def begin(self, provider: Provider, onward: str) -> tuple[str, Begun]:
        """A new one, and the secret for the browser's cookie, which is nowhere kept."""
        secret, begun = secrets.token_urlsafe(32), Begun(provider, onward, self.clock())
        while len(self._begun) >= MOST:
            del self._begun[next(iter(self._begun))]
        self._begun[_hash(secret)] = begun
        return secret, begun

    def take(self, secret: str, state: str) -> Begun | None:
        """The one that began in this browser and has this state, once. None if there is none any more."""
        begun = self._begun.get(_hash(secret))
        if begun is None or not hmac.compare_digest(begun.state.encode(), state.encode("utf-8", "replace")):
            return None
        del self._begun[_hash(secret)]
        # A clock that was set back ends it too: nobody knows how long ago it began.
        return begun if 0 <= self.clock() - begun.at < LASTS else None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
