"""Who may use the console, beside those who have a token, and how it is reached from outside."""

import ipaddress
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from exporter.base.listen import is_loopback_host
from exporter.configfile.named_files import SecretFile
from exporter.configfile.section import Contradiction, Section, shown
from remediator.config.urls import HttpUrl

ConsoleRole = Literal["viewer", "operator"]


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(f"{shown(text)} must be an address or a network, as in 127.0.0.1 or 10.0.0.0/24") from None


_OF_OTHERS = re.compile(
    r"host|from|date|te|via|range|referer|origin|cookie2?|set-cookie2?|authorization|authentication-info|user-agent|"
    r"upgrade.*|connection|keep-alive|trailer|transfer-encoding|expect|forwarded|x-forwarded-(for|host|port|proto)|"
    r"x-real-ip|pragma|cache-control|dnt|priority|last-event-id|content-.*|accept.*|if-.*|sec-.*|proxy-.*|hx-.*|"
    r"access-control-.*",
    re.IGNORECASE,
)
"""Headers that browsers, proxies and pages of ours send with a meaning of their own."""


def _header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,62}", text):
        raise ValueError(f"{shown(text)} must be the name of a header, as in Remote-User: letters, digits and -")
    if _OF_OTHERS.fullmatch(text):
        raise ValueError(
            f"{shown(text)} is sent by browsers and proxies with another meaning: have the proxy set one of its own, as"
            " in Remote-User"
        )
    return text


def _outside(url: str) -> str:
    parts = urlsplit(url)
    if "?" in url or "#" in url or "//" in parts.path or not re.fullmatch(r"[A-Za-z0-9._~/-]*", parts.path):
        raise ValueError(f"{shown(url)} must be an address without a query, whose path has letters, digits and . _ ~ -")
    if not url.isascii():
        raise ValueError(f"{shown(url)} must be ASCII, as a browser sends it: a name with other letters begins xn--")
    steps = parts.path.rstrip("/").split("/")
    if "." in steps or ".." in steps:
        raise ValueError(f"{shown(url)} must be an address without . and .. in its path")
    if steps[-1] == "console":
        raise ValueError(f"{shown(url)} must be without /console at its end, which is put behind it")
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


def _issuer(url: str) -> str:
    parts = urlsplit(url)
    if "?" in url or "#" in url or not url.isascii():
        raise ValueError(f"{shown(url)} must be an address without a query, exactly as the provider names itself")
    if parts.scheme != "https" and not is_loopback_host(parts.hostname or ""):
        raise ValueError(f"{shown(url)} must begin with https: who changes what it answers logs in as anybody")
    return url


def _word(text: str) -> str:
    if not re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}", text):
        raise ValueError(f"{shown(text)} must be printable ASCII without spaces, quotes or backslashes")
    return text


def _label(text: str) -> str:
    if not text.isprintable() or not text.strip() or len(text) > 60:
        raise ValueError(f"{shown(text)} must be a name on one line, of 60 characters at most")
    return text


def _value(text: str) -> str:
    if not text:
        raise ValueError("a value of the claim must not be empty: name the group or the role that it is")
    return text


def _scopes(scopes: list[str]) -> list[str]:
    if "openid" not in scopes:
        raise ValueError("must have `openid`: without it a provider says nothing of who logs in")
    return scopes


Word = Annotated[str, AfterValidator(_word)]


class Oidc(Section):
    """Login by an OpenID Connect provider, with an authorization code and PKCE. Needs `console.url`; the provider must
    know that address, with `/console/oidc/back` behind it, as where people may come back to.
    """

    name: Annotated[str, AfterValidator(_label)] = Field(
        default="single sign-on", description="what the login page calls it"
    )
    issuer: Annotated[HttpUrl, AfterValidator(_issuer)] = Field(
        description="the provider, exactly as it names itself, as in `https://sso.example.org/realms/ops`"
    )
    client_id: Word = Field(description="what the provider calls Upkeeper")
    client_secret_file: SecretFile | None = Field(
        default=None, description="file that holds the client's secret; none for a public client"
    )
    scopes: Annotated[list[Word], AfterValidator(_scopes)] = Field(
        default=["openid", "profile"], description="what is asked for; many providers give groups for a scope `groups`"
    )
    user_claim: Word = Field(
        default="preferred_username",
        description="the claim that names somebody in the record; choose one that people cannot change themselves",
    )
    roles_claim: Word = Field(
        default="groups",
        description="the claim that says what somebody may do, or its path, as in `realm_access.roles`; an `email` "
        "counts once the provider has verified it",
    )
    roles: dict[Annotated[str, AfterValidator(_value)], ConsoleRole] = Field(
        min_length=1,
        description="values of that claim, and what each may do in the console; who has none of them is not let in",
    )

    def role(self, values: Collection[str]) -> ConsoleRole | None:
        """What somebody may do whose claim has these values: the most that one of them gives."""
        given = {self.roles[value] for value in values if value in self.roles}
        return "operator" if "operator" in given else "viewer" if given else None


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
    oidc: Oidc | None = Field(default=None, description="logs in whom an OpenID Connect provider names")

    @property
    def prefix(self) -> str:
        """What stands before the path of every page, seen from outside."""
        return "" if self.url is None else urlsplit(self.url).path.rstrip("/")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if given.get("user_header") is not None and not given.get("users"):
            yield Contradiction(("user_header",), "lets nobody in while `users:` names none")
        if given.get("oidc") is not None and given.get("url") is None:
            yield Contradiction(("oidc",), "needs `url:` beside it: where the provider sends people back to")
        users = given.get("users")
        for name in users if isinstance(users, Mapping) else ():
            if not isinstance(name, str) or not re.fullmatch(r"[\x21-\x7e]{1,200}", name):
                yield Contradiction(("users",), "a user's name is printable ASCII without spaces")
