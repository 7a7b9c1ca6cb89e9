"""The schedule in force, with its expressions parsed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

from remediator.config.cron import Cron, parse_cron
from remediator.config.schedule import Job, Schedule
from remediator.config.timezones import known_zone, machine_zone, zone_name


@dataclass(frozen=True)
class Calendar:
    """The jobs in their order, each with when it is due."""

    jobs: Sequence[Job]
    crons: Mapping[str, Cron]
    zone: tzinfo

    @classmethod
    def of(cls, schedule: Schedule, zone: tzinfo | None = None) -> "Calendar":
        """zone: that of the machine, if it is known already."""
        chosen = known_zone(schedule.timezone) if schedule.timezone is not None else zone or machine_zone()
        jobs = schedule.in_force
        return cls(jobs, {job.name: parse_cron(job.at, chosen) for job in jobs}, chosen)

    @property
    def timezone(self) -> str:
        return zone_name(self.zone)

    def job(self, name: str) -> Job | None:
        return next((job for job in self.jobs if job.name == name), None)


def cron_of(at: str, timezone: str) -> Cron:
    """An expression as the record has it; in UTC where its zone is not one of the known, or not any more."""
    try:
        zone: tzinfo = known_zone(timezone)
    except ValueError:
        zone = UTC
    return parse_cron(at, zone)
