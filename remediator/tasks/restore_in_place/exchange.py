"""What is done with the places of a part: looked at, filled beside what is there, exchanged, cleared. All blocks."""

import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

from exporter.base.units import format_bytes
from remediator.model.task import TaskError
from remediator.tasks.restore.task import size_of
from remediator.tasks.restore_in_place import databases
from remediator.tasks.restore_in_place.note import Note
from remediator.tasks.restore_in_place.parts import Replaced
from remediator.tasks.restore_in_place.swap import Place
from remediator.tasks.restoring import archive, checked
from remediator.tasks.restoring.sets import ChosenSet

_BESIDE = ("-wal", "-shm", "-journal")


def require_possible(what: Sequence[Replaced], found: ChosenSet, stop: threading.Event) -> None:
    """Raises TaskError where a part cannot be put in its place, as far as can be told. Blocks."""
    for each in what:
        for place in each.places:
            place.require_replaceable()
            at = os.statvfs(place.target.parent)
            needed, free = size_of(each.part, found), at.f_bavail * at.f_frsize
            if free < needed:
                raise TaskError(
                    f"{each.part} takes about {format_bytes(needed)} beside what is there, and {place.target.parent} "
                    f"has {format_bytes(free)} free: make room, or restore into a directory elsewhere"
                )
        for _, database in each.databases:
            database.look()
        for graph in each.graphs:
            graph.look(stop, replaces=True)


def made_ready(found: ChosenSet, what: Replaced, stop: threading.Event) -> dict[str, int]:
    """Fills the places beside what is there, and makes databases under other names; the inodes of the places."""
    ready: dict[str, int] = {}
    for place in what.places:
        if what.is_sqlite:
            fill: Callable[[Path], None] = lambda path, place=place: _copied(found, place, path, stop)  # type: ignore[misc] # noqa: E731
        else:
            fill = place.unpacked(
                lambda into, place=place: archive.unpack(found.content, place.entry, into, place.inside, stop)  # type: ignore[misc]
            )
        ready[str(place.target)] = place.prepare(fill)
    for _, database in what.databases:
        database.make(stop)
    for graph in what.graphs:
        graph.read(stop)
    for dump in what.dumps:
        dump.try_it(stop)
    return ready


def _copied(found: ChosenSet, place: Place, path: Path, stop: threading.Event) -> None:
    """A database of SQLite, which belongs to whom the one that is there belongs to."""
    checked.copy(found.content, place.entry, path, stop)
    with suppress(FileNotFoundError):
        at = place.target.stat()
        if os.geteuid() == 0:
            os.chown(path, at.st_uid, at.st_gid)
        path.chmod(at.st_mode & 0o7777)


def swapped(what: Replaced, note: Note, stop: threading.Event) -> str:
    """Exchanges what lies ready with what is there; what there is to say of it. Done twice, it is exchanged once."""
    inodes = note.ready[str(what.part)]
    for place in what.places:
        if what.is_sqlite and not place.is_swapped(inodes[str(place.target)]):
            _settle(place.target)
        place.swap(inodes[str(place.target)])
    said = [
        databases.swap(database, name, databases.old_name(name, note.copy_set), stop)
        for name, database in what.databases
    ]
    said += [graph.fill(stop, replaces=True) for graph in what.graphs]
    said += [dump.load(stop) for dump in what.dumps]
    return "; ".join(said)


def cleared(what: Replaced, stop: threading.Event) -> None:
    """What lay ready and was not used, and what was exchanged, goes."""
    for place in what.places:
        place.clear()
    for _, database in what.databases:
        database.discard()


def _settle(path: Path) -> None:
    """Nothing of the former database lies beside it that SQLite would take for a part of the new one."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for end in _BESIDE:
        path.with_name(f"{path.name}{end}").unlink(missing_ok=True)


def require_unused(what: Replaced) -> None:
    """Raises TaskError where a process has a database of SQLite open, that is to be replaced."""
    for place in what.places if what.is_sqlite else ():
        wanted = os.fspath(place.target)
        for link in Path("/proc").glob("[0-9]*/fd/*"):
            with suppress(OSError):
                if os.fspath(link.readlink()) == wanted:
                    pid = link.parts[2]
                    name = Path(f"/proc/{pid}/comm").read_text().strip()
                    raise TaskError(f"{wanted} is open in {name} (process {pid}); stop that first")


def remarks(what: Sequence[Replaced]) -> list[str]:
    """What a person should know before. Pure."""
    found = []
    if any(each.graphs for each in what):
        found.append("A database of Neo4j is emptied and filled again: there is no other name to keep it under.")
    if any(each.dumps for each in what):
        found.append("A dump of Neo4j is loaded into a volume of its own first, and its store checked there.")
    if any(each.databases for each in what):
        found.append("Databases that are replaced stay on their server under another name until you drop them.")
    if any(each.part.member.kind == "files" for each in what):
        found.append("What has a file open, or mounts a single one, goes on with the former one until it starts anew.")
    return found
