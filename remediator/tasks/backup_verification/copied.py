"""Whether the copies of sets are still where they were found once. Everything but the action blocks."""

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event

from exporter.backups import copies
from exporter.backups.copies import CopiesBroken, Copy
from exporter.inventory.backups import Backup
from remediator.model.task import Action, Effect, TaskError
from remediator.tasks.backup.copies.destination import Destination
from remediator.tasks.backup.copies.repository import Repository

LOOK = "look-at-copy"


def copies_noted(series: Backup, state_dir: Path | None) -> Mapping[str, Copy]:
    """By destination, what was last copied there, as far as anything was found there since. Raises OSError."""
    if state_dir is None or not series.copy_to:
        return {}
    try:
        noted = copies.read(state_dir, series.name)
    except CopiesBroken:
        return {}  # which the exporter tells
    known = {each.name for each in series.copy_to}
    return {name: copy for name, copy in noted.items() if name in known and copy.copied is not None}


def look_action(series: Backup, destination: str, name: str) -> Action:
    return Action(
        kind=LOOK,
        object=destination,
        reason=f"whether the copy of {name} is still there, all of it",
        params={"set": name, "destination": destination},
    )


def look_again(
    series: Backup, action: Action, state_dir: Path | None, clock: Callable[[], float], stop: Event
) -> Effect:
    """Raises TaskError where a copy has gone or is not whole, and where that cannot be told: then nothing is noted."""
    name, wanted = str(action.params["destination"]), str(action.params["set"])
    to = next((each for each in series.copy_to if each.name == name), None)
    if to is None or state_dir is None:
        raise TaskError(f"{name} is no longer in copy_to of the backup {series.name}")
    destination = Destination(Repository(to.restic, state_dir / "cache" / "restic-copies"))
    found = destination.look(series.name, wanted, stop)
    detail = found.wrong or f"it is there: {destination}"
    copies.note(state_dir, series.name, name, Copy(wanted, not found.wrong, clock(), detail, found.newest), looked=True)
    if found.wrong:
        raise TaskError(f"{found.wrong}; then: upkeeper run backup {series.name} --param only_copy=true")
    return Effect(state="done", detail=detail)
