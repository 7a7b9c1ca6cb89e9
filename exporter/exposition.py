"""Metric families as bytes, in the two formats that Prometheus reads, and the choice between them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import deflate
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

_render_openmetrics: Callable[[object], bytes] = openmetrics.generate_latest
_EOF = b"# EOF\n"
_GZIP_LEVEL = 1


class Format(Enum):
    """A format with its content type."""

    TEXT = CONTENT_TYPE_PLAIN_0_0_4
    OPENMETRICS = openmetrics.CONTENT_TYPE_LATEST


@dataclass(frozen=True, slots=True)
class Rendered:
    """Families in both formats, the OpenMetrics one without its end mark, so that several can be joined."""

    text: bytes = b""
    openmetrics: bytes = b""

    def of(self, form: Format) -> bytes:
        return self.text if form is Format.TEXT else self.openmetrics


class _Families:
    """Looks like a registry to the library's renderers."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def render(families: Iterable[Metric]) -> Rendered:
    """Families without samples are left out. Raises what the library raises on names and values that cannot be."""
    present = _Families([family for family in families if family.samples])
    return Rendered(
        text=generate_latest(present),
        openmetrics=_render_openmetrics(present).removesuffix(_EOF),
    )


def join(parts: Iterable[Rendered], form: Format) -> bytes:
    """A whole exposition. No family may be in two parts."""
    body = b"".join(part.of(form) for part in parts)
    return body + _EOF if form is Format.OPENMETRICS else body


def compress(body: bytes) -> bytes:
    return bytes(deflate.gzip_compress(body, _GZIP_LEVEL))


@lru_cache(maxsize=64)
def choose_format(accept: str) -> Format:
    """The format for an Accept header: OpenMetrics where it is asked for by name and not liked less than text."""
    wanted = {Format.TEXT: 0.0, Format.OPENMETRICS: 0.0}
    for media, parameters, quality in _ranges(accept):
        if media == "application/openmetrics-text" and parameters.get("version", "1.0.0") in ("1.0.0", "0.0.1"):
            wanted[Format.OPENMETRICS] = max(wanted[Format.OPENMETRICS], quality)
        elif media == "text/plain" and parameters.get("version", "0.0.4") == "0.0.4":
            wanted[Format.TEXT] = max(wanted[Format.TEXT], quality)
    liked = wanted[Format.OPENMETRICS]
    return Format.OPENMETRICS if liked > 0 and liked >= wanted[Format.TEXT] else Format.TEXT


@lru_cache(maxsize=64)
def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header allows gzip (RFC 9110, section 12.5.3)."""
    named = {coding: quality for coding, _, quality in _ranges(accept_encoding)}
    return named.get("gzip", named.get("*", 0.0)) > 0


def _ranges(header: str) -> Iterable[tuple[str, dict[str, str], float]]:
    """The elements of an Accept header: name, parameters, quality. A quality that is no number counts as 0."""
    for element in header.split(","):
        name, *rest = (part.strip() for part in element.split(";"))
        parameters = {
            key.strip().lower(): value.strip().strip('"') for key, _, value in (part.partition("=") for part in rest)
        }
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 0.0
        if name:
            yield name.lower(), parameters, quality
