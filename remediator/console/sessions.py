"""Who is logged in to the console: sessions in this process's memory, begun by a token, a password or a proxy."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from remediator.console.people import Person

LASTS = 12 * 3600.0
"""Seconds after which a session ends, however busy it is."""
IDLE = 2 * 3600.0
"""Seconds without a request after which it ends."""
MOST = 200
"""Sessions at once; the one that was idle longest ends for a new one."""
MOST_OF_ONE = 20
"""Of one token or person at once: nobody's logins end those of others."""


@dataclass
class Session:
    """A browser that is logged in. Times are Unix seconds; ``number`` names it in lists and opens nothing."""

    number: int
    token: str
    """Hash of the token that began it, which is looked up at each request: a revoked one ends its sessions. Empty where
    ``person`` did."""
    name: str
    csrf: str
    """What each form must send along."""
    began: float
    seen: float
    browser: str
    address: str
    person: Person | None = None
    notice: "Notice | None" = None
    """What the next page says, once."""

    @property
    def whose(self) -> tuple[str, str, str | None]:
        """Equal for the sessions of one token or person."""
        return self.token, self.name, None if self.person is None else self.person.way


@dataclass(frozen=True)
class Notice:
    """What became of what was asked for."""

    text: str
    good: bool = True


@dataclass
class Sessions:
    """All of them, by the hash of the secret that their cookie holds. clock: Unix seconds."""

    clock: Callable[[], float]
    _open: dict[str, Session] = field(default_factory=dict)
    _count: int = 0

    def begin(self, token: str, name: str, browser: str, address: str, person: Person | None = None) -> str:
        """A new session. Returns the cookie's secret, which is nowhere kept. Never one that a client brought."""
        self._drop_ended()
        whose = (token, name, None if person is None else person.way)
        own = [key for key, one in self._open.items() if one.whose == whose]
        for among, most in ((own, MOST_OF_ONE), (list(self._open), MOST)):
            idlest = sorted((key for key in among if key in self._open), key=lambda key: self._open[key].seen)
            for key in idlest[: max(0, len(idlest) - most + 1)]:
                del self._open[key]
        secret, now = secrets.token_urlsafe(32), self.clock()
        self._count += 1
        self._open[_hash(secret)] = Session(
            self._count, token, name, secrets.token_urlsafe(32), now, now, browser[:200], address, person
        )
        return secret

    def of(self, secret: str, *, used: bool = True) -> Session | None:
        """The session that goes on; None if there is none, or it has ended. used: a person asks for something now."""
        session = self._open.get(_hash(secret))
        if session is None or self._ended(session):
            self._open.pop(_hash(secret), None)
            return None
        if used:
            session.seen = self.clock()
        return session

    def end(self, number: int) -> bool:
        """Ends one by its number. False if it has ended before."""
        found = [key for key, session in self._open.items() if session.number == number]
        for key in found:
            del self._open[key]
        return bool(found)

    def all(self) -> Sequence[Session]:
        """Those that go on, the last used first."""
        self._drop_ended()
        return sorted(self._open.values(), key=lambda session: -session.seen)

    def _drop_ended(self) -> None:
        for key in [key for key, session in self._open.items() if self._ended(session)]:
            del self._open[key]

    def _ended(self, session: Session) -> bool:
        now = self.clock()
        # A clock that was set back ends it too: nobody knows how long ago it was used.
        return not (0 <= now - session.began < LASTS and 0 <= now - session.seen < IDLE)


def same(given: str, wanted: str) -> bool:
    """Whether two secrets are the same, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
