"""The calendar: the section ``schedule:`` of ``upkeeper.yml``."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, JsonValue, TypeAdapter, WithJsonSchema

from exporter.configfile.quantities import Duration
from exporter.configfile.section import Contradiction, Name, Section, repeated_names
from remediator.config.autonomy import Autonomy
from remediator.config.cron import parse_cron
from remediator.config.guards import GuardSettings
from remediator.config.timezones import known_zone

CatchUp = Literal["once", "skip", "all"]


def _cron(text: str) -> str:
    parse_cron(text)
    return text


def _zone(name: str) -> str:
    known_zone(name)
    return name


CronText = Annotated[
    str, AfterValidator(_cron), WithJsonSchema({"type": "string", "examples": ["0 2 * * *", "*/5 * * * *", "@daily"]})
]
ZoneName = Annotated[
    str, AfterValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin", "UTC"]})
]


class Job(GuardSettings, Section):
    """What runs when."""

    name: Name = Field(description="names it in the record and in metrics")
    at: CronText = Field(
        description="when: five fields of cron (minute, hour, day of the month, month, day of the week), or a word "
        "such as `@daily`; `5L` is the last Friday, `MON#1` the first Monday, `L` the last day of the month"
    )
    task: Name = Field(description="what to run; `upkeeper tasks` lists them")
    target: Name | None = Field(
        default=None, description="on which target; default: all of them, a run each, or the one named `all`"
    )
    params: dict[str, JsonValue] = Field(default={}, description="the task's own parameters, by name")
    autonomy: Autonomy | None = Field(
        default=None,
        description="observe: record what would run; approve: plan, and wait for a person; auto: run it; default: auto "
        "for tasks that are safe by construction, observe for others, and so for each part of a task that has parts",
    )
    catch_up: CatchUp = Field(
        default="once",
        description="what of the times that passed while the machine was off or asleep: once: run the last of them; "
        "skip: none; all: each",
    )
    catch_up_within: Duration = Field(default=2 * 86400.0, description="what is older than this is not made up")
    jitter: Duration = Field(
        default=0.0, description="starts later by up to this much, always the same for one host, job and time"
    )
    retry_within: Duration = Field(
        default=3600.0,
        description="a job that a guard blocks is tried again when the guard ends, for this long, or until it is next "
        "due",
    )
    grace: Duration = Field(
        default=3600.0, description="how long after its time it may still be undone before it counts as overdue"
    )


class Schedule(Section):
    """What runs at which time. With no `schedule:`, the calendar that ships with Upkeeper is in force."""

    timezone: ZoneName | None = Field(
        default=None, description="in which zone the times are meant, as in `Europe/Berlin`; default: the machine's"
    )
    jobs: list[Job] | None = Field(
        default=None, description="what runs when; `[]` for nothing; default: the calendar that ships with Upkeeper"
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from repeated_names("jobs", given.get("jobs"))
        if "jobs" in given and given["jobs"] is None:
            yield Contradiction(("jobs",), "has no value; write [] for none, or remove it for those that ship")

    @property
    def in_force(self) -> list[Job]:
        """The jobs, in their order."""
        return default_jobs() if self.jobs is None else self.jobs


@cache
def default_jobs() -> list[Job]:
    """The calendar that ships with Upkeeper."""
    text = Path(__file__).with_name("default_schedule.yml").read_text()
    return TypeAdapter(list[Job]).validate_python(yaml.safe_load(text))
