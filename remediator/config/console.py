"""Who may use the console, beside those who have a token, and how it is reached from outside."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from exporter.configfile.section import Contradiction, Section, shown
from remediator.config.urls import HttpUrl

ConsoleRole = Literal["viewer", "operator"]


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(f"{shown(text)} must be an address or a network, as in 127.0.0.1 or 10.0.0.0/24") from None


def _header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,62}", text):
        raise ValueError(f"{shown(text)} must be the name of a header, as in Remote-User")
    return text


def _outside(url: str) -> str:
    parts = urlsplit(url)
    if parts.query or parts.fragment or "//" in parts.path or not re.fullmatch(r"[A-Za-z0-9._~/-]*", parts.path):
        raise ValueError(f"{shown(url)} must be an address without a query, whose path has letters, digits and . _ ~ -")
    return url.rstrip("/")


class UserHeader(Section):
    """A header in which a reverse proxy names the user that it has let in."""

    name: Annotated[str, AfterValidator(_header)] = Field(description="of the header, as in `Remote-User`")
    peers: list[Annotated[str, AfterValidator(_network)]] = Field(
        alias="from",
        min_length=1,
        description="addresses or networks of the proxy; from any other the header is passed over",
    )

    def trusts(self, address: str) -> bool:
        """Whether the header counts that comes from this address."""
        try:
            peer = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(peer, "ipv4_mapped", None)
        return any((mapped or peer) in ipaddress.ip_network(each) for each in self.peers)


class Console(Section):
    """The pages of the remediator for a browser."""

    url: Annotated[HttpUrl, AfterValidator(_outside)] | None = Field(
        default=None,
        description="where people reach the remediator through a reverse proxy, as in "
        "`https://ops.example.org/upkeeper`; the proxy takes the path away before it passes a request on",
    )
    users: dict[str, ConsoleRole] = Field(
        default={},
        description="users of the web config, or of the header, and what each may do in the console; the others have "
        "no access but by a token",
    )
    user_header: UserHeader | None = Field(
        default=None, description="logs in whom a reverse proxy names; without it no header does"
    )

    @property
    def prefix(self) -> str:
        """What stands before the path of every page, seen from outside."""
        return "" if self.url is None else urlsplit(self.url).path.rstrip("/")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if given.get("user_header") is not None and not given.get("users"):
            yield Contradiction(("user_header",), "lets nobody in while `users:` names none")
        users = given.get("users")
        for name in users if isinstance(users, Mapping) else ():
            if not isinstance(name, str) or not re.fullmatch(r"[\x21-\x7e]{1,200}", name):
                yield Contradiction(("users",), "a user's name is printable ASCII without spaces")
