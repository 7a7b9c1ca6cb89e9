"""How the guards judge: their settings, under ``guards:`` for every run, and in a remedy or a job where it differs."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, WithJsonSchema

from exporter.configfile.quantities import Bytes, Duration
from exporter.configfile.section import Contradiction, Section
from remediator.config.window import Window

T = TypeVar("T", bound=BaseModel)


class Rate(Section):
    """How many runs of a remedy on one target are allowed in any hour and in any day."""

    per_hour: int = Field(default=4, ge=1, description="runs allowed in any hour")
    per_day: int = Field(default=12, ge=1, description="runs allowed in any day")


class Breaker(Section):
    """Stops a remedy that does not help: opens after so many failed or ineffective runs in a row on one target."""

    failures: int = Field(default=3, ge=1, description="failed or ineffective runs in a row that open it")
    reset_after: Duration = Field(default=86400.0, description="closes by itself after this time")


class Approval(Section):
    """How a person is asked, where a plan must be approved."""

    expires: Duration = Field(
        default=4 * 3600.0, gt=0, description="a plan that nobody approved for so long is dropped"
    )


class Concurrency(Section):
    """How many runs that interrupt something may act at the same time."""

    disruptive_per_host: int = Field(
        default=1, ge=1, le=100, description="runs of tasks that interrupt a service (`upkeeper tasks`), on one host"
    )


class Budget(Section):
    """How much may be removed. What a plan would do counts before it is done; one that is over the budget is blocked as
    a whole.
    """

    bytes_per_run: Bytes | None = Field(default=None, description="bytes that one plan may free; null: any number")
    items_per_run: int | None = Field(default=None, ge=1, description="objects that one plan may touch; null: any")
    bytes_per_day: Bytes | None = Field(
        default=None, description="bytes that the task may free in any day, on all its targets; null: any number"
    )
    items_per_day: int | None = Field(
        default=None,
        ge=1,
        description="objects that the task may touch in any day, on all targets; null: any number",
    )


class Storm(Section):
    """When so much is wrong at once that the cause is elsewhere, nothing runs by itself."""

    alerts: int | None = Field(
        default=None, ge=1, description="different alerts that may have begun within the time; null: any number"
    )
    within: Duration = Field(default=600.0, gt=0, le=86400, description="the time")


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`|#.*")
_COMPARISON = re.compile(r"(?:==|!=|<=|>=|<|>)\s*(bool\b)?")

PromQL = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
Queries = Annotated[
    list[PromQL],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""Prometheus queries; one alone may stand without a list."""


class GuardSettings(Section):
    """How the guards judge a run: one line for each guard that has a setting."""

    cooldown: Duration = Field(default=900.0, description="time after a run before the next on the same target")
    rate: Rate = Field(default=Rate(), description="how many runs are allowed")
    breaker: Breaker = Field(default=Breaker(), description="when to stop trying")
    approval: Approval = Field(default=Approval(), description="how a person is asked to approve a plan")
    window: list[Window] = Field(default=[], description="when runs may begin: in any of these times; [] for always")
    gate: Queries = Field(
        default=[],
        description="queries (PromQL) of which each must return something right before a run; [] for none",
    )
    concurrency: Concurrency = Field(default=Concurrency(), description="how many runs may act at the same time")
    budget: Budget = Field(default=Budget(), description="how much may be removed")
    storm: Storm = Field(default=Storm(), description="when so much is wrong that nothing runs by itself")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from super().contradictions(given)
        gate = given.get("gate")
        for query in gate if isinstance(gate, list) else [gate]:
            if isinstance(query, str) and _always_answers(query):
                message = (
                    "compares with `bool`, which returns 0 where it does not hold, and 0 is a result too;"
                    " leave `bool` out, so that nothing is returned then"
                )
                yield Contradiction(("gate",), message)


def _always_answers(query: str) -> bool:
    """Whether the last comparison of a query only tells 0 from 1, so that what it compares with changes nothing."""
    compared = _COMPARISON.findall(_QUOTED.sub("", query))
    return bool(compared) and compared[-1] == "bool"


def in_force(own: T, base: GuardSettings) -> T:
    """Settings of one remedy or job, with those of ``guards:`` wherever it says nothing itself: of a mapping such as
    ``rate:``, each key by itself. own: derived from GuardSettings, as it was read from the config.
    """
    return _filled(own, base, type(base).model_fields)


def _filled(own: T, base: BaseModel, names: Mapping[str, Any]) -> T:
    values: dict[str, Any] = {}
    for name in names:
        mine, general = getattr(own, name), getattr(base, name)
        if name not in own.model_fields_set:
            values[name] = general
        elif isinstance(mine, Section):
            values[name] = _filled(mine, general, type(mine).model_fields)
    return own.model_copy(update=values)
