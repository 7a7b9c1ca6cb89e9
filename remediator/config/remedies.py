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


class Trust(Section):
    """When a remedy has shown that it may do more by itself, and when it may do less. Fire drills do not count."""

    promote: Literal["suggest", "auto"] = Field(
        default="suggest",
        description="suggest: `upkeeper remedies` says that it may be promoted; auto: it is, a level at a time",
    )
    plans: int = Field(
        default=5, ge=1, description="plans with something to do, after which observe may become approve"
    )
    runs: int = Field(default=10, ge=1, description="runs of a remedy that asks, after which it may become auto")
    effective_ratio: float = Field(default=0.9, ge=0, le=1, description="share of those that must have been effective")
    estimate_ratio: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="how well their estimates must have held, where they had any: of estimated and freed bytes, the "
        "smaller over the larger",
    )
    demote_after: int = Field(
        default=5,
        ge=1,
        description="failed or ineffective runs in a row, on whichever target, after which it may do less: auto "
        "becomes approve, and approve observe",
    )


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
    trust: Trust = Field(default=Trust(), description="when it may do more by itself, and when less")
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
