"""The keys of a web config file, as exporter-toolkit has them.

What Python's ssl module cannot do is refused and not passed over: a file that asks for more than it gets is a hole.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from exporter.configfile.section import Contradiction, Section, shown
from exporter.web.tls_names import TLS13_CIPHERS, CipherSuite, Curve

MAX_COST = 17
"""The highest cost of a bcrypt hash, as htpasswd's; a login then takes seconds, and doubles with each more."""

_BCRYPT = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
"""The salt's last character carries two bits; the bcrypt library takes no other."""

_GO_DURATION = re.compile(r"(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+")
_GO_PART = re.compile(r"([0-9.]+)(ns|us|µs|μs|ms|s|m|h)")
_GO_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _file_name(path: str) -> str:
    if "\0" in path:
        raise ValueError("a path must not contain a NUL byte")
    return path


def _header_value(value: str) -> str:
    if not value.isprintable() or not value.isascii():
        raise ValueError(f"{shown(value)} must be printable ASCII, on one line")
    return value


def _go_duration(value: object) -> object:
    """Seconds of a duration as Go writes it: ``500ms``, ``1m30s``, ``1.5h`` (https://pkg.go.dev/time#ParseDuration)."""
    if value in (0, "0") and not isinstance(value, bool):
        return 0.0
    if not isinstance(value, str) or len(value) > 40 or not _GO_DURATION.fullmatch(value):
        raise ValueError(f"{shown(value)} is not a duration; write it with its unit, for example 200ms or 1s")
    return sum(float(number) * _GO_SECONDS[unit] for number, unit in _GO_PART.findall(value))


File = Annotated[str, AfterValidator(_file_name)]
"""A path. A relative one starts at the directory of the config file."""

Header = Annotated[str, AfterValidator(_header_value)]

_TLS13 = tuple(TLS13_CIPHERS)  # a tuple, as what is given need not be hashable

Version = Literal["TLS10", "TLS11", "TLS12", "TLS13"]


class TlsServerConfig(Section):
    """The server's certificate and what it asks of its clients."""

    cert: str | None = Field(default=None, description="The certificate itself and those of its issuers, as PEM.")
    key: SecretStr | None = Field(default=None, description="The certificate's key itself, as PEM.")
    client_ca: str | None = Field(default=None, description="The CAs of client certificates themselves, as PEM.")
    cert_file: File | None = Field(default=None, description="File with the certificate and those of its issuers.")
    key_file: File | None = Field(default=None, description="File with the certificate's key.")
    client_ca_file: File | None = Field(default=None, description="File with the CAs of client certificates.")
    client_auth_type: Literal[
        "NoClientCert",
        "RequestClientCert",
        "RequireAnyClientCert",
        "VerifyClientCertIfGiven",
        "RequireAndVerifyClientCert",
    ] = Field(default="NoClientCert", description="What is asked of clients.")
    client_allowed_sans: list[str] = Field(default=[], description="Names of which a client certificate must have one.")
    min_version: Version = Field(default="TLS12", description="The oldest version of TLS that is spoken.")
    max_version: Version = Field(default="TLS13", description="The newest version of TLS that is spoken.")
    cipher_suites: list[CipherSuite] = Field(default=[], description="The cipher suites of TLS 1.2, the best first.")
    prefer_server_cipher_suites: bool = Field(default=True, description="Whether the server's order counts.")
    curve_preferences: list[Curve] = Field(default=[], description="The elliptic curve of the key exchange.")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from _certificate(given)
        yield from _clients(given)
        for key in ("min_version", "max_version"):
            if given.get(key) in ("TLS10", "TLS11"):
                message = f"{given[key]} is not supported: it is insecure (RFC 8996), and OpenSSL 3 does not have it"
                yield Contradiction((key,), f"{message}; write TLS12 or TLS13, or remove the key")
        if (given.get("min_version"), given.get("max_version")) == ("TLS13", "TLS12"):
            yield Contradiction(("max_version",), "max_version is below min_version, so no version is left")
        suites, oldest = given.get("cipher_suites"), given.get("min_version") or "TLS12"
        if isinstance(suites, list) and suites and oldest == "TLS12" and all(suite in _TLS13 for suite in suites):
            message = "only TLS 1.3 suites are listed, so TLS 1.2 could not be used"
            yield Contradiction(("cipher_suites",), f"{message}; add one of TLS 1.2, or min_version: TLS13")
        curves = given.get("curve_preferences")
        if isinstance(curves, list) and len(curves) > 1:
            message = "Python's TLS supports only one curve here"
            hint = "name one, or remove the key: all of them are then offered, X25519 first"
            yield Contradiction(("curve_preferences",), f"{message}; {hint}")


def _certificate(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    for text, file in (("cert", "cert_file"), ("key", "key_file"), ("client_ca", "client_ca_file")):
        if given.get(text) and given.get(file):
            yield Contradiction((file,), f"both {text} and {file} are given; keep one")
    for text, file in (("cert", "cert_file"), ("key", "key_file")):
        if not given.get(text) and not given.get(file):
            yield Contradiction((file,), f"neither {file} nor {text} is given, and TLS needs one of them")


def _clients(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    policy = given.get("client_auth_type") or "NoClientCert"
    has_ca = bool(given.get("client_ca") or given.get("client_ca_file"))
    verified = policy in ("VerifyClientCertIfGiven", "RequireAndVerifyClientCert")
    if policy in ("RequestClientCert", "RequireAnyClientCert"):
        message = (
            f"{policy} accepts any certificate unchecked, which protects nothing and is not supported by Python's TLS"
        )
        yield Contradiction(("client_auth_type",), f"{message}; write RequireAndVerifyClientCert, or NoClientCert")
    elif verified and not has_ca:
        message = f"{policy} needs client_ca_file or client_ca: else any certificate of a public CA would be accepted"
        yield Contradiction(("client_auth_type",), message)
    elif has_ca and policy == "NoClientCert":
        key = "client_ca_file" if given.get("client_ca_file") else "client_ca"
        message = f"{key} has no effect while client_auth_type is NoClientCert"
        yield Contradiction((key,), f"{message}; write client_auth_type: RequireAndVerifyClientCert")
    if given.get("client_allowed_sans") and policy in ("NoClientCert", "VerifyClientCertIfGiven"):
        message = "client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert"
        yield Contradiction(("client_allowed_sans",), f"{message}; with {policy} a client may have no certificate")


class Headers(Section):
    """Headers that are added to each answer which has none of the name. An empty one is left out."""

    content_security_policy: Header | None = Field(
        default=None, alias="Content-Security-Policy", description="What a page may load."
    )
    x_frame_options: Literal["deny", "sameorigin", ""] | None = Field(
        default=None, alias="X-Frame-Options", description="Who may show a page in a frame."
    )
    x_content_type_options: Literal["nosniff", ""] | None = Field(
        default=None, alias="X-Content-Type-Options", description="Whether browsers may guess a type."
    )
    x_xss_protection: Header | None = Field(default=None, alias="X-XSS-Protection", description="For browsers of old.")
    strict_transport_security: Header | None = Field(
        default=None, alias="Strict-Transport-Security", description="For how long browsers insist on TLS."
    )

    def given(self) -> dict[str, str]:
        """The headers to add, by name."""
        return {name: value for name, value in self.model_dump(by_alias=True).items() if value}


class HttpServerConfig(Section):
    """What is told with HTTP."""

    http2: bool | None = Field(default=None, description="Taken for compatibility: HTTP/2 is not served.")
    headers: Headers | None = Field(default=None, description="Headers that are added to answers.")


class RateLimit(Section):
    """A token bucket over all requests: ``burst`` at once, and one more after each ``interval``."""

    interval: Annotated[float, BeforeValidator(_go_duration), Field(ge=0)] = Field(
        default=0.0, description="Time from one request to the next in the long run; 0 sets no limit."
    )
    burst: Annotated[int, Field(ge=0)] = Field(default=0, description="Requests that may come at once.")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if given.get("interval") not in (None, 0, "0", "0s") and not given.get("burst"):
            yield Contradiction(("burst",), "burst must be at least 1, else no request is answered")


class WebConfig(Section):
    """The whole file."""

    tls_server_config: TlsServerConfig | None = Field(default=None, description="TLS; plain HTTP without.")
    http_server_config: HttpServerConfig | None = Field(default=None, description="What is told with HTTP.")
    basic_auth_users: dict[str, SecretStr] | None = Field(
        default=None, description="Users and the bcrypt hashes of their passwords; everybody may ask without."
    )
    rate_limit: RateLimit | None = Field(default=None, description="How many requests are answered.")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        users = given.get("basic_auth_users")
        for name, hashed in users.items() if isinstance(users, Mapping) else ():
            at = ("basic_auth_users", name)
            if ":" in name:
                yield Contradiction(at, "a user whose name has a colon can never log in (RFC 7617); choose another")
            if isinstance(hashed, str) and (problem := _hash_problem(hashed)):
                yield Contradiction(at, f"{problem}; `upkeeper hash-password` makes a good one")


def _hash_problem(hashed: str) -> str:
    """What is wrong with a bcrypt hash, never with a part of it; empty if nothing is."""
    match = _BCRYPT.fullmatch(hashed)
    if match is None:
        return "this must be a bcrypt hash: $2a$, $2b$ or $2y$, a cost of two digits, and 53 characters after it"
    if not 4 <= int(match.group(1)) <= MAX_COST:
        return f"the cost of a bcrypt hash must be from 4 to {MAX_COST}"
    return ""
