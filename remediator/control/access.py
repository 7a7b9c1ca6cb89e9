"""Who may ask: named tokens, and those of the two files that the state directory has from its first start."""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import structlog

from exporter.base.text import format_time_ms
from remediator.control.again import to_be_tried_again
from remediator.model.caller import Caller
from remediator.model.errors import conflict, not_found, unprocessable
from remediator.model.shapes.answers import Page
from remediator.model.shapes.tokens import NewTokenView, TokenView
from remediator.model.token import Token, TokenRole, hash_of, new_token
from remediator.store import tokens
from remediator.store.database import Database

log = structlog.get_logger(__name__)

FRESH = 10.0
"""Seconds for which the tokens are not read again. What this process changes is in force at once; this is for what
another one changes in the same database."""
USE_NOTED_EVERY = 3600.0
"""Seconds between two notes that a token was used: a request must not cost a write."""
OF_FILES: Mapping[str, TokenRole] = {"operator": "operator", "alertmanager": "alertmanager"}
"""The tokens in files, by their names."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)


@dataclass(frozen=True)
class Grant:
    """Who asks, and what that one may."""

    name: str
    role: TokenRole

    def may(self, role: str) -> bool:
        """Whether that is enough for what a role may do."""
        return self.role == role or (self.role == "operator" and role == "viewer")


class Access:
    """Makes, lists and revokes tokens, and knows them again. caller: who asks."""

    def __init__(self, database: Database, clock: Callable[[], float], caller: Callable[[], Caller]) -> None:
        self._database = database
        self._clock = clock
        self._caller = caller
        self._files: dict[str, tuple[str, Grant]] = {}
        self._known: Mapping[str, Token] = {}
        self._read_at: float | None = None

    def add_file(self, name: str, token: str) -> None:
        """A token of a file, by its name in OF_FILES."""
        self._files[name] = hash_of(token), Grant(name, OF_FILES[name])

    async def grant(self, token: bytes) -> Grant | None:
        """What a token grants; None for one that is not valid. Raises sqlalchemy.exc.SQLAlchemyError."""
        return await self.grant_of(hash_of(token))

    async def grant_of(self, digest: str) -> Grant | None:
        """The same for the hash of a token that was shown before. Raises sqlalchemy.exc.SQLAlchemyError."""
        found: Grant | None = None
        for known, grant in self._files.values():  # all of them, so that the time tells nothing
            if hmac.compare_digest(known, digest):
                found = grant
        return found or await self._named(digest)

    async def _named(self, digest: str) -> Grant | None:
        now = self._clock()
        if self._read_at is None or not 0 <= now - self._read_at < FRESH:
            await self._read()
        # Looked up by its hash: how long that takes tells of the hash, which nobody can choose, not of the token.
        token = self._known.get(digest)
        if token is None or token.state(now) != "valid":
            return None
        if token.last_used_at is None or not 0 <= now - token.last_used_at < USE_NOTED_EVERY:
            with to_be_tried_again("the use of a token could not be noted"):
                await self._database.write(partial(tokens.used, digest=digest, now=now))
            await self._read()
        return Grant(token.name, token.role)

    async def _read(self) -> None:
        found = await self._database.read(partial(tokens.of_host, host=self._database.host))
        self._known = {token.hash: token for token in found}
        self._read_at = self._clock()

    async def tokens(self) -> Page[TokenView]:
        found = await self._database.read(partial(tokens.of_host, host=self._database.host))
        return {"items": [_view(token, self._clock()) for token in reversed(found)], "next": None}

    async def create_token(self, name: str, role: TokenRole, seconds: float | None) -> NewTokenView:
        """Makes a token. Raises RequestError."""
        if not _NAME.fullmatch(name):
            raise unprocessable(
                f"{name!r} cannot be the name of a token; use letters, digits and . _ - after the first"
            )
        if name in OF_FILES:
            raise unprocessable(f"{name} is the name of the token in the file tokens/{name}; choose another one")
        now = self._clock()
        text = new_token()
        token = Token(name, role, hash_of(text), self._caller(), now, None if seconds is None else now + seconds)
        if not await self._database.write(partial(tokens.create, host=self._database.host, token=token)):
            raise conflict(f"there is a token {name} already; revoke it first, or choose another name")
        await self._read()
        log.info("token created", name=name, role=role, seconds=seconds, by=token.by.name)
        return {**_view(token, now), "token": text}

    async def revoke_token(self, name: str) -> Page[TokenView]:
        """Revokes a token. Returns all that there are. Raises RequestError."""
        if name in OF_FILES:
            raise unprocessable(f"to replace {name}, delete the file tokens/{name} and start the remediator again")
        now, caller = self._clock(), self._caller()
        revoke = partial(tokens.revoke, host=self._database.host, name=name, caller=caller, now=now)
        if not await self._database.write(revoke):
            raise not_found(f"no token {name} is in force; see: upkeeper token list")
        await self._read()
        log.info("token revoked", name=name, by=caller.name)
        return await self.tokens()


def _view(token: Token, now: float) -> TokenView:
    def when(seconds: float | None) -> str | None:
        return None if seconds is None else format_time_ms(seconds)

    return {
        "name": token.name,
        "role": token.role,
        "state": token.state(now),
        "created_at": format_time_ms(token.created_at),
        "created_by": {"trigger": token.by.trigger, "name": token.by.name},
        "expires_at": when(token.expires_at),
        "revoked_at": when(token.revoked_at),
        "last_used_at": when(token.last_used_at),
    }
