"""backup-retention: one action for each set that nothing keeps."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import cast

from pydantic import Field

from exporter.backups import seen
from exporter.backups.directory import BackupDirectory
from exporter.backups.retention import Retention, is_proven, retention
from exporter.backups.sets import BackupSet
from exporter.base.text import counted, format_time
from exporter.base.units import format_bytes
from exporter.inventory.backups import Backup as Series
from remediator.config.config import Config
from remediator.files.compress import Stopped
from remediator.files.folder import Changed, Folder, open_root
from remediator.model.task import (
    NO_PARAMS,
    Action,
    Effect,
    Measurement,
    Parameters,
    Params,
    Plan,
    Row,
    Task,
    TaskError,
)
from remediator.tasks.backup_retention.delete import Going, delete_set, finish, going, stray, strays, token_of
from remediator.tasks.backup_retention.facts import BACKUP_RETENTION
from remediator.tasks.resources import Resources
from remediator.tasks.worker import in_thread

DELETE, FINISH = "delete-set", "finish-deletion"
_ACCEPTABLE = frozenset({"smaller", "gap"})
"""What a person can look at and find in order."""


class Accepting(Parameters):
    """Of backup-retention."""

    accept: bool = Field(
        default=False, description="the sizes that fell, the gap or the sets that are gone were looked at: go on"
    )


class SetRow(Row):
    """A set, and what becomes of it."""

    set: str
    date: float | None
    """Unix seconds."""
    bytes: int | None
    proven: bool
    verdict: str
    """``keep`` or ``drop``."""
    reason: str


class _Judged:
    """A series as it is now."""

    def __init__(self, found: Retention, accept: bool, wrong: Sequence[str], missing: str) -> None:
        self.found = found
        blocking = [one.detail for one in found.refusals if not (accept and one.why in _ACCEPTABLE)]
        acceptable = any(one.why in _ACCEPTABLE for one in found.refusals) or bool(missing)
        self.refusals = [*wrong, *blocking, *([missing] if missing and not accept else [])]
        self.acceptable = acceptable
        self.fails = bool(self.refusals) and bool(wrong or missing or found.spare)
        """Whether that keeps anything from going, or is wrong in itself."""

    @property
    def refusal(self) -> str:
        """Why nothing may go; empty if it may. One sentence without its full stop."""
        return "; ".join(self.refusals)


class BackupRetention:
    """Deletes sets by ``keep:``. state_dir: where it notes what it saw. zone: of days; None for the machine's.

    clock: Unix seconds.
    """

    facts = BACKUP_RETENTION
    parameters = Accepting
    action_timeout = 3600.0

    def __init__(
        self,
        backups: Sequence[Series],
        state_dir: Path | None,
        clock: Callable[[], float] = time.time,
        zone: tzinfo | None = None,
    ) -> None:
        self._series = {each.name: each for each in backups if each.keep is not None and each.path is not None}
        self._state_dir = state_dir
        self._clock = clock
        self._zone = zone

    async def targets(self) -> Sequence[str]:
        return list(self._series)

    async def measure(self, target: str) -> Measurement:
        """Values: ``sets``, ``droppable`` and their ``droppable_bytes``, ``refused`` (0 or 1)."""
        judged = await in_thread(lambda _: self._judge(self._one(target), accept=False))
        drop = judged.found.drop
        size = sum(each.bytes or 0 for each in drop)
        values = {
            "sets": len(judged.found.keep) + len(drop),
            "droppable": len(drop),
            "droppable_bytes": size,
            "refused": float(bool(judged.refusal)),
        }
        detail = f"{counted(len(drop), 'set')} of {int(values['sets'])} to spare, {format_bytes(size)}"
        return Measurement(breached=False, values=values, detail=detail)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        """Raises TaskError where it refuses although sets could go."""
        series, accept = self._one(target), Accepting.model_validate(dict(params)).accept
        return await in_thread(lambda _: self._plan(series, accept))

    async def apply(self, target: str, action: Action) -> Effect:
        series = self._one(target)
        return await in_thread(lambda stop: self._apply(series, action, stop))

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """Fewer sets are to spare."""
        return after.values["droppable"] < before.values["droppable"]

    def _plan(self, series: Series, accept: bool) -> Plan:
        judged = self._judge(series, accept=accept)
        found = judged.found
        with open_root(_path(series)) as root:
            left = [_finish(one) for one in going(root)]
            notes = [f"{stray(one)}." for one in strays(root)]
            if judged.refusal:
                if judged.fails:
                    how = "; if that is in order: --param accept=true" if judged.acceptable else ""
                    raise TaskError(f"refused: {judged.refusal}{how}")
                notes.append(f"Nothing could go: {judged.refusal}.")
                return Plan(actions=left, rows=_rows(found, series), notes=notes)
            actions = []
            for each in reversed(found.drop):
                facts = root.stat(each.name)
                if facts is not None:
                    actions.append(_delete(each, token_of(facts), accept=accept))
        return Plan(actions=[*left, *actions], rows=_rows(found, series), notes=[*notes, *_notes(found)])

    def _apply(self, series: Series, action: Action, stop: threading.Event) -> Effect:
        name = str(action.params["set"])
        if action.kind == DELETE:
            judged = self._judge(series, accept=bool(action.params["accept"]))
            if judged.refusal:
                raise TaskError(f"refused: {judged.refusal}")
            if name not in {each.name for each in judged.found.drop}:
                return Effect(state="skipped", detail="gone, or kept by now")
            self._note(series, [kept.set.name for kept in judged.found.keep])
        elif action.kind != FINISH:
            raise TaskError(f"{self.facts.name} does not know how to {action.kind}")
        try:
            with open_root(_path(series)) as root:
                if action.kind == DELETE:
                    freed = delete_set(root, name, str(action.params["token"]), stop)
                else:
                    freed = finish(root, _left(root, name), stop)
        except Changed as changed:
            return Effect(state="skipped", detail=str(changed))
        except Stopped:
            raise TaskError(f"{name}: stopped; the rest goes next time") from None
        except OSError as error:
            raise TaskError(f"cannot delete {name}: {error.strerror or error}") from error
        return Effect(state="done", detail="deleted", freed_bytes=freed)

    def _judge(self, series: Series, *, accept: bool) -> _Judged:
        """Blocks. Raises TaskError."""
        at = seen.this_moment(self._clock)
        try:
            sets = BackupDirectory(series, self._clock).read()
            before = None if self._state_dir is None else seen.read(self._state_dir, series.name)
        except OSError as error:
            raise TaskError(f"cannot read {error.filename or series.path}: {error.strerror or error}") from error
        clock = seen.clock_problem(before, at)
        missing = seen.missing_problem(before, [each.name for each in sets])
        return _Judged(retention(sets, series, at.now, self._zone), accept, [clock] if clock else [], missing)

    def _note(self, series: Series, newest: Sequence[str]) -> None:
        """Before anything goes: a plan changes nothing, not even what was seen."""
        if self._state_dir is None:
            return
        try:
            seen.write(self._state_dir, series.name, seen.this_moment(self._clock), newest)
        except OSError as error:
            raise TaskError(f"cannot note what was seen of {series.name}: {error.strerror or error}") from error

    def _one(self, target: str) -> Series:
        try:
            return self._series[target]
        except KeyError:
            raise TaskError(f"no backup of the name {target!r} has a path and keep:") from None


def _path(series: Series) -> str:
    return cast(str, series.path)


def _delete(each: BackupSet, token: str, *, accept: bool) -> Action:
    made = "" if each.date is None else f", made {format_time(each.date)}"
    return Action(
        kind=DELETE,
        object=each.name,
        reason=f"no rule of keep: keeps it{made}",
        estimated_bytes=each.bytes or 0,
        params={"set": each.name, "token": token, "accept": accept},
    )


def _finish(one: Going) -> Action:
    reason = "its deletion was interrupted; it is no set any more"
    return Action(kind=FINISH, object=one.name, reason=reason, params={"set": one.name})


def _left(root: Folder, name: str) -> Going:
    """The first of what interrupted deletions have left of a set. Raises Changed."""
    for one in going(root):
        if one.name == name:
            return one
    raise Changed("gone")


def _rows(found: Retention, series: Series) -> list[SetRow]:
    kept = [_row(one.set, series, "keep", "; ".join(one.reasons)) for one in found.keep]
    dropped = [_row(each, series, "drop", "no rule of keep: keeps it") for each in found.drop]
    return sorted([*kept, *dropped], key=lambda row: -(row.date or 0.0))


def _row(each: BackupSet, series: Series, verdict: str, reason: str) -> SetRow:
    return SetRow(
        set=each.name, date=each.date, bytes=each.bytes, proven=is_proven(each, series), verdict=verdict, reason=reason
    )


def _notes(found: Retention) -> list[str]:
    """What keeps each of the sets that stay, so that the plan shows both; the newest first, and not all of hundreds."""
    shown = [f"Keeps {one.set.name}: {'; '.join(one.reasons)}." for one in found.keep[:30]]
    more = len(found.keep) - len(shown)
    return [*shown, f"Keeps {more} more."] if more else shown


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    return [BackupRetention(config.backups, resources.state_dir)]
