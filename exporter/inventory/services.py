"""Services with their probes."""

import re
from collections.abc import Iterator, Mapping, Set
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from exporter.configfile.named_files import PublicFile, SecretFile
from exporter.configfile.quantities import Duration
from exporter.configfile.section import (
    Contradiction,
    Name,
    OneLine,
    Regex,
    Section,
    repeated_names,
    shown,
    shown_url,
    split_url,
)
from exporter.inventory.conditions import JsonCondition


def _probeable(url: str) -> str:
    parts = split_url(url, "http", "https", *_PORTS)
    if parts.scheme in _PORTS and parts.port is None:
        raise ValueError(
            f"{shown_url(url)} must end in a port, as in {parts.scheme}://127.0.0.1:{_PORTS[parts.scheme]}"
        )
    if parts.scheme in _DATABASES and (parts.path not in ("", "/") or parts.query or parts.fragment):
        raise ValueError(f"{shown_url(url)} must end after the port: the probe needs no database and no user")
    return url


StartTls = Literal["smtp", "imap", "pop3", "postgres", "ldap"]
"""Protocols that begin without TLS, and their way to ask for it."""

_DATABASES = ("postgres", "bolt")
_PORTS = {"tcp": 5432, "postgres": 5432, "bolt": 7687}
"""Schemes that need a port, each with an example."""

ProbeUrl = Annotated[
    str,
    AfterValidator(_probeable),
    WithJsonSchema({"type": "string", "pattern": "^(https?|tcp|postgres|bolt)://"}),
]
"""``http://``, ``https://``, or one of ``tcp``, ``postgres`` and ``bolt`` with ``://host:port``."""

_HTTP_ONLY = (
    "method",
    "headers",
    "body",
    "body_file",
    "basic_auth",
    "bearer_token_file",
    "expect_status",
    "body_regex",
    "body_json",
    "follow_redirects",
)
_TCP_ONLY = ("send", "expect", "tls", "starttls")
_TLS_KEYS = ("tls_ca_file", "tls_server_name", "tls_cert_file", "tls_key_file")


def _header_name(text: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", text):  # a token of RFC 9110
        raise ValueError(f"{shown(text)} must be the name of an HTTP header, as in X-Api-Key")
    return text


def _header_value(text: str) -> str:
    if not re.fullmatch(r"[\t -~]*", text):
        raise ValueError(f"{shown(text)} must be one line of ASCII, as HTTP headers are")
    return text


def _sent_line(text: str) -> str:
    if not text or "\n" in text.rstrip("\r\n"):
        raise ValueError(f"{shown(text)} must be one line")
    return text


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
SentLine = Annotated[str, AfterValidator(_sent_line)]


class BasicAuth(Section):
    """A user name and a password for HTTP."""

    username: str = Field(min_length=1, description="the user")
    password_file: SecretFile = Field(description="file with the password; read again for each probe")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if ":" in str(given.get("username")):
            yield Contradiction(("username",), "a user name with a colon cannot be sent (RFC 7617)")


class Probe(Section):
    """One check of a service. It succeeds when the expected answer comes in time."""

    name: Name = Field(default="live", description="distinguishes the probes of a service, as in live and ready")
    means: OneLine = Field(
        default="",
        max_length=80,
        description="what a failure means, in a few words, as in `database not reachable`; alerts are then titled so",
    )
    url: ProbeUrl = Field(
        description="`http://...`, `https://...`; `postgres://host:port`, `bolt://host:port` (the server must answer); "
        "`tcp://host:port` (a connection must open)"
    )
    method: Literal["GET", "HEAD", "POST"] = Field(default="GET", description="HTTP method")
    headers: dict[HeaderName, HeaderValue] = Field(
        default={}, repr=False, description="HTTP headers to send; write credentials as `${NAME}`"
    )
    body: str | None = Field(
        default=None,
        min_length=1,
        repr=False,
        description="what to send with `method: POST`; JSON or text, unless a header Content-Type says otherwise",
    )
    body_file: SecretFile | None = Field(
        default=None, description="file with the body to send, if it contains a secret; read again for each probe"
    )
    basic_auth: BasicAuth | None = Field(default=None, description="user and password for HTTP")
    bearer_token_file: SecretFile | None = Field(
        default=None, description="file with a bearer token for HTTP; read again for each probe"
    )
    expect_status: list[Annotated[int, Field(ge=100, le=599)]] = Field(
        default=[200], min_length=1, description="HTTP statuses that count as success"
    )
    body_regex: Regex | None = Field(default=None, description="RE2 regular expression that the body must contain")
    body_json: list[JsonCondition] = Field(
        default=[], description="conditions on a JSON body, all of which must be met"
    )
    follow_redirects: bool = Field(default=False, description="follow redirects and judge their target")
    send: SentLine | None = Field(default=None, description="tcp: a line to send once connected")
    expect: Regex | None = Field(default=None, description="tcp: RE2 regular expression that a line must match")
    tls: bool = Field(default=False, description="tcp: begin with a TLS handshake")
    starttls: StartTls | None = Field(
        default=None, description="tcp: upgrade to TLS with this protocol, as on ports 25, 143, 110, 5432, 389"
    )
    tls_verify: bool = Field(default=True, description="an untrusted or expired certificate is a failure")
    tls_ca_file: PublicFile | None = Field(
        default=None, description="PEM file of the CAs to trust, instead of the system's"
    )
    tls_server_name: str | None = Field(
        default=None, min_length=1, description="name to ask for and to verify, instead of the URL's host"
    )
    tls_cert_file: PublicFile | None = Field(default=None, description="PEM file of the client certificate")
    tls_key_file: SecretFile | None = Field(
        default=None, description="PEM file of its key, without a passphrase; may be in tls_cert_file too"
    )
    tls_min_validity: Duration = Field(
        default=14 * 86400.0, description="a certificate that expires sooner raises an alert; the probe still succeeds"
    )
    ip_protocol: Literal["any", "ipv4", "ipv6"] = Field(
        default="any", description="which addresses of the host to try: all in the system's order, or one kind"
    )
    ip_protocol_fallback: bool = Field(
        default=True, description="try the other kind if the host has no address of the kind in `ip_protocol`"
    )
    timeout: Duration = Field(default=5.0, gt=0, description="time for the whole probe")

    @property
    def scheme(self) -> str:
        """Of its URL: http, https, tcp, postgres or bolt."""
        return self.url.partition(":")[0].lower()

    def keeps_secret_in(self, key: str) -> bool:
        """The private key is in the certificate's file where no other file is named for it."""
        return key == "tls_cert_file" and self.tls_key_file is None

    @property
    def uses_tls(self) -> bool:
        """Whether it comes to a TLS handshake."""
        return self.scheme == "https" or self.tls or self.starttls is not None

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        changed = {key for key in cls.model_fields.keys() & given.keys() if given[key] != cls.model_fields[key].default}
        scheme = str(given.get("url")).partition("://")[0]
        if scheme in _DATABASES:
            for key in (*_HTTP_ONLY, *_TCP_ONLY, "tls_verify", *_TLS_KEYS):
                if key in changed:
                    yield Contradiction((key,), f"has no effect on a {scheme}:// probe")
        elif scheme == "tcp":
            for key in _HTTP_ONLY:
                if key in changed:
                    yield Contradiction((key,), "has no effect on a tcp:// probe; remove it, or probe over http")
            has_tls = bool({"tls", "starttls"} & changed)
            yield from _unused_tls(changed, has_tls, "needs `tls: true` or `starttls:` for a tcp:// probe")
            if {"tls", "starttls"} <= changed:
                yield Contradiction(("starttls",), "contradicts `tls: true`, which begins with TLS; keep one of them")
        elif scheme in ("http", "https"):
            for key in _TCP_ONLY:
                if key in changed:
                    yield Contradiction((key,), "is for tcp:// probes; an http probe has body_regex and body_json")
            if given.get("method") == "HEAD":
                for key in ("body_regex", "body_json"):
                    if key in changed:
                        yield Contradiction((key,), "the answer to HEAD has no body; use GET, or remove this key")
            for key in ("body", "body_file"):
                if key in changed and given.get("method") != "POST":
                    yield Contradiction((key,), "is sent with `method: POST`; add that, or remove this key")
            if {"body", "body_file"} <= changed:
                yield Contradiction(("body_file",), "a probe sends one body; remove this or body")
            may_have_tls = scheme == "https" or "follow_redirects" in changed
            yield from _unused_tls(changed - {"tls_verify"}, may_have_tls, "has no effect on an http:// probe")
        yield from _of_credentials(given, changed)
        if "tls_key_file" in changed and "tls_cert_file" not in changed:
            yield Contradiction(("tls_key_file",), "also needs tls_cert_file")
        if "tls_ca_file" in changed and "tls_verify" in changed:
            yield Contradiction(("tls_ca_file",), "has no effect with `tls_verify: false`")
        if "ip_protocol_fallback" in changed and "ip_protocol" not in changed:
            yield Contradiction(("ip_protocol_fallback",), "only has an effect with `ip_protocol: ipv4` or `ipv6`")


def _unused_tls(changed: Set[str], used: bool, message: str) -> Iterator[Contradiction]:
    for key in ("tls_verify", *_TLS_KEYS):
        if key in changed and not used:
            yield Contradiction((key,), message)


def _of_credentials(given: Mapping[str, Any], changed: Set[str]) -> Iterator[Contradiction]:
    ways = [key for key in ("basic_auth", "bearer_token_file") if key in changed]
    if len(ways) > 1:
        yield Contradiction(("bearer_token_file",), "a probe has one kind of credentials; remove this or basic_auth")
    headers = given.get("headers")
    if ways and isinstance(headers, Mapping) and any(str(name).lower() == "authorization" for name in headers):
        yield Contradiction(("headers",), f"the header Authorization is set by {ways[0]}; remove one of them")


def _unit(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\@-]*\.service", name):
        raise ValueError(f"{shown(name)} must be the full name of a service unit, as in letta.service")
    return name


class Service(Section):
    """A service with its probes, and the container that serves it."""

    name: Name = Field(description="names it in metrics, alerts and commands")
    probes: list[Probe] = Field(min_length=1, description="its checks; one that fails makes the service fail")
    container: str | None = Field(
        default=None, min_length=1, description="container that service-restart restarts when a probe fails"
    )
    unit: Annotated[str, AfterValidator(_unit)] | None = Field(
        default=None, description="or the systemd unit of this machine that it restarts, as in `letta.service`"
    )

    needs: list[Name] = Field(
        default=[],
        description="services and `postgres:` or `neo4j:` servers without which it cannot work: while one of these is "
        "down, Alertmanager tells only of that, and this service is not restarted",
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if given.get("container") is not None and given.get("unit") is not None:
            yield Contradiction(("unit",), "and container are mutually exclusive: one of them serves it")
        yield from repeated_names("probes", given.get("probes"), unnamed="live")
