"""Compressing a rotated file: the gzip file is whole, proven and named before the source is removed."""

import os
import threading
from contextlib import suppress

from remediator.files.attributes import copy_attributes
from remediator.files.compress import GzipCopy, Stopped, mostly_holes, where_it_ends
from remediator.files.folder import Changed, Folder, Identity, allocated
from remediator.files.writers import use_of
from remediator.model.task import TaskError
from remediator.tasks.log_rotation.leftovers import left_behind
from remediator.tasks.log_rotation.names import gone_name, variants


def compress_file(
    folder: Folder, name: str, identity: Identity, temporary: str, stop: threading.Event, *, may_grow: bool = False
) -> tuple[str, int] | None:
    """Replaces a file by ``name.gz`` with the same owner, mode and times.

    temporary: the name of the gzip file until the source is removed; the same for a second try.
    Returns the new name and the bytes freed; None if an earlier try had done it already.
    Raises Changed, Stopped, TaskError, OSError; the file is then as it was.
    """
    wanted = f"{name}.gz"
    for earlier, _ in left_behind(folder, "pack", name):
        temporary = earlier
    witness = folder.stat(temporary)
    packed = folder.find(variants(wanted), Identity.of(witness).key) if witness else None
    if folder.stat(name) is None and (packed or folder.stat(wanted)):
        folder.finish_taking_away(gone_name(identity.inode, name), identity.inode)
        folder.discard(temporary)
        return None
    fd = folder.open(name)
    try:
        facts = os.fstat(fd)
        identity.check(facts, may_grow=may_grow)
        seen = Identity.of(facts)
        if packed and not _holds_all(folder, fd, packed):
            folder.discard(packed)  # the source was written to after it, and still holds everything
            packed = None
        packed = packed or _made_before(folder, fd, wanted) or _pack(folder, fd, wanted, temporary, stop)
        try:
            _check_quiet(fd)
            seen.check(folder.stat(name))
            if os.fstat(fd).st_ctime_ns != facts.st_ctime_ns:  # its other times can be set back
                raise Changed("changed while it was compressed")
            with suppress(FileNotFoundError):
                folder.take_away(name, seen.key, gone_name(seen.inode, name))
        except Changed:
            _discard_copy(folder, packed, temporary)
            raise
    finally:
        os.close(fd)
    folder.discard(temporary)
    copy = folder.stat(packed)
    return packed, max(0, allocated(facts) - (allocated(copy) if copy else 0))


def _pack(folder: Folder, fd: int, wanted: str, temporary: str, stop: threading.Event) -> str:
    _check_quiet(fd)
    if os.fstat(fd).st_nlink > 1:
        raise Changed("has other hard links")
    if mostly_holes(fd):
        raise Changed("is mostly holes, whose zeros would take more space when compressed")
    sink = folder.create(temporary)
    try:
        with GzipCopy(fd, sink, stop) as copy:
            copy.append(0, os.fstat(fd).st_size)
            copy_attributes(fd, sink)
            copy.settle()
        name = folder.give(temporary, lambda: variants(wanted), sink)
        folder.sync()
    except (OSError, Changed, Stopped, TaskError):
        folder.discard(temporary)
        raise
    finally:
        os.close(sink)
    return name


def _discard_copy(folder: Folder, packed: str, temporary: str) -> None:
    """Removes a copy by its two names; by the first only what also has the second, where files can have two."""
    witness = folder.stat(temporary)
    if witness is None:
        folder.discard(packed)
        return
    with suppress(Changed, FileNotFoundError):
        folder.take_away(packed, Identity.of(witness).key, gone_name(witness.st_ino, packed))
    folder.discard(temporary)


def _made_before(folder: Folder, fd: int, wanted: str) -> str | None:
    """The name of a whole copy by a try that was killed, where there were no hard links to prove it by."""
    return wanted if _holds_all(folder, fd, wanted) else None


def _check_quiet(fd: int) -> None:
    use = use_of(fd)
    if use.state == "written":
        raise Changed("a process still writes to it")
    if use.state == "unknown":
        raise Changed("no permission to see whether a process writes to it")


def _holds_all(folder: Folder, fd: int, packed: str) -> bool:
    """Whether this is a whole copy of the source as it is now: by its time, which a copy gets, and by every byte."""
    source, facts = os.fstat(fd), folder.stat(packed)
    if facts is None or facts.st_mtime_ns != source.st_mtime_ns:
        return False
    copy = folder.open(packed)
    try:
        return where_it_ends(fd, copy, compressed=True) == source.st_size
    except ValueError:
        return False
    finally:
        os.close(copy)
