"""A named token, as it is stored: by its hash."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Literal

from remediator.model.caller import Caller

TokenRole = Literal["viewer", "operator", "alertmanager"]

PREFIX = "upk_"
"""So that a token is known for one where it has leaked: in a repository, a log."""


def new_token() -> str:
    """256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(token: str | bytes) -> str:
    """SHA-256 in hexadecimal digits.

    Nobody guesses 256 random bits, however fast a guess is checked: the slow hashes are for what people think up.
    """
    return hashlib.sha256(token.encode() if isinstance(token, str) else token).hexdigest()


@dataclass(frozen=True)
class Token:
    """Times are Unix seconds. by: who made it."""

    name: str
    role: TokenRole
    hash: str
    by: Caller
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None

    def state(self, now: float) -> Literal["valid", "expired", "revoked"]:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"
