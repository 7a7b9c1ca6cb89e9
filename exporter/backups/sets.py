"""Which backups of a series count, and what they amount to. Pure."""

import heapq
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from exporter.backups.proofs import PROOFS_THERE_ARE, Proof, Proofs
from exporter.backups.set_names import date_in

SKEW_SECONDS = 300.0
"""How far ahead a time may be and still be believed: clocks differ a little."""

COMPARED_SETS = 7
"""Sets before the newest whose median is its expected size: a week of daily ones, so that one odd set moves nothing."""

FEWEST_SETS = 3
"""Of fewer sets there is no median that says anything."""

Reason = Literal["incomplete", "unreadable", "future"]
REASONS: tuple[Reason, ...] = ("incomplete", "unreadable", "future")
State = Literal["complete", "in_progress"] | Reason


@dataclass(frozen=True, slots=True)
class Content:
    """What a directory or file holds. Times are Unix seconds."""

    bytes: int = 0
    """Sum of the sizes of the regular files, each hard-linked one once."""
    newest_file: float | None = None
    """Last change to the content of a file; None without any."""
    last_change: float = 0.0
    """Last change of any kind: a file written, linked, renamed or removed."""
    marked: bool = False
    """Whether the file is there that marks the set as complete."""
    unreadable: int = 0
    """Directories that could not be opened."""
    hollow: bool = False
    """Whether there are files next to the mark, and none of them holds anything: see exporter.backups.empty_files."""
    own_time: float | None = None
    """When the set's own directory was last written, or given its time; None for a file."""
    proofs: Proofs = field(default_factory=dict)
    """What was shown of it."""


@dataclass(frozen=True, slots=True)
class BackupSet:
    """One backup of a series."""

    name: str
    state: State
    date: float | None
    """Unix seconds: when the backup was made; None where nothing tells it."""
    bytes: int | None
    """None when it is not known."""
    proofs: Proofs = field(default_factory=dict)
    """The last attempt at each proof."""


def judge(name: str, content: Content, *, marker: bool, settle: float, temporary: bool, now: float) -> BackupSet:
    """What a set is worth.

    marker: whether a set without its mark can be complete at no time. settle: seconds without a change after which one
    without a mark is complete. temporary: whether it is there under a temporary name. now: Unix seconds.
    """
    date = _date(name, content, now)
    size = None if content.unreadable else content.bytes
    if content.marked and not temporary and not content.hollow:
        state: State = "complete" if date is not None else "future"
    elif now - content.last_change < settle:
        state = "in_progress"
    elif content.unreadable and not temporary:
        state = "unreadable"
    elif temporary or marker or not content.bytes or content.hollow:
        state = "incomplete"
    else:
        state = "complete" if date is not None else "future"
    return BackupSet(name, state, date, size, content.proofs)


def _date(name: str, content: Content, now: float) -> float | None:
    """From the name where it holds a date, else when it was last written. None when all that lies in the future."""
    written = content.newest_file if content.newest_file is not None else content.last_change
    named = date_in(name)
    if named is None:  # files may keep the times of what they are copies of, where the set itself is newer: rsnapshot
        candidates = sorted({written, written if content.own_time is None else content.own_time}, reverse=True)
    elif named.first <= written <= named.last:
        candidates = [written]
    else:  # files may keep the times of what they are copies of; then the set itself tells best which moment of the day
        candidates = [named.narrowed(content.last_change), named.first, written]
    return next((each for each in candidates if each <= now + SKEW_SECONDS), None)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a series amounts to. Of complete sets alone, but for ``in_progress`` and ``uncounted``."""

    sets: int
    newest: float | None
    """Unix seconds, as is the next."""
    oldest: float | None
    newest_bytes: int | None
    expected_bytes: float | None
    """Median of the sets before the newest; None while there are too few of known size."""
    in_progress: int
    uncounted: Mapping[Reason, int]
    proven: Mapping[Proof, float] = field(default_factory=dict)
    """When the newest complete set was made of which this was shown, by proof. Of complete sets alone, as is the next.
    """
    failed: Mapping[Proof, int] = field(default_factory=dict)
    """Of how many the last attempt failed, by proof; only of those that were tried at all."""


def compared(sets: Iterable[BackupSet]) -> list[BackupSet]:
    """The newest complete set and those that its size is compared with, the newest first."""
    complete = (each for each in sets if each.state == "complete" and each.date is not None)
    return heapq.nlargest(COMPARED_SETS + 1, complete, key=_order)


def figures(sets: Sequence[BackupSet]) -> Figures:
    """What they amount to."""
    states = Counter(each.state for each in sets)
    newest = compared(sets)
    earlier = [each.bytes for each in newest[1:] if each.bytes is not None]
    return Figures(
        sets=states["complete"],
        newest=newest[0].date if newest else None,
        oldest=min((each.date for each in sets if each.state == "complete" and each.date is not None), default=None),
        newest_bytes=newest[0].bytes if newest else None,
        expected_bytes=statistics.median(earlier) if len(earlier) >= FEWEST_SETS else None,
        in_progress=states["in_progress"],
        uncounted={reason: states[reason] for reason in REASONS},
        proven=proven(sets),
        failed=_failed(sets),
    )


def proven(sets: Sequence[BackupSet]) -> dict[Proof, float]:
    """When the newest complete set was made of which each proof was shown; nothing of proofs that no set has."""
    found: dict[Proof, float] = {}
    for each in sets:
        if each.state == "complete" and each.date is not None:
            for proof, shown in each.proofs.items():
                if shown.success:
                    found[proof] = max(found.get(proof, 0.0), each.date)
    return found


def _failed(sets: Sequence[BackupSet]) -> dict[Proof, int]:
    tried = [each.proofs for each in sets if each.state == "complete"]
    return {
        proof: sum(not proofs[proof].success for proofs in tried if proof in proofs)
        for proof in PROOFS_THERE_ARE
        if any(proof in proofs for proofs in tried)
    }


def _order(each: BackupSet) -> tuple[float, str]:
    return (each.date if each.date is not None else 0.0, each.name)
