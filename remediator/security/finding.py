"""One finding of the review, and what the sources found together."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.findings.finding import SEVERITIES, Severity


@dataclass(frozen=True)
class Risk:
    """id: the same for the same thing in each review, by which it is accepted. message, remedy: a sentence each without
    its full stop. file, line: where it stands, if in a file.
    """

    id: str
    severity: Severity
    source: str
    message: str
    remedy: str
    file: str = ""
    line: int | None = None


@dataclass(frozen=True)
class Accepted:
    """A finding that is borne: why, and until which day."""

    risk: Risk
    reason: str
    until: str


@dataclass(frozen=True)
class Found:
    """What one source found. unknown: what could not be looked at, a sentence each without its full stop."""

    risks: Sequence[Risk] = ()
    unknown: Sequence[str] = ()
    looked: Sequence[str] = ()
    """What was looked at, for people: a word or two each."""


@dataclass(frozen=True)
class Review:
    """risks: those that are open, the worst first. expired: ids whose acceptance has ended, with when it did."""

    risks: Sequence[Risk]
    accepted: Sequence[Accepted] = ()
    expired: Sequence[tuple[str, str]] = ()
    unknown: Sequence[str] = ()
    looked: Sequence[str] = field(default=())

    @property
    def breached(self) -> bool:
        return any(risk.severity != "info" for risk in self.risks)

    def count(self, severity: Severity) -> int:
        return sum(risk.severity == severity for risk in self.risks)


def worst_first(risks: Sequence[Risk]) -> Sequence[Risk]:
    """Each id once, with its worst."""
    by_id: dict[str, Risk] = {}
    for risk in sorted(risks, key=lambda one: (-SEVERITIES.index(one.severity), one.source, one.id)):
        by_id.setdefault(risk.id, risk)
    return list(by_id.values())
