"""Which logs are rotated, compressed and deleted, and why. Pure: what was found, the limits and the time go in."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from exporter.settings.logs import LogDirectory, LogRotation
from exporter.text import printable
from exporter.units import format_bytes, format_duration
from remediator.files import encode_path
from remediator.rotation.ages import oldest_line, places, rotated_at
from remediator.rotation.names import Work, is_for, parse_rotated, rotated_name, variants
from remediator.rotation.scan import Copy, File, Log, Remains, Scan
from remediator.rotation.steps import (
    Compress,
    Delete,
    Deletion,
    Method,
    Rotate,
    Step,
    fresh_name,
    line_of,
)
from remediator.tasks import Action, Plan

_PACKS_TO = 0.2
"""Size of a compressed log against the log: an estimate. What is freed is measured when it is done."""
_NAMED = 5
"""So many files are named in one note; the rest are counted."""
_NO_AGE = "its times cannot be, before 2000 or in the future, so nothing is done by its age"
_AN_ACTION_EACH = 50
"""So many deletions for one reason are an action each in the record; more are done in batches."""
_BATCH_FILES = 10_000
_BATCH_CHARACTERS = 1024 * 1024
"""What one action may hold, so that the record stays easy to read and a run can be stopped between two."""


@dataclass(frozen=True, slots=True)
class _Rotation:
    log: Log
    to: str
    """Path of the rotated file."""
    method: Method
    reason: str
    temporary: str
    """Encoded name under which the new file is made."""
    resumed: bool = False


@dataclass
class _Draft:
    """A plan in the making."""

    found: Scan
    rules: LogRotation
    now: float
    token: str
    copies: Mapping[str, Sequence[Copy]]
    """Rotated files by the path of their log, newest first."""
    times: Mapping[str, float | None]
    """When each rotated file was rotated, by its path."""
    places: Mapping[str, tuple[float, int, int]]
    """Sorts rotated files of all logs by age."""
    actions: list[Action] = field(default_factory=list)
    left_alone: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)
    """Paths of rotated files that this plan deletes or compresses."""
    _fresh: Iterator[int] = field(default_factory=count)

    def at(self, file: File) -> dict[str, str]:
        """The fields that every step has."""
        return {"root": self.found.root, "path": encode_path(file.path), "file": str(file.identity)}

    def temporary(self, work: Work, path: str) -> str:
        """A temporary name, encoded, for an action that begins something with this file."""
        return fresh_name(f"{self.token}-{next(self._fresh)}", work, _name(path))

    def add(self, file: File, step: Step, reason: str, frees: float = 0) -> None:
        self.actions.append(
            Action(
                kind=type(step).__name__.lower(),
                object=printable(file.path),
                reason=reason,
                estimated_bytes=int(frees),
                params=step.model_dump(),
            )
        )

    def settle(self, copy: Copy) -> bool:
        """Whether this rotated file may be deleted, and nothing else is done with it: then it is spoken for."""
        if copy.file.path in self.settled:
            return False
        if copy.file.links > 1:
            self.left_alone["has other hard links"].append(copy.file.path)
        elif copy.file.use.state == "written":
            self.left_alone["a process still writes to it"].append(copy.file.path)
        else:
            self.settled.add(copy.file.path)
            return True
        return False

    def delete(self, copies: Sequence[Copy], reason: Callable[[Sequence[Copy]], str], *, to_fit: bool = False) -> None:
        """Adds the deletion of settled files, in this order: an action each, or where they are many, of thousands."""
        if len(copies) <= _AN_ACTION_EACH:
            for copy in copies:
                step = Delete(**self.at(copy.file), only_over_limit=to_fit)
                self.add(copy.file, step, reason([copy]), copy.file.allocated)
            return
        for batch in _batches(copies):
            lines = [line_of(copy.file.path, copy.file.identity) for copy in batch]
            first, last = (printable(batch[place].file.path) for place in (0, -1))
            self.actions.append(
                Action(
                    kind="delete-many",
                    object=f"{len(batch):,} files, {first} to {last}" if len(batch) > 1 else first,
                    reason=reason(batch),
                    estimated_bytes=sum(copy.file.allocated for copy in batch),
                    params=Deletion(root=self.found.root, files=lines, only_over_limit=to_fit).model_dump(),
                )
            )


def _batches(copies: Sequence[Copy]) -> Iterator[Sequence[Copy]]:
    start = length = 0
    for place, copy in enumerate(copies):
        if place - start >= _BATCH_FILES or length > _BATCH_CHARACTERS:
            yield copies[start:place]
            start, length = place, 0
        length += 3 * len(copy.file.path) + 60  # encoding a byte takes three characters at the most
    yield copies[start:]


def choose(found: Scan, directory: LogDirectory, allocated: int, now: float, token: str = "0") -> Plan:  # noqa: S107
    """The plan. ``allocated`` is what the directory takes on disk, in bytes; ``now`` a Unix time.

    token: letters and digits that no other plan has; the names of temporary files are made of it.
    What frees space without taking any comes first, so that it helps what follows on a full disk.
    """
    times = {copy.file.path: rotated_at(copy, now) for copy in found.copies}
    families: dict[str, list[Copy]] = defaultdict(list)
    for copy in found.copies:
        families[copy.log].append(copy)
    order: dict[str, tuple[float, int, int]] = {}
    for family in families.values():
        order |= places(family, times)
        family.sort(key=lambda copy: order[copy.file.path], reverse=True)
    draft = _Draft(found, directory.rotation, now, token, families, times, order)
    for reason, paths in found.left_alone.items():
        draft.left_alone[reason].extend(paths)
    rotations = _rotations(draft)
    _delete_remains(draft, rotations)
    _delete_expired(draft)
    _compress_copies(draft)
    for rotation in rotations:
        _rotate(draft, rotation)
    _delete_displaced(draft, rotations)
    _delete_to_fit(draft, directory, allocated)
    left_alone = [f"Left alone ({reason}): {_listed(paths)}." for reason, paths in sorted(draft.left_alone.items())]
    return Plan(actions=draft.actions, notes=left_alone + draft.notes)


def _rotations(draft: _Draft) -> list[_Rotation]:
    taken = {copy.file.path for copy in draft.found.copies}
    rotations = []
    for log in sorted(draft.found.logs, key=lambda log: log.file.path):
        resumed = _unfinished(draft, log)
        reason = _reason(draft, log)
        if resumed:
            rotations.append(resumed)
        elif reason and log.file.links > 1:
            draft.left_alone["has other hard links"].append(log.file.path)
        elif reason:
            method = _method(draft, log)
            packed = draft.rules.compress and method == "copytruncate"
            names = variants(rotated_name(log.file.path, draft.now, compressed=packed))
            to = next(name for name in names if name not in taken)
            work: Work = "copy" if method == "copytruncate" else "swap"
            rotations.append(_Rotation(log, to, method, reason, draft.temporary(work, log.file.path)))
    return rotations


def _unfinished(draft: _Draft, log: Log) -> _Rotation | None:
    """A rotation of this log that an interrupted run began: the rotated file is there, the log is not empty yet."""
    reason = "an interrupted run left this rotation unfinished"
    for copy in draft.copies.get(log.file.path, ()):
        if copy.name.own and copy.file.identity.key == log.file.identity.key:
            return _Rotation(
                log, copy.file.path, "rename", reason, draft.temporary("swap", log.file.path), resumed=True
            )
    for remains in draft.found.remains:
        if remains.work != "copy" or remains.linked is None or _source(draft, remains):
            continue
        if _log_of(remains.linked) == log.file.path:
            temporary = encode_path(_name(remains.file.path))
            return _Rotation(log, remains.linked, "copytruncate", reason, temporary, resumed=True)
    return None


def _log_of(path: str) -> str | None:
    folder, slash, name = path.rpartition("/")
    rotated = parse_rotated(name)
    return folder + slash + rotated.base if rotated else None


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _source(draft: _Draft, remains: Remains) -> Copy | None:
    """The rotated file, still there, of which these remains are the compressed form."""
    folder, name = remains.file.path.rpartition("/")[0], _name(remains.file.path)
    plain = (copy for copy in draft.found.copies if not copy.name.compressed)
    beside = (copy for copy in plain if copy.file.path.rpartition("/")[0] == folder)
    return next((copy for copy in beside if is_for(name, "pack", _name(copy.file.path))), None)


def _reason(draft: _Draft, log: Log) -> str | None:
    """Why a log is rotated now; None if it is not."""
    if log.blank:
        return None
    limit, oldest = draft.rules.max_file_bytes, draft.rules.max_file_age
    if log.stored > limit:
        return f"{format_bytes(log.stored)}, over max_file_bytes ({format_bytes(limit)})"
    if oldest is None:
        return None
    begun = oldest_line(log, (draft.times[copy.file.path] for copy in draft.copies.get(log.file.path, ())), draft.now)
    if begun is None:
        draft.left_alone[_NO_AGE].append(log.file.path)
    elif draft.now - begun > oldest:
        return f"its oldest lines are {_rough(draft.now - begun)} old, over max_file_age ({format_duration(oldest)})"
    return None


def _method(draft: _Draft, log: Log) -> Method:
    if draft.rules.method != "auto":
        return draft.rules.method
    return "rename" if log.file.use.state == "free" else "copytruncate"


def _rotate(draft: _Draft, rotation: _Rotation) -> None:
    log, rules = rotation.log, draft.rules
    saved = log.file.allocated * (1 - _PACKS_TO) if rules.compress else 0
    only_if_free = rotation.method == "rename" and rules.method == "auto" and not rotation.resumed
    step = Rotate(
        **draft.at(log.file),
        to=encode_path(rotation.to.rpartition("/")[2]),
        method=rotation.method,
        only_if_free=only_if_free,
        temporary=rotation.temporary,
    )
    if rotation.method == "copytruncate":
        draft.add(log.file, step, rotation.reason, saved)
        if not log.file.use.appends:
            draft.notes.append(
                f"{log.file.use.by} writes to {printable(log.file.path)} at its own position, not at the end:"
                " after the rotation the file starts with a hole of zeros, which takes no space."
            )
        return
    draft.add(log.file, step, rotation.reason)
    if not rules.compress or rotation.resumed:
        return
    if log.file.use.state == "free":
        at = {**draft.at(log.file), "path": encode_path(rotation.to)}
        draft.actions.append(
            Action(
                kind="compress",
                object=printable(rotation.to),
                reason="rotated by this plan",
                estimated_bytes=int(saved),
                params=Compress(**at, may_grow=True, temporary=draft.temporary("pack", rotation.to)).model_dump(),
            )
        )
    else:
        draft.left_alone["compressed by a later run, when no process writes to it any more"].append(rotation.to)


def _compress_copies(draft: _Draft) -> None:
    """Compresses what earlier runs rotated. Files that other programs named stay as those expect them."""
    if not draft.rules.compress:
        return
    begun = {
        source.file.path: encode_path(_name(remains.file.path))
        for remains in draft.found.remains
        if (source := _source(draft, remains))
    }
    for copy in draft.found.copies:
        if copy.name.compressed or not copy.name.own or copy.file.path in draft.settled:
            continue
        if copy.file.links > 1:
            draft.left_alone["has other hard links"].append(copy.file.path)
        elif copy.file.use.state == "written":
            draft.left_alone["a process still writes to it"].append(copy.file.path)
        elif copy.file.use.state == "unknown":
            draft.left_alone["no permission to see whether a process writes to it"].append(copy.file.path)
        else:
            draft.settled.add(copy.file.path)
            saved = copy.file.allocated * (1 - _PACKS_TO)
            temporary = begun.get(copy.file.path) or draft.temporary("pack", copy.file.path)
            step = Compress(**draft.at(copy.file), temporary=temporary)
            draft.add(copy.file, step, "rotated and not compressed yet", saved)


def _delete_remains(draft: _Draft, rotations: Sequence[_Rotation]) -> None:
    """Removes what interrupted runs left, but for what is nowhere else."""
    resumed = {rotation.temporary for rotation in rotations if rotation.resumed}
    for remains in draft.found.remains:
        if encode_path(_name(remains.file.path)) in resumed or _source(draft, remains):
            continue  # the action that makes this file again finishes what was begun
        if remains.work == "swap" and remains.file.identity.size and not remains.file.links:
            draft.left_alone["left by an interrupted run, and what is in it is nowhere else"].append(remains.file.path)
        elif remains.file.use.state == "free":
            draft.add(remains.file, Delete(**draft.at(remains.file)), "left by an interrupted run", 0)


def _delete_expired(draft: _Draft) -> None:
    by_age, by_count = [], []
    for copies in draft.copies.values():
        for place, copy in enumerate(copies):
            at = draft.times[copy.file.path]
            if at is not None and draft.now - at > draft.rules.keep_age:
                if draft.settle(copy):
                    by_age.append(copy)
            elif place >= draft.rules.keep_count:
                if draft.settle(copy):
                    by_count.append(copy)
            elif at is None:
                draft.left_alone[_NO_AGE].append(copy.file.path)
    limit = format_duration(draft.rules.keep_age)
    draft.delete(_by_folder(by_age), lambda batch: f"{_ages(draft, batch)} old, over keep_age ({limit})")
    reason = f"more than keep_count ({draft.rules.keep_count}) rotated files of its log"
    draft.delete(_by_folder(by_count), lambda _: reason)


def _by_folder(copies: Sequence[Copy]) -> Sequence[Copy]:
    """Ordered so that each directory is opened once."""
    return sorted(copies, key=lambda copy: copy.file.path.rpartition("/")[::2])


def _ages(draft: _Draft, copies: Sequence[Copy]) -> str:
    times = [at for copy in copies if (at := draft.times[copy.file.path]) is not None]
    youngest, oldest = _rough(draft.now - max(times)), _rough(draft.now - min(times))
    return youngest if youngest == oldest else f"{youngest} to {oldest}"


def _delete_displaced(draft: _Draft, rotations: Sequence[_Rotation]) -> None:
    """Each new rotated file takes the place of the oldest one kept, once it is there."""
    for rotation in rotations:
        copies = draft.copies.get(rotation.log.file.path, ())
        if not rotation.resumed and 0 < draft.rules.keep_count == len(copies[: draft.rules.keep_count]):
            last = copies[draft.rules.keep_count - 1]
            reason = f"more than keep_count ({draft.rules.keep_count}) rotated files of its log after this rotation"
            if draft.settle(last):
                step = Delete(**draft.at(last.file), after=encode_path(rotation.to))
                draft.add(last.file, step, reason, last.file.allocated)


def _delete_to_fit(draft: _Draft, directory: LogDirectory, allocated: int) -> None:
    """While the directory would stay over its limit: its oldest rotated files, but never the newest of any log."""
    excess = allocated - sum(action.estimated_bytes for action in draft.actions) - directory.max_bytes
    limit = format_bytes(directory.max_bytes)
    chosen = []
    if excess > 0:
        spare = [copy for copies in draft.copies.values() for copy in copies[1:] if copy.file.path not in draft.settled]
        for copy in sorted(spare, key=lambda copy: draft.places[copy.file.path]):
            if excess <= 0:
                break
            if draft.settle(copy):
                chosen.append(copy)
                excess -= copy.file.allocated
    reason = f"the oldest left while the directory is over max_bytes ({limit})"
    draft.delete(chosen, lambda _: reason, to_fit=True)
    if excess > 0:
        draft.notes.append(
            f"The directory stays about {format_bytes(excess)} over its max_bytes of {limit}:"
            " nothing else in it may be rotated or deleted yet."
        )


def _rough(seconds: float) -> str:
    """A duration to the hour when it is long, to the second when it is short."""
    step = 3600 if seconds >= 86400 else 60 if seconds >= 3600 else 1
    return format_duration(seconds // step * step)


def _listed(paths: Sequence[str]) -> str:
    named = ", ".join(printable(path) for path in sorted(paths)[:_NAMED])
    return named if len(paths) <= _NAMED else f"{named} and {len(paths) - _NAMED} more"
