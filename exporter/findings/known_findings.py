"""Since when each finding is known, so that an alert can speak of what is new and not of a standing list."""

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.findings.audit import Report
from exporter.findings.finding import Finding

NEW_SECONDS = 86400.0
"""How long a finding counts as new."""
KEPT_SECONDS = 7 * 86400.0
"""How long one that is gone is remembered: a stack that is down for a backup brings nothing new when it comes back."""
MAX_KNOWN = 20_000

Identity = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class _Known:
    since: float
    """On a clock that never jumps; minus infinity for what was there when its project was first looked at."""
    seen: float
    severity: str


class KnownFindings:
    """Findings of the rounds before, as long as the process lives.

    What a project holds when it is looked at for the first time is its standing list, and not new.
    """

    def __init__(self) -> None:
        self._known: dict[Identity, _Known] = {}
        self._present: set[Identity] = set()
        self._looked: set[tuple[str, str]] = set()
        """Check and project, of those that were looked at as a whole."""

    def learn(self, report: Report, now: float) -> tuple[list[Finding], list[Identity]]:
        """Takes a report in: the findings that were not there the round before, and those that are gone."""
        found = {identity(finding): finding for finding in report.findings}
        came = [finding for key, finding in found.items() if key not in self._present]
        complete = {result.check for result in report.results if result.success}
        # What a check that failed did not see may still be there.
        gone = [key for key in self._present - found.keys() if key[0] in complete]
        for key, finding in found.items():
            before = self._known.get(key)
            standing = (finding.check, finding.project) not in self._looked
            since = before.since if before else float("-inf") if standing else now
            self._known[key] = _Known(since, now, finding.severity)
        self._present = (self._present - set(gone)) | found.keys()
        self._looked |= {(check, project) for check in complete for project in ("", *report.projects)}
        self._forget(now)
        return came, gone

    def new(self, now: float) -> Iterator[tuple[str, str]]:
        """Check and severity of each finding that is there and came within the last day."""
        for key in self._present:
            known = self._known.get(key)
            if known is not None and now - known.since <= NEW_SECONDS:
                yield key[0], known.severity

    def _forget(self, now: float) -> None:
        kept = {
            key: known for key, known in self._known.items() if key in self._present or now - known.seen <= KEPT_SECONDS
        }
        excess = max(0, len(kept) - MAX_KNOWN)
        for key in sorted((key for key in kept if key not in self._present), key=lambda key: kept[key].seen)[:excess]:
            del kept[key]
        self._known = kept


def identity(finding: Finding) -> Identity:
    """What makes it the same finding: not its line, which moves with every edit above it."""
    return finding.check, finding.severity, finding.subject, finding.place.file, finding.message
