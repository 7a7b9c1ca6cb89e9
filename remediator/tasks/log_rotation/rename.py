"""rename: the log's inode gets the rotated name, and an empty file of the same owner and mode takes its place.

The rotated name is a hard link at first and the exchange is one step, so at every moment the log's name leads to a file
and the content has a name, but for file systems without hard links or exchange, where two renames have to do. A process
that still has the log open goes on writing to the rotated file.
"""

import contextlib
import os

from remediator.files import linux
from remediator.files.attributes import copy_attributes
from remediator.files.folder import Changed, Folder, Identity, NoHardLinks
from remediator.tasks.log_rotation.names import variants


def rename_and_create(folder: Folder, log: str, identity: Identity, wanted: str, temporary: str) -> str | None:
    """Rotates a log by renaming it. Returns the rotated file's name; None if an earlier try had done it already.

    temporary: the name of the empty file until then; the same for a second try.
    Raises Changed, TaskError, OSError; the log is then as it was.
    """
    linked = folder.find(variants(wanted), identity.key)
    facts = folder.stat(log)
    if facts is None or Identity.of(facts).key != identity.key:
        if linked is None and folder.stat(f"{wanted}.gz") is None:
            raise Changed("gone" if facts is None else "another file by now")
        if facts is None and folder.stat(temporary):
            _place(folder, temporary, log)
        folder.discard(temporary)
        return None
    identity.check(facts, may_grow=True)
    if linked is None and facts.st_nlink > 1:
        raise Changed("has other hard links")
    _create_alike(folder, log, temporary)
    name = linked
    try:
        name = name or folder.link(log, variants(wanted))
        _swap(folder, temporary, log, identity)
    except NoHardLinks:
        name = _move_away(folder, temporary, log, identity, wanted)
    except (OSError, Changed):
        if name is not None:
            _unlink_second_name(folder, name)
        folder.discard(temporary)
        raise
    folder.discard(temporary)
    return name


def _move_away(folder: Folder, temporary: str, log: str, identity: Identity, wanted: str) -> str:
    """Without hard links the log's name leads nowhere for a moment; a program that opens its log then makes it."""
    try:
        name = folder.move(log, variants(wanted))
        moved = folder.stat(name)
        if moved is None or Identity.of(moved).key != identity.key:
            linux.rename_to_free(folder.fd, name, log)
            raise Changed("another file by now")
        _place(folder, temporary, log)
    finally:
        folder.discard(temporary)
    return name


def _place(folder: Folder, temporary: str, log: str) -> None:
    """Gives the empty file the log's name, unless a program has created its log in the meantime: that one stays."""
    with contextlib.suppress(FileExistsError):
        if linux.rename_to_free(folder.fd, temporary, log):
            return
        fresh = folder.create_new(log)
        try:
            alike = folder.open(temporary)
            try:
                copy_attributes(alike, fresh, times=False)
            finally:
                os.close(alike)
        finally:
            os.close(fresh)


def _create_alike(folder: Folder, log: str, temporary: str) -> None:
    """Makes an empty file with the log's owner, mode and attributes."""
    fd = folder.open(log)
    try:
        fresh = folder.create(temporary)
        try:
            copy_attributes(fd, fresh, times=False)
        except OSError:
            folder.discard(temporary)
            raise
        finally:
            os.close(fresh)
    finally:
        os.close(fd)


def _swap(folder: Folder, temporary: str, log: str, identity: Identity) -> None:
    """Puts the empty file in the log's place. Raises Changed if another program has put a file there."""
    if linux.exchange(folder.fd, temporary, log):
        moved = folder.stat(temporary)
        if moved is None or Identity.of(moved).key != identity.key:
            linux.exchange(folder.fd, temporary, log)
            raise Changed("another file by now")
        return
    identity.check(folder.stat(log), may_grow=True)
    os.rename(temporary, log, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)


def _unlink_second_name(folder: Folder, name: str) -> None:
    facts = folder.stat(name)
    if facts and facts.st_nlink > 1:
        folder.discard(name)
