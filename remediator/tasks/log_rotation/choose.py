"""Which logs are rotated, compressed and deleted, and why. Pure: what was found, the limits and the time go in."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exporter.base.text import printable
from exporter.base.units import format_bytes, format_duration
from exporter.inventory.logs import LogDirectory, LogRotation
from remediator.files.folder import encode_path
from remediator.model.task import Action, Plan
from remediator.tasks.log_rotation.names import fits, parse_rotated, rotated_name, variants
from remediator.tasks.log_rotation.scan import Copy, File, Log, Remains, Scan
from remediator.tasks.log_rotation.steps import Compress, Delete, Method, Rotate, Step

_PACKS_TO = 0.2
"""Size of a compressed log against the log: an estimate. What is freed is measured when it is done."""
_NAMED = 5
"""So many files are named in one note; the rest are counted."""


@dataclass(frozen=True, slots=True)
class _Rotation:
    log: Log
    to: str
    """Path of the rotated file."""
    method: Method
    reason: str
    resumed: bool = False


@dataclass
class _Draft:
    """A plan in the making."""

    found: Scan
    rules: LogRotation
    now: float
    copies: Mapping[str, Sequence[Copy]]
    """Rotated files by the path of their log, newest first."""
    actions: list[Action] = field(default_factory=list)
    left_alone: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)
    """Paths of rotated files that this plan deletes or compresses."""

    def at(self, file: File) -> dict[str, str]:
        """The fields that every step has."""
        return {"root": self.found.root, "path": encode_path(file.path), "file": str(file.identity)}

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

    def delete(self, copy: Copy, reason: str, *, after: str | None = None, only_over_limit: bool = False) -> None:
        """Adds a deletion, unless something is done with the file already or it may not be touched."""
        if copy.file.path in self.settled:
            return
        if copy.file.links > 1:
            self.left_alone["has other hard links"].append(copy.file.path)
        elif copy.file.use.state == "written":
            self.left_alone["a process still writes to it"].append(copy.file.path)
        else:
            self.settled.add(copy.file.path)
            successor = None if after is None else encode_path(after)
            step = Delete(**self.at(copy.file), after=successor, only_over_limit=only_over_limit)
            self.add(copy.file, step, reason, copy.file.allocated)


def choose(found: Scan, directory: LogDirectory, allocated: int, now: float) -> Plan:
    """The plan. ``allocated`` is what the directory takes on disk, in bytes; ``now`` a Unix time.

    What frees space without taking any comes first, so that it helps what follows on a full disk.
    """
    copies: dict[str, list[Copy]] = defaultdict(list)
    for copy in sorted(found.copies, key=_age, reverse=True):
        copies[copy.log].append(copy)
    draft = _Draft(found, directory.rotation, now, copies)
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


def _age(copy: Copy) -> tuple[int, float, int]:
    return copy.file.identity.mtime_ns, copy.name.stamp or 0.0, copy.name.number


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
            if not fits(rotated_name(log.file.path.rpartition("/")[2], draft.now, compressed=packed)):
                draft.left_alone["its name leaves no room for the time of the rotation"].append(log.file.path)
                continue
            rotations.append(_Rotation(log, next(name for name in names if name not in taken), method, reason))
    return rotations


def _unfinished(draft: _Draft, log: Log) -> _Rotation | None:
    """A rotation of this log that an interrupted run began: the rotated file is there, the log is not empty yet."""
    reason = "an interrupted run left this rotation unfinished"
    for copy in draft.copies.get(log.file.path, ()):
        if copy.name.own and copy.file.identity.key == log.file.identity.key:
            return _Rotation(log, copy.file.path, "rename", reason, resumed=True)
    for remains in draft.found.remains:
        if remains.linked and _log_of(remains) == log.file.path and not _packs(draft, remains):
            return _Rotation(log, remains.wanted, "copytruncate", reason, resumed=True)
    return None


def _log_of(remains: Remains) -> str | None:
    folder, slash, name = remains.wanted.rpartition("/")
    rotated = parse_rotated(name)
    return folder + slash + rotated.base if rotated else None


def _packs(draft: _Draft, remains: Remains) -> bool:
    """Whether the remains are of compressing a rotated file that is still there."""
    source = remains.wanted.removesuffix(".gz")
    return any(copy.file.path == source for copy in draft.found.copies) and source != remains.wanted


def _reason(draft: _Draft, log: Log) -> str | None:
    """Why a log is rotated now; None if it is not."""
    if log.blank:
        return None
    limit, oldest = draft.rules.max_file_bytes, draft.rules.max_file_age
    if log.stored > limit:
        return f"{format_bytes(log.stored)}, over max_file_bytes ({format_bytes(limit)})"
    age = draft.now - _oldest_content(draft, log)
    if oldest is not None and age > oldest:
        return f"its oldest lines are {_rough(age)} old, over max_file_age ({format_duration(oldest)})"
    return None


def _oldest_content(draft: _Draft, log: Log) -> float:
    """A Unix time before which nothing in the log was written.

    That is when the file was made or was last rotated, whichever is later; a file system that does not tell the first,
    for a log without the second, leaves only the last write.
    """
    written = log.file.identity.mtime_ns / 1e9
    times = [copy.name.stamp or copy.file.identity.mtime_ns / 1e9 for copy in draft.copies.get(log.file.path, ())]
    if log.born is not None:
        times.append(min(log.born, written))  # a restored file is younger than its content
    return max(times, default=written)


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
    if not fits(f"{rotation.to.rpartition('/')[2]}.gz"):
        draft.left_alone["its name leaves no room for .gz"].append(rotation.to)
    elif log.file.use.state == "free":
        at = {**draft.at(log.file), "path": encode_path(rotation.to)}
        draft.actions.append(
            Action(
                kind="compress",
                object=printable(rotation.to),
                reason="rotated by this plan",
                estimated_bytes=int(saved),
                params=Compress(**at, may_grow=True).model_dump(),
            )
        )
    else:
        draft.left_alone["compressed by a later run, when no process writes to it any more"].append(rotation.to)


def _compress_copies(draft: _Draft) -> None:
    """Compresses what earlier runs rotated. Files that other programs named stay as those expect them."""
    if not draft.rules.compress:
        return
    for copy in draft.found.copies:
        if copy.name.compressed or not copy.name.own or copy.file.path in draft.settled:
            continue
        if copy.file.links > 1:
            draft.left_alone["has other hard links"].append(copy.file.path)
        elif copy.file.use.state == "written":
            draft.left_alone["a process still writes to it"].append(copy.file.path)
        elif copy.file.use.state == "unknown":
            draft.left_alone["no permission to see whether a process writes to it"].append(copy.file.path)
        elif not fits(f"{copy.file.path.rpartition('/')[2]}.gz"):
            draft.left_alone["its name leaves no room for .gz"].append(copy.file.path)
        else:
            draft.settled.add(copy.file.path)
            saved = copy.file.allocated * (1 - _PACKS_TO)
            draft.add(copy.file, Compress(**draft.at(copy.file)), "rotated and not compressed yet", saved)


def _delete_remains(draft: _Draft, rotations: Sequence[_Rotation]) -> None:
    """Removes what interrupted runs left. Their temporary names hold nothing that is not under another name too."""
    resumed = {rotation.to for rotation in rotations if rotation.resumed}
    for remains in draft.found.remains:
        if remains.wanted in resumed or _packs(draft, remains):
            continue  # the action that makes this file again finishes what was begun
        if remains.file.use.state == "free":
            draft.add(remains.file, Delete(**draft.at(remains.file)), "left by an interrupted run", 0)


def _delete_expired(draft: _Draft) -> None:
    for copies in draft.copies.values():
        for place, copy in enumerate(copies):
            age = draft.now - copy.file.identity.mtime_ns / 1e9
            if age > draft.rules.keep_age:
                limit = format_duration(draft.rules.keep_age)
                draft.delete(copy, f"last written {_rough(age)} ago, over keep_age ({limit})")
            elif place >= draft.rules.keep_count:
                draft.delete(copy, f"more than keep_count ({draft.rules.keep_count}) rotated files of its log")


def _delete_displaced(draft: _Draft, rotations: Sequence[_Rotation]) -> None:
    """Each new rotated file takes the place of the oldest one kept, once it is there."""
    for rotation in rotations:
        copies = draft.copies.get(rotation.log.file.path, ())
        if not rotation.resumed and 0 < draft.rules.keep_count == len(copies[: draft.rules.keep_count]):
            last = copies[draft.rules.keep_count - 1]
            reason = f"more than keep_count ({draft.rules.keep_count}) rotated files of its log after this rotation"
            draft.delete(last, reason, after=rotation.to)


def _delete_to_fit(draft: _Draft, directory: LogDirectory, allocated: int) -> None:
    """While the directory would stay over its limit: its oldest rotated files, but never the newest of any log."""
    excess = allocated - sum(action.estimated_bytes for action in draft.actions) - directory.max_bytes
    spare = [copy for copies in draft.copies.values() for copy in copies[1:] if copy.file.path not in draft.settled]
    for copy in sorted(spare, key=_age):
        if excess <= 0:
            return
        draft.delete(
            copy,
            f"the oldest left while the directory is over max_bytes ({format_bytes(directory.max_bytes)})",
            only_over_limit=True,
        )
        if copy.file.path in draft.settled:
            excess -= copy.file.allocated
    if excess > 0:
        limit = format_bytes(directory.max_bytes)
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
