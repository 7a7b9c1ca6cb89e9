"""Values of properties as JSON and back, exactly. Pure.

Points in time never go through the driver's own types: those of 6.4 make the offset ``Z`` the zone ``UTC``, and know no
year but 1 to 9999. The server writes them as text (its ``toString``) and reads them again.
https://neo4j.com/docs/cypher-manual/current/values-and-types/property-structural-constructed/
"""

import base64
import math
from collections.abc import Mapping
from typing import Any

from exporter.base.errors import UpkeeperError

IN_TIME: Mapping[str, str] = {
    "DATE": "date",
    "LOCAL TIME": "localtime",
    "ZONED TIME": "time",
    "LOCAL DATETIME": "localdatetime",
    "ZONED DATETIME": "datetime",
}
"""The types that are kept as the server's text, each with the function that reads it."""


class ValueUnknown(UpkeeperError):
    """A value cannot be kept, or is not one of those that are kept. The message is one line for people."""


def encoded(value: object) -> Any:
    """As JSON. What JSON has no word for is an object with one key, which no property can be. Raises ValueUnknown."""
    from neo4j.spatial import Point
    from neo4j.time import Duration
    from neo4j.vector import Vector

    match value:
        case bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"float": str(value)}
        case list():
            return [encoded(each) for each in value]
        case bytes() | bytearray():
            return {"bytes": base64.b64encode(value).decode()}
        case Duration():
            seconds, nanoseconds = value.seconds, value.nanoseconds
            return {"duration": [value.months, value.days, seconds, nanoseconds]}
        case Point():
            return {"point": [value.srid, *(encoded(float(each)) for each in value)]}
        case Vector():
            return {"vector": [value.dtype.value, base64.b64encode(value.raw()).decode()]}
    raise ValueUnknown("it has a property of a type that this Upkeeper does not know, or that the driver cannot hold")


def decoded(value: Any) -> Any:
    """What encoded was given, as the driver takes it. Raises ValueUnknown."""
    if isinstance(value, list):
        return [decoded(each) for each in value]
    if not isinstance(value, dict):
        return value
    try:
        ((kind, held),) = value.items()
        return _decoded(kind, held)
    except (ValueError, TypeError, KeyError):
        raise ValueUnknown("it has a property of a type that this Upkeeper does not know") from None


def _decoded(kind: str, held: Any) -> Any:
    from neo4j.spatial import CartesianPoint, WGS84Point
    from neo4j.time import Duration
    from neo4j.vector import Vector

    match kind:
        case "float":
            return float(held)
        case "bytes":
            return base64.b64decode(held, validate=True)
        case "duration":
            months, days, seconds, nanoseconds = held
            return Duration(months=months, days=days, seconds=seconds, nanoseconds=nanoseconds)
        case "point":
            srid, *coordinates = held
            known = {(4326, 2): WGS84Point, (4979, 3): WGS84Point, (7203, 2): CartesianPoint, (9157, 3): CartesianPoint}
            return known[srid, len(coordinates)](map(decoded, coordinates))
        case "vector":
            dtype, raw = held
            return Vector(base64.b64decode(raw, validate=True), dtype)
    raise KeyError(kind)
