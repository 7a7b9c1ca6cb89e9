"""What Alertmanager's own config says of the routes to the remediator: how long it may take to tell it. Pure.

https://prometheus.io/docs/alerting/latest/configuration/#route
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from exporter.base.units import parse_duration

GROUP_WAIT = 30.0
GROUP_INTERVAL = 300.0
REPEAT_INTERVAL = 4 * 3600.0
"""Alertmanager's defaults, in seconds."""


@dataclass(frozen=True)
class Pace:
    """told_within: seconds until what begins or ends is told. timed: whether times of day may mute it."""

    told_within: float = GROUP_INTERVAL
    timed: bool = False


@lru_cache(maxsize=8)
def pace(config: str, receivers: frozenset[str]) -> Pace:
    """The slowest of the routes that lead to one of the receivers. Of a config that cannot be read, the defaults."""
    import yaml

    try:
        document = yaml.load(config, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 a safe one
        found = [one for one in _routes(document["route"], {}) if one.get("receiver") in receivers]
        return Pace(
            max((max(_seconds(one, "group_wait", GROUP_WAIT), _seconds(one, "group_interval", GROUP_INTERVAL))
                 for one in found), default=GROUP_INTERVAL),
            any(one.get("mute_time_intervals") or one.get("active_time_intervals") for one in found),
        )  # fmt: skip
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return Pace()


_INHERITED = ("receiver", "group_wait", "group_interval", "repeat_interval")


def _routes(route: Mapping[str, Any], above: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    own = {key: above[key] for key in _INHERITED if key in above} | dict(route)
    yield own
    for child in route.get("routes") or ():
        yield from _routes(child, own)


def _seconds(route: Mapping[str, Any], key: str, default: float) -> float:
    seconds = parse_duration(route.get(key))
    return float(seconds) if isinstance(seconds, int | float) else default


def receivers_of(names: Collection[str]) -> frozenset[str]:
    """The receivers that are the remediator, by what webhooks have named; before any came, the name that ships."""
    return frozenset(names) or frozenset({SHIPPED})


SHIPPED = "remediator"
"""The receiver of the alertmanager.yml that ships, and of docs/how-to/existing-prometheus.md."""
