"""Metric families as bytes, in the two formats that Prometheus reads, and the choice between them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import deflate
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

_render_openmetrics: Callable[[object], bytes] = openmetrics.generate_latest
_number: Callable[[float], str] = floatToGoString
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
    """Families without samples are left out. Raises what the library raises on names and values that cannot be.

    The bytes are the library's own, in a fraction of its time: the samples of most families read the same in both
    formats, so they are written once, and their names are escaped once for all rounds.
    """
    text: list[bytes] = []
    open_metrics: list[bytes] = []
    for family in families:
        if not family.samples:
            continue
        if family.type in _SUFFIXES and all(map(_is_plain, family.samples)):
            lines = "".join(map(_line, family.samples))
            text.append((_text_head(family) + lines).encode())
            open_metrics.append((_openmetrics_head(family) + lines).encode())
        else:
            text.append(generate_latest(_Families([family])))
            open_metrics.append(_render_openmetrics(_Families([family])).removesuffix(_EOF))
    return Rendered(b"".join(text), b"".join(open_metrics))


_SUFFIXES = {"gauge": "", "counter": "_total", "info": "_info", "stateset": "", "unknown": ""}
"""The types whose samples read the same in both formats, and what the text format adds to the family's name."""

_TEXT_TYPES = {"info": "gauge", "stateset": "gauge", "unknown": "untyped"}

_escaped_metric_name = lru_cache(maxsize=1024)(openmetrics.escape_metric_name)
_escaped_label_name = lru_cache(maxsize=1024)(openmetrics.escape_label_name)


def _is_plain(sample: Sample) -> bool:
    return (
        sample.timestamp is None
        and sample.exemplar is None
        and sample.native_histogram is None
        and not sample.name.endswith(("_created", "_gsum", "_gcount"))
    )


def _line(sample: Sample) -> str:
    name, value = _escaped_metric_name(sample.name), _number(sample.value)
    if not sample.labels:
        return f"{name} {value}\n"
    labels = ",".join(f'{_escaped_label_name(key)}="{_escaped(each)}"' for key, each in sorted(sample.labels.items()))
    return f"{name}{{{labels}}} {value}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _text_head(family: Metric) -> str:
    name = _escaped_metric_name(family.name + _SUFFIXES[family.type])
    documentation = family.documentation.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {name} {documentation}\n# TYPE {name} {_TEXT_TYPES.get(family.type, family.type)}\n"


def _openmetrics_head(family: Metric) -> str:
    name = _escaped_metric_name(family.name)
    unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
    return f"# HELP {name} {_escaped(family.documentation)}\n# TYPE {name} {family.type}\n{unit}"


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
