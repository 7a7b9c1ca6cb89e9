"""Which logs are rotated, compressed and deleted, and why. Pure: what was found, the limits and the time go in."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, groupby

from exporter.base.text import printable
from exporter.base.units import format_bytes, format_duration
from exporter.inventory.logs import LogDirectory, RotationPolicy
from remediator.files.folder import encode_path
from remediator.model.task import Action, Plan
from remediator.tasks.log_rotation.ages import Aged, before_a_leap, begun_anew, by_age, oldest_line
from remediator.tasks.log_rotation.names import (
    Work,
    copy_name,
    fits,
    is_for,
    is_gone,
    parse_rotated,
    rotated_name,
    variants,
)
from remediator.tasks.log_rotation.scan import Copy, File, Log, Remains, Scan
from remediator.tasks.log_rotation.steps import Compress, Delete, Deletion, Method, Rotate, Step, fresh_name, listed

_PACKS_TO = 0.2
"""Size of a compressed log against the log: an estimate. What is freed is measured when it is done."""
_NAMED = 5
"""This many files are named in one note; the rest are counted."""
_NO_AGE = "its times cannot be, before 2000 or in the future, so nothing is done by its age"
_LEAPT = "nothing here was changed for years after it, so the clock may be wrong, and nothing is deleted by its age"
_AN_ACTION_EACH = 50
"""Up to this many deletions for one reason are an action each in the record; more are done in batches."""
_BATCH_FILES = 10_000
_BATCH_CHARACTERS = 4 * 1024 * 1024
"""How much one action may hold in the record."""


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
    rules: RotationPolicy
    now: float
    token: str
    copies: Mapping[str, Sequence[Aged]]
    """Rotated files by the path of their log, newest first; directory by directory."""
    actions: list[Action] = field(default_factory=list)
    left_alone: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)
    """Paths of rotated files that this plan deletes, compresses or finishes."""
    _fresh: Iterator[int] = field(default_factory=count)

    def at(self, file: File | Copy) -> dict[str, str]:
        """The fields that every step has."""
        return {"root": self.found.root, "path": encode_path(file.path), "file": str(file.identity)}

    def temporary(self, work: Work, path: str) -> str:
        """A temporary name, encoded, for an action that begins something with this file."""
        return fresh_name(f"{self.token}-{next(self._fresh)}", work, _name(path))

    def add(self, file: File | Copy, step: Step, reason: str, frees: float = 0, *, identity: str | None = None) -> None:
        self.actions.append(
            Action(
                kind=type(step).__name__.lower(),
                object=printable(file.path),
                reason=reason,
                estimated_bytes=int(frees),
                params=step.model_dump(),
                identity=identity,
            )
        )

    def settle(self, copy: Copy) -> bool:
        """Whether this rotated file may be deleted, and nothing else is to be done with it; if so, it is then taken."""
        if copy.path in self.settled:
            return False
        if copy.links > 1:
            self.left_alone["has other hard links"].append(copy.path)
        elif copy.use.state == "written":
            self.left_alone["a process still writes to it"].append(copy.path)
        else:
            self.settled.add(copy.path)
            return True
        return False

    def delete(self, aged: Sequence[Aged], reason: Callable[[Sequence[Aged]], str], *, to_fit: bool = False) -> None:
        """Adds the deletion of settled files, in this order: an action each, or where they are many, of thousands."""
        if len(aged) <= _AN_ACTION_EACH:
            for one in aged:
                step = Delete(**self.at(one.copy), changed=one.copy.ctime_ns, only_over_limit=to_fit)
                self.add(one.copy, step, reason([one]), one.copy.allocated)
            return
        for some in _batches(aged):
            batch = [one.copy for one in some]
            many = Deletion(
                root=self.found.root,
                device=batch[0].device,
                files=[(encode_path(folder), listed(files)) for folder, files in _by_folder(batch)],
                only_over_limit=to_fit,
            )
            self.actions.append(
                Action(
                    kind="delete-many",
                    object=_named_together(batch),
                    reason=reason(some),
                    estimated_bytes=sum(copy.allocated for copy in batch),
                    items=len(batch),
                    params=many.model_dump(mode="json"),
                )
            )


def _named_together(batch: Sequence[Copy]) -> str:
    first, last = (printable(batch[place].path) for place in (0, -1))
    if len(batch) == 1:
        return first
    logs = {copy.log for copy in batch}
    of = f"rotated files of {printable(logs.pop())}" if len(logs) == 1 else f"rotated files of {len(logs):,} logs"
    return f"{len(batch):,} {of}, {first} to {last}"


def _by_folder(batch: Sequence[Copy]) -> Iterator[tuple[str, list[tuple[str, int, int, int, int]]]]:
    """Directories, each with (name, inode, size, mtime_ns, ctime_ns) of the files that follow each other in it."""
    for log_folder, copies in groupby(batch, key=lambda copy: copy.log.rpartition("/")[0]):
        start = len(log_folder) + 1 if log_folder else 0
        yield (
            log_folder,
            [(copy.path[start:], copy.inode, copy.size, copy.mtime_ns, copy.ctime_ns) for copy in copies],
        )


def _batches(aged: Sequence[Aged]) -> Iterator[Sequence[Aged]]:
    """In their order, so many together that the record stays easy to read and a run can be stopped between two."""
    start = length = 0
    for place, one in enumerate(aged):
        if place - start >= _BATCH_FILES or length > _BATCH_CHARACTERS:
            yield aged[start:place]
            start, length = place, 0
        length += 3 * len(one.copy.path) + 60  # encoding a byte takes three characters at the most
    yield aged[start:]


def choose(found: Scan, directory: LogDirectory, allocated: int, now: float, token: str = "0") -> Plan:  # noqa: S107
    """The plan. ``allocated`` is what the directory takes on disk, in bytes; ``now`` a Unix time.

    token: letters and digits that no other plan has; the names of temporary files are made of it.
    What frees space without taking any comes first, so that it helps what follows on a full disk.
    """
    families: dict[str, list[Copy]] = defaultdict(list)
    for copy in found.copies:
        families[copy.log].append(copy)
    logs = sorted(families, key=lambda log: log.rpartition("/"))
    aged = {log: by_age(families[log], now)[::-1] for log in logs}
    draft = _Draft(found, directory.rotation, now, token, aged)
    for reason, paths in found.left_alone.items():
        draft.left_alone[reason].extend(paths)
    rotations = _rotations(draft)
    # Such a copy is finished or made again, so nothing else is done with it.
    draft.settled.update(one.to for one in rotations if one.resumed and one.method == "copytruncate")
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
    taken = {copy.path for copy in draft.found.copies}
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
            to = next(name for name in names if name not in taken)
            work: Work = "copy" if method == "copytruncate" else "swap"
            rotations.append(_Rotation(log, to, method, reason, draft.temporary(work, log.file.path)))
    return rotations


def _unfinished(draft: _Draft, log: Log) -> _Rotation | None:
    """A rotation of this log that an interrupted run began: the rotated file is there, the log is not empty yet."""
    reason = "an interrupted run left this rotation unfinished"
    for one in draft.copies.get(log.file.path, ()):
        copy = one.copy
        if copy.own and copy.identity.key == log.file.identity.key:
            return _Rotation(log, copy.path, "rename", reason, draft.temporary("swap", log.file.path), resumed=True)
    for remains in draft.found.remains:
        if remains.work not in ("copy", "named") or remains.linked is None or _source(draft, remains):
            continue
        if _log_of(remains.linked) == log.file.path:
            temporary = encode_path(_temporary_of(remains))
            return _Rotation(log, remains.linked, "copytruncate", reason, temporary, resumed=True)
    return None


def _temporary_of(remains: Remains) -> str:
    """The temporary name of the work that these are the remains of."""
    name = _name(remains.file.path)
    return copy_name(name) if remains.work == "named" else name


def _log_of(path: str) -> str | None:
    folder, slash, name = path.rpartition("/")
    rotated = parse_rotated(name)
    return folder + slash + rotated.base if rotated else None


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _source(draft: _Draft, remains: Remains) -> Copy | None:
    """The rotated file, still there, of which these remains are the compressed form."""
    folder, name = remains.file.path.rpartition("/")[0], _name(remains.file.path)
    plain = (copy for copy in draft.found.copies if not copy.compressed)
    beside = (copy for copy in plain if copy.path.rpartition("/")[0] == folder)
    return next((copy for copy in beside if is_for(name, "pack", _name(copy.path))), None)


def _reason(draft: _Draft, log: Log) -> str | None:
    """Why a log is rotated now; None if it is not."""
    if log.blank:
        return None
    limit, oldest = draft.rules.max_file_bytes, draft.rules.max_file_age
    if log.stored > limit:
        return f"{format_bytes(log.stored)}, over max_file_bytes ({format_bytes(limit)})"
    if oldest is None:
        return None
    copies = (one.copy for one in draft.copies.get(log.file.path, ()))
    begun = oldest_line(log, (begun_anew(copy, draft.now) for copy in copies), draft.now)
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
    # The log grows, and its new name is the time: neither makes it another rotation.
    same = encode_path(log.file.path)
    if rotation.method == "copytruncate":
        draft.add(log.file, step, rotation.reason, saved, identity=f"{same} {rotation.method}")
        if not log.file.use.appends:
            draft.notes.append(
                f"{log.file.use.by} writes to {printable(log.file.path)} at its own position, not at the end:"
                " after the rotation the file starts with a hole of zeros, which takes no space."
            )
        return
    draft.add(log.file, step, rotation.reason, identity=f"{same} {rotation.method}")
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
                params=Compress(**at, may_grow=True, temporary=draft.temporary("pack", rotation.to)).model_dump(),
                identity=f"{same} rotated",
            )
        )
    else:
        draft.left_alone["compressed by a later run, when no process writes to it any more"].append(rotation.to)


def _compress_copies(draft: _Draft) -> None:
    """Compresses what earlier runs rotated. Files that other programs named stay as those expect them."""
    if not draft.rules.compress:
        return
    begun = {
        source.path: encode_path(_name(remains.file.path))
        for remains in draft.found.remains
        if (source := _source(draft, remains))
    }
    for copy in draft.found.copies:
        if copy.compressed or not copy.own or copy.path in draft.settled:
            continue
        if copy.links > 1:
            draft.left_alone["has other hard links"].append(copy.path)
        elif copy.use.state == "written":
            draft.left_alone["a process still writes to it"].append(copy.path)
        elif copy.use.state == "unknown":
            draft.left_alone["no permission to see whether a process writes to it"].append(copy.path)
        elif not fits(f"{copy.path.rpartition('/')[2]}.gz"):
            draft.left_alone["its name leaves no room for .gz"].append(copy.path)
        else:
            draft.settled.add(copy.path)
            saved = copy.allocated * (1 - _PACKS_TO)
            temporary = begun.get(copy.path) or draft.temporary("pack", copy.path)
            step = Compress(**draft.at(copy), temporary=temporary)
            same = f"{encode_path(copy.path)} {copy.identity}"
            draft.add(copy, step, "rotated and not compressed yet", saved, identity=same)


def _delete_remains(draft: _Draft, rotations: Sequence[_Rotation]) -> None:
    """Removes what interrupted runs left, except content that exists nowhere else."""
    resumed = {rotation.temporary for rotation in rotations if rotation.resumed}
    for remains in draft.found.remains:
        if encode_path(_temporary_of(remains)) in resumed or _source(draft, remains):
            continue  # the action that makes this file again finishes what was begun
        if remains.work == "swap" and remains.file.size and not remains.file.links:
            draft.left_alone["left by an interrupted run, and what is in it is nowhere else"].append(remains.file.path)
        elif remains.work == "gone" and not is_gone(_name(remains.file.path), remains.file.inode):
            draft.left_alone["another program exchanged it while its place was cleared; rename it"].append(
                remains.file.path
            )
        elif remains.file.use.state == "free":
            draft.add(remains.file, Delete(**draft.at(remains.file)), "left by an interrupted run", 0)


def _delete_expired(draft: _Draft) -> None:
    rules, latest = draft.rules, draft.now - draft.rules.keep_age
    old, surplus = [], []
    leap = before_a_leap(draft.found.logs, draft.found.copies, draft.now)
    for family in draft.copies.values():
        for place, one in enumerate(family):
            if one.at is not None and one.at < latest:
                if leap is not None and one.copy.ctime_ns < (leap + 1) * 1e9 and place < rules.keep_count:
                    draft.left_alone[_LEAPT].append(one.copy.path)
                elif draft.settle(one.copy):
                    old.append(one)
            elif place >= rules.keep_count:
                if draft.settle(one.copy):
                    surplus.append(one)
            elif one.at is None:
                draft.left_alone[_NO_AGE].append(one.copy.path)
    limit = format_duration(rules.keep_age)
    # The oldest first, so that they are gone where a run is stopped.
    draft.delete(old[::-1], lambda batch: f"{_ages(batch, draft.now)} old, over keep_age ({limit})")
    draft.delete(surplus[::-1], lambda _: f"more than keep_count ({rules.keep_count}) rotated files of its log")


def _ages(aged: Sequence[Aged], now: float) -> str:
    times = [one.at for one in aged if one.at is not None]
    youngest, oldest = _rough(now - max(times)), _rough(now - min(times))
    return youngest if youngest == oldest else f"{youngest} to {oldest}"


def _delete_displaced(draft: _Draft, rotations: Sequence[_Rotation]) -> None:
    """Each new rotated file takes the place of the oldest one kept, once it is there."""
    for rotation in rotations:
        copies = draft.copies.get(rotation.log.file.path, ())
        if not rotation.resumed and 0 < draft.rules.keep_count == len(copies[: draft.rules.keep_count]):
            last = copies[draft.rules.keep_count - 1].copy
            reason = f"more than keep_count ({draft.rules.keep_count}) rotated files of its log after this rotation"
            if draft.settle(last):
                step = Delete(**draft.at(last), changed=last.ctime_ns, after=encode_path(rotation.to))
                same = f"{encode_path(last.path)} {last.identity} displaced"
                draft.add(last, step, reason, last.allocated, identity=same)


def _delete_to_fit(draft: _Draft, directory: LogDirectory, allocated: int) -> None:
    """While the directory would stay over its limit: its oldest rotated files, but never the newest of any log."""
    excess = allocated - sum(action.estimated_bytes for action in draft.actions) - directory.max_bytes
    limit = format_bytes(directory.max_bytes)
    chosen = []
    if excess > 0:
        spare = [one for family in draft.copies.values() for one in family[1:]]
        for one in sorted(spare, key=lambda one: one[:3]):
            if excess <= 0:
                break
            if draft.settle(one.copy):
                chosen.append(one)
                excess -= one.copy.allocated
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
