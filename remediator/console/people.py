"""Who may use the console without a token: users of the web config, and whom a reverse proxy or a provider names."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import urlsplit

from aiohttp import web

from remediator.config.console import Console, ConsoleRole, Oidc
from remediator.control.access import Grant

Way = Literal["user", "header", "oidc"]


class Users(Protocol):
    """Those of the web config."""

    def mark(self, name: str) -> str | None:
        """Tells one password from the next; None for a user that there is not."""

    async def right(self, name: str, password: str) -> bool:
        """Whether that is the user's password. Raises exporter.web.passwords.TooBusy."""


@dataclass(frozen=True)
class Person:
    """Who was let in, and how. mark: what must still be so for the session to go on. values: what a provider said of
    his roles, which the config maps at each request.
    """

    name: str
    way: Way
    mark: str
    values: frozenset[str] = frozenset()


class People:
    """settings: those in force. users: None where no web config has any."""

    def __init__(self, settings: Callable[[], Console], users: Users | None) -> None:
        self._settings = settings
        self._users = users

    @property
    def has_users(self) -> bool:
        """Whether anybody can log in with a password."""
        return self._users is not None and any(self._users.mark(name) for name in self._settings().users)

    async def with_password(self, name: str, password: str) -> Person | None:
        """A user of the web config, also one whom the console's config does not name. Raises TooBusy."""
        if self._users is None or not await self._users.right(name, password):
            return None
        mark = self._users.mark(name)
        return None if mark is None else Person(name, "user", mark)

    def named_by_proxy(self, request: web.Request) -> Person | None:
        """Whom a trusted proxy names, if it names one, once."""
        header = self._settings().user_header
        if header is None or not header.trusts(request.remote or ""):
            return None
        names = request.headers.getall(header.name, [])
        return Person(names[0], "header", "") if len(names) == 1 and names[0] else None

    def grant(self, person: Person, request: web.Request) -> Grant | None:
        """What one may do who was let in; None once that is over."""
        if person.way == "oidc":
            return self._named_by_provider(person)
        role = self.role(person.name)
        if role is None:
            return None
        if person.way == "header":
            return Grant(person.name, role) if self.named_by_proxy(request) == person else None
        mark = None if self._users is None else self._users.mark(person.name)
        return Grant(person.name, role) if mark is not None and hmac.compare_digest(mark, person.mark) else None

    def _named_by_provider(self, person: Person) -> Grant | None:
        oidc = self._settings().oidc
        role = None if oidc is None or mark_of(oidc) != person.mark else oidc.role(person.values)
        return None if role is None else Grant(person.name, role)

    @property
    def oidc(self) -> Oidc | None:
        return self._settings().oidc

    @property
    def url(self) -> str:
        """Where people reach the remediator, where the config says so."""
        return self._settings().url or ""

    def role(self, name: str) -> ConsoleRole | None:
        return self._settings().users.get(name)

    @property
    def prefix(self) -> str:
        """What stands before the path of every page, seen from outside."""
        return self._settings().prefix

    def is_tls_outside(self, request: web.Request) -> bool:
        """Whether the browser speaks TLS with a proxy, at the address that the config names."""
        url = urlsplit(self._settings().url or "")
        return url.scheme == "https" and _without_usual_port(request.host) == _without_usual_port(url.netloc)


def _without_usual_port(host: str) -> str:
    """As browsers send it: they leave the port of https out."""
    return host.lower().removesuffix(":443")


def mark_of(oidc: Oidc) -> str:
    """Tells one provider, and what we are to it, from the next."""
    return f"{oidc.issuer} {oidc.client_id}"
