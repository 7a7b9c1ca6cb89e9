"""Limits of the host itself, and when its parts are measured."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from exporter.base.units import parse_duration
from exporter.configfile.quantities import Duration, Ratio
from exporter.configfile.section import Contradiction, Name, Section
from exporter.inventory.collector import CollectorSettings


class Host(Section):
    """The host itself: its name, its limits of memory, load and clock, and how long updates and a reboot may wait."""

    name: Name | None = Field(
        default=None,
        description="the name of this machine in the record, which no other that shares its database may have; "
        "default: its hostname",
    )
    labels: dict[Name, Name] = Field(
        default={},
        description="what tells hosts apart for a rollout, such as `{rack: a}`: names with values",
    )
    memory_min_available_ratio: Ratio = Field(
        default=0.1, description="share of the memory that must be available to programs"
    )
    memory_max_pressure_ratio: Ratio = Field(
        default=0.1, description="share of the time in which every program waits for memory at once (PSI)"
    )
    max_load_per_cpu: float = Field(
        default=2.0, gt=0, allow_inf_nan=False, description="load of the last 15 minutes per CPU"
    )
    clock_max_offset: Duration | None = Field(
        default=0.05, description="how far the clock may be off; null: it is not monitored"
    )
    security_updates_max_pending: Duration = Field(
        default=7 * 86400.0, description="how long security updates may be pending; the alert looks back 14 days"
    )
    reboot_max_pending: Duration = Field(
        default=7 * 86400.0, description="how long a needed reboot may be pending; the alert looks back 14 days"
    )
    package_lists_max_age: Duration = Field(
        default=14 * 86400.0, description="older package lists are considered out of date"
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        for key in ("security_updates_max_pending", "reboot_max_pending"):
            if _seconds(given.get(key)) >= _LOOK_BACK:
                yield Contradiction((key,), "must be less than 14d, the time that the alert looks back")


_LOOK_BACK = 14 * 86400.0


def _seconds(value: object) -> float:
    """Seconds of a duration that is not validated yet; 0 for what is none, which is reported elsewhere."""
    try:
        seconds = parse_duration(value)
    except ValueError:
        return 0.0
    return seconds if isinstance(seconds, int | float) else 0.0


class SystemdSettings(CollectorSettings):
    """When systemd is asked for its units, which takes two short processes."""

    interval: Duration = Field(default=60.0, gt=0, description="time between the starts of two collections")


class UpdatesSettings(CollectorSettings):
    """When the package managers are asked, which costs them seconds of work."""

    interval: Duration = Field(
        default=3600.0, gt=0, description="time between two queries; sooner after packages or package lists changed"
    )
    deadline: Duration = Field(default=300.0, gt=0, description="a collection that takes longer is aborted")
