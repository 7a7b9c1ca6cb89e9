"""What `upkeeper check` says of guards whose settings are valid each by itself, and together let nothing through. Pure.

Such a guard fails closed, and so is noticed only when its remedy is wanted.
"""

from collections.abc import Iterator

from exporter.base.units import format_bytes, format_duration
from exporter.configfile.file import Loaded
from exporter.configfile.problem import Problem
from exporter.configfile.source import KeyPath
from remediator.config.config import Config
from remediator.config.guards import Budget, GuardSettings, Rate, in_force

_LEAST_BYTES = 1024
"""A budget below this frees no file, image or table: a unit was left out."""
_LEAST_ANSWER = 60.0
"""Seconds in which a person may see a request and answer it."""
_LEAST_LATE = 60.0
"""Seconds: expressions of cron are to the minute."""


def limit_problems(loaded: Loaded[Config]) -> Iterator[Problem]:
    """Of ``guards:``, and of each remedy and job where it says something itself."""
    config = loaded.value
    for at, own in _owners(config):
        settings = own if own is config.guards else in_force(own, config.guards)
        if "budget" in own.model_fields_set:
            yield from _budget(loaded, (*at, "budget"), own.budget, settings.budget)
        if "rate" in own.model_fields_set:
            yield from _rate(loaded, (*at, "rate"), own.rate, settings.rate)
        if "approval" in own.model_fields_set and own.approval.expires < _LEAST_ANSWER:
            message = f"a plan is dropped after {format_duration(own.approval.expires)}, before anybody can approve it"
            yield loaded.problem((*at, "approval", "expires"), message, "write for example 4h", "warning")

    yield from _made_up(loaded)


def _made_up(loaded: Loaded[Config]) -> Iterator[Problem]:
    """Jobs that are to make up for what they missed, and cannot."""
    for index, job in enumerate(loaded.value.schedule.jobs or ()):
        if job.catch_up != "skip" and job.catch_up_within < _LEAST_LATE:
            within = format_duration(job.catch_up_within)
            message = f"what was missed is never made up: {within} are over before it can be"
            key = ("schedule", "jobs", index, "catch_up_within")
            yield loaded.problem(key, message, "write for example 2d, or `catch_up: skip`", "warning")


def _owners(config: Config) -> Iterator[tuple[KeyPath, GuardSettings]]:
    yield ("guards",), config.guards
    yield from ((("remedies", index), one) for index, one in enumerate(config.remedies or ()))
    yield from ((("schedule", "jobs", index), one) for index, one in enumerate(config.schedule.jobs or ()))


def _budget(loaded: Loaded[Config], at: KeyPath, own: Budget, settings: Budget) -> Iterator[Problem]:
    for name in ("bytes_per_run", "bytes_per_day"):
        given = getattr(own, name)
        if given is not None and given < _LEAST_BYTES:
            message = f"{format_bytes(given)} is less than anything that is removed, so every plan is over it"
            yield loaded.problem((*at, name), message, "give a unit, as in 20GiB", "warning")
    if "bytes_per_run" in own.model_fields_set and _over(settings.bytes_per_run, settings.bytes_per_day):
        day = format_bytes(settings.bytes_per_day or 0)
        yield _never(loaded, (*at, "bytes_per_run"), format_bytes(settings.bytes_per_run or 0), "bytes_per_day", day)
    if "items_per_run" in own.model_fields_set and _over(settings.items_per_run, settings.items_per_day):
        day = str(settings.items_per_day)
        yield _never(loaded, (*at, "items_per_run"), str(settings.items_per_run), "items_per_day", day)


def _rate(loaded: Loaded[Config], at: KeyPath, own: Rate, settings: Rate) -> Iterator[Problem]:
    if "per_hour" in own.model_fields_set and settings.per_hour > settings.per_day:
        yield _never(loaded, (*at, "per_hour"), str(settings.per_hour), "per_day", str(settings.per_day))


def _over(run: int | None, day: int | None) -> bool:
    return run is not None and day is not None and run > day


def _never(loaded: Loaded[Config], key: KeyPath, given: str, other: str, allowed: str) -> Problem:
    message = f"{given} is never reached: `{other}:` allows {allowed}"
    return loaded.problem(key, message, "are the two the other way round?", "warning")
