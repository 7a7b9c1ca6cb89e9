"""Which sets of a series are kept and which may go, by its ``keep:``. Pure.

A set that is not proven pushes no proven one out: the rules are applied to all complete sets, and to the proven ones by
themselves as well, and what either keeps is kept. The newest proven set always is, and so is whatever is newer than it.
Sets that are not complete are no matter of retention.
"""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import Literal

from exporter.backups.set_names import date_in
from exporter.backups.sets import SKEW_SECONDS, BackupSet, compared, figures
from exporter.base.text import format_time
from exporter.base.units import format_bytes, format_duration
from exporter.inventory.backups import Backup, Keep

Why = Literal["future", "smaller", "gap", "overdue", "unproven", "clock", "missing"]
WHYS: tuple[Why, ...] = ("future", "smaller", "gap", "overdue", "unproven", "clock", "missing")
"""The last two are seen beside what was noted before: exporter.backups.seen."""

GAP_FACTOR = 10
"""A set that comes so many usual intervals after the one before is more likely the work of a clock that jumped."""
_GAP_LEAST = 7 * 86400.0
_INTERVALS = 7


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing of a series may go."""

    why: Why
    detail: str
    """One sentence for people, without its full stop."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A set that stays."""

    set: BackupSet
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class Retention:
    """What becomes of the complete sets of a series, the newest first."""

    keep: Sequence[Kept]
    drop: Sequence[BackupSet]
    refusals: Sequence[Refusal]
    """With any, nothing may be dropped, whatever ``drop`` says."""
    spare: int = 0
    """How many no rule keeps, counted among all complete sets: as many could go if all was in order."""


def retention(sets: Sequence[BackupSet], backup: Backup, now: float, zone: tzinfo | None = None) -> Retention:
    """Judges all sets of a series. now: Unix seconds. zone: of days, weeks and months; None for the machine's."""
    keep = backup.keep
    complete = sorted((each for each in sets if each.state == "complete"), key=_newest_first)
    if keep is None:
        return Retention([Kept(each, ["no keep: is configured"]) for each in complete], [], [])
    reasons: dict[str, list[str]] = {each.name: [] for each in complete}
    proven = [each for each in complete if is_proven(each, backup)]
    for rule, names in _kept(complete, keep, now, zone):
        for name in names:
            reasons[name].append(rule)
    spare = sum(not rules for rules in reasons.values())
    for rule, names in _kept(proven, keep, now, zone):
        for name in names:
            if not reasons[name]:
                reasons[name].append(f"{rule} of those that are proven")
    for each in _since_proof(complete, proven):
        reasons[each.name].append("the newest proven" if proven and each is proven[0] else "nothing newer is proven")
    kept = [Kept(each, reasons[each.name]) for each in complete if reasons[each.name]]
    drop = [each for each in complete if not reasons[each.name]]
    return Retention(kept, drop, refusals(sets, complete, proven, backup, now), spare)


def is_proven(each: BackupSet, backup: Backup) -> bool:
    """Whether the set was read to its end, or restored, and no later look at it has failed.

    Of sets that we do not make there is nothing to read but the files: there, right checksums are proof.
    """
    if not all(shown.success for shown in each.proofs.values()):
        return False
    return any(proof != "checksums" or backup.make is None for proof in each.proofs)


def refusals(
    sets: Iterable[BackupSet], complete: Sequence[BackupSet], proven: Sequence[BackupSet], backup: Backup, now: float
) -> list[Refusal]:
    """Signs that something is wrong with the sets or with the clock, by which old sets would be missed."""
    sets = list(sets)
    found = []
    future = [each.name for each in sets if _lies_ahead(each, now)]
    if future:
        found.append(Refusal("future", f"{future[0]} lies in the future: its date or this machine's clock is wrong"))
    if not complete:
        return found
    newest = complete[0]
    amounts = figures(complete)
    expected = amounts.expected_bytes
    if newest.bytes is not None and (
        newest.bytes < backup.min_bytes or (expected is not None and newest.bytes < backup.min_size_ratio * expected)
    ):
        usual = f", where the sets before it had {format_bytes(expected)}" if expected is not None else ""
        found.append(Refusal("smaller", f"the newest set has {format_bytes(newest.bytes)}{usual}"))
    age = now - _date(newest)
    if age > backup.max_age:
        told = format_duration(round(age))
        found.append(Refusal("overdue", f"the newest set is {told} old: a new one is made before an old one goes"))
    gap = _gap(complete)
    if gap is not None:
        since = format_time(_date(complete[1]))
        told = format_duration(round(gap))
        found.append(
            Refusal("gap", f"{newest.name} came {told} after the set before it, of {since}: did the clock jump")
        )
    if not proven:
        found.append(Refusal("unproven", "of no set it was shown that it can be read"))
    return found


def _lies_ahead(each: BackupSet, now: float) -> bool:
    """By its date, or by its name, though its files are of the past."""
    named = date_in(each.name)
    return each.state == "future" or (named is not None and named.first > now + SKEW_SECONDS)


def _gap(complete: Sequence[BackupSet]) -> float | None:
    """Seconds between the two newest sets where that is far more than usual."""
    dates = [_date(each) for each in compared(complete)]
    intervals = [newer - older for newer, older in pairwise(dates)]
    if len(intervals) < 3:
        return None
    usual = statistics.median(intervals[1 : 1 + _INTERVALS])
    return intervals[0] if intervals[0] > max(_GAP_LEAST, GAP_FACTOR * usual) else None


def _since_proof(complete: Sequence[BackupSet], proven: Sequence[BackupSet]) -> Sequence[BackupSet]:
    """The newest proven set, and what is newer; all of them where none is proven."""
    return complete[: complete.index(proven[0]) + 1] if proven else complete


def _kept(
    sets: Sequence[BackupSet], keep: Keep, now: float, zone: tzinfo | None
) -> Iterable[tuple[str, Sequence[str]]]:
    """What each rule keeps, by name. sets: the newest first."""
    if keep.within is not None:
        within = [each.name for each in sets if now - _date(each) <= keep.within]
        yield f"within {format_duration(keep.within)}", within
    yield "last", [each.name for each in sets[: keep.last]]
    rules: Sequence[tuple[str, int, Callable[[datetime], tuple[int, ...]]]] = (
        ("daily", keep.daily, lambda at: (at.year, at.month, at.day)),
        ("weekly", keep.weekly, lambda at: tuple(at.isocalendar()[:2])),
        ("monthly", keep.monthly, lambda at: (at.year, at.month)),
        ("yearly", keep.yearly, lambda at: (at.year,)),
    )
    dates: list[datetime] = []
    if any(count for _, count, _ in rules):
        dates = [datetime.fromtimestamp(_date(each), UTC).astimezone(zone) for each in sets]
    for rule, count, period in rules:
        seen: dict[tuple[int, ...], str] = {}
        for each, at in zip(sets, dates, strict=False):
            if len(seen) >= count:
                break
            seen.setdefault(period(at), each.name)
        yield rule, list(seen.values())


def _date(each: BackupSet) -> float:
    return each.date if each.date is not None else 0.0


def _newest_first(each: BackupSet) -> tuple[float, str]:
    return (-_date(each), each.name)
