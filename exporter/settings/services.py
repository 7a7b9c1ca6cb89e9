"""Services with their probes."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from exporter.section import Contradiction, Name, Regex, Section, repeated_names, shown, split_url
from exporter.units import Duration


def _probeable(url: str) -> str:
    parts = split_url(url, "http", "https", "tcp")
    if parts.scheme == "tcp" and parts.port is None:
        raise ValueError(f"{shown(url)} must end in a port, as in tcp://127.0.0.1:5432")
    return url


ProbeUrl = Annotated[str, AfterValidator(_probeable), WithJsonSchema({"type": "string", "pattern": "^(https?|tcp)://"})]
"""``http://``, ``https://`` or ``tcp://host:port``."""

_HTTP_ONLY = {"method", "headers", "expect_status", "body_regex", "follow_redirects", "tls_verify"}


def _header_name(text: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", text):  # a token of RFC 9110
        raise ValueError(f"{shown(text)} must be the name of an HTTP header, as in X-Api-Key")
    return text


def _header_value(text: str) -> str:
    if not re.fullmatch(r"[\t -~]*", text):
        raise ValueError(f"{shown(text)} must be one line of ASCII, as HTTP headers are")
    return text


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]


class Probe(Section):
    """One check of a service. It succeeds when the answer is the expected one and comes in time."""

    name: Name = Field(default="live", description="tells the probes of a service apart, as in live and ready")
    url: ProbeUrl = Field(description="`http://...`, `https://...`, or `tcp://host:port` (a connection must open)")
    method: Literal["GET", "HEAD", "POST"] = Field(default="GET", description="HTTP method")
    headers: dict[HeaderName, HeaderValue] = Field(
        default={}, description="HTTP headers to send; write credentials as `${NAME}`"
    )
    expect_status: list[Annotated[int, Field(ge=100, le=599)]] = Field(
        default=[200], min_length=1, description="HTTP statuses that are well"
    )
    body_regex: Regex | None = Field(default=None, description="RE2 regular expression that the body must contain")
    follow_redirects: bool = Field(default=False, description="judge the page that a redirect leads to")
    tls_verify: bool = Field(default=True, description="an untrusted or expired certificate is a failure")
    timeout: Duration = Field(default=5.0, gt=0, description="time for the whole probe")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if str(given.get("url")).startswith("tcp://"):
            for key in _HTTP_ONLY & given.keys():
                if given[key] != cls.model_fields[key].default:
                    yield Contradiction((key,), "means nothing for a tcp:// probe; remove it, or probe over http")
        elif given.get("method") == "HEAD" and given.get("body_regex") is not None:
            yield Contradiction(("body_regex",), "the answer to HEAD has no body; use GET, or remove this key")


class Service(Section):
    """A service with its probes, and the container that serves it."""

    name: Name = Field(description="names it in metrics, alerts and commands")
    probes: list[Probe] = Field(min_length=1, description="its checks; one that fails makes the service fail")
    container: str | None = Field(
        default=None, min_length=1, description="container that service-restart restarts when a probe fails"
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from repeated_names("probes", given.get("probes"), unnamed="live")
