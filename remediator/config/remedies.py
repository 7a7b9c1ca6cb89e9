"""Remedies: what is done about which alert."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from exporter.configfile.quantities import Duration
from exporter.configfile.section import Contradiction, Name, Section
from remediator.config.autonomy import Autonomy
from remediator.config.guards import GuardSettings
from remediator.config.matchers import whole_match
from remediator.config.matchertext import MatcherText


def _whole_regex(pattern: str) -> str:
    whole_match(pattern)
    return pattern


WholeRegex = Annotated[str, AfterValidator(_whole_regex), WithJsonSchema({"type": "string", "format": "regex"})]
"""A regular expression in RE2 syntax that must match a whole value, as in matchers."""


class Rule(Section):
    """What a remedy does about which alert."""

    name: Name = Field(description="names it in the record and in metrics")
    match: list[MatcherText] = Field(min_length=1, description="all must match; Alertmanager's matcher syntax")
    task: Name = Field(description="what to run; `upkeeper tasks` lists them")
    target: Name | None = Field(default=None, description="always this configured target")
    target_label: str | None = Field(default=None, description="the alert's label whose value names the target")
    targets: dict[WholeRegex, Name] | None = Field(
        default=None,
        min_length=1,
        description="regular expressions of the whole value of `target_label:`, each with the target it stands for; "
        "the first that matches decides, and without one there is no target",
    )
    autonomy: Autonomy = Field(
        default="observe",
        description="observe: record what would run; approve: plan, and wait for a person; auto: run it",
    )
    page: Literal["hold", "at-once"] = Field(
        default="at-once",
        description="whether people hear of the alert at once; hold: a silence on exactly this alert is renewed in "
        "Alertmanager while its run is healthy, and ends with the run unless that helped",
    )
    silenced: Literal["wait", "run"] = Field(
        default="wait",
        description="what to do about an alert that a person has silenced: wait until that ends, or run all the same",
    )
    settle: Duration = Field(
        default=60.0,
        description="time after a run in which the alert should end; where it still fires then, the next remedy that "
        "matches has its turn, or this one again",
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from super().contradictions(given)
        ways = [key for key in ("target", "target_label") if given.get(key) is not None]
        if len(ways) == 2:
            yield Contradiction(("target_label",), "stands beside `target:`; keep one of them")
        elif given.get("targets") is not None and given.get("target_label") is None:
            yield Contradiction(("targets",), "needs `target_label:`, the alert's label whose value they match")
        elif not ways:
            yield Contradiction((), "needs `target:` (always the same) or `target_label:` (the alert's label names it)")


class Remedy(GuardSettings, Rule):
    """A rule: alerts that match -> a task on a configured target.

    Where several match an alert, they have their turns in the order of the file, each behind its own guards. What it
    says of its guards goes before what `guards:` says, each key by itself.
    """
