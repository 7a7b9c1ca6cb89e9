"""Durations, sizes and ratios as keys of the config have them."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, PlainSerializer, WithJsonSchema

from exporter.base.units import exact_bytes, format_duration, parse_duration

_MAX_BYTES = 2**63 - 1

Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(ge=0),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": ["string", "number"], "format": "duration-or-seconds", "examples": ["30s", "1h30m", "7d"]}),
]
"""A non-negative duration in seconds; in YAML a Prometheus duration or a number of seconds."""


def _short(value: object) -> object:
    if isinstance(value, str) and len(value) > 40:  # a number of more digits would overflow on the way
        raise ValueError("this is not a size; write for example 500MB or 10GiB")
    return value


def _storable(size: ByteSize) -> ByteSize:
    if size > _MAX_BYTES:
        raise ValueError("the size must be less than 8EiB, which no file system holds")
    return size


Bytes = Annotated[
    ByteSize,
    BeforeValidator(_short),
    AfterValidator(_storable),
    PlainSerializer(exact_bytes, when_used="json"),
    WithJsonSchema({"type": ["string", "integer"], "format": "size-or-bytes", "examples": ["500MB", "10GiB"]}),
]
"""A size in bytes; in YAML a number or a size with a unit."""

Ratio = Annotated[float, Field(ge=0, le=1)]
