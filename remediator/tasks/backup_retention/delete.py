"""Deletes one set: first its name, so that no part of it is ever taken for a set, then everything in it.

All below a handle of the series' directory: no symbolic link is followed, and nothing of another mount is touched. The
new name says which set it is for, by its inode: what another program has put in its place meanwhile is left alone, also
by the deletion that finishes one which was killed.
"""

import os
import re
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from exporter.base.text import printable
from remediator.files import linux
from remediator.files.compress import Stopped
from remediator.files.folder import Changed, Folder, allocated
from remediator.model.task import TaskError

GOING = ".upkeeper-going."
"""Begins the name of a set that is being deleted; then come the set's own and ``@`` with its inode."""
_OF = re.compile(r"(?P<name>.*)@(?P<inode>\d+)", re.DOTALL)
_TAKEN = ".upkeeper-taken."
MAX_DEPTH = 200


@dataclass(frozen=True)
class Going:
    """A set whose deletion was interrupted. name: the set's own. entry: its name now."""

    name: str
    entry: str
    inode: int | None
    """None under the names of releases before this, which did not say it."""


def token_of(facts: os.stat_result) -> str:
    """Says which set this is, so that another one of its name is not taken for it."""
    return f"{facts.st_dev}:{facts.st_ino}"


def going(root: Folder) -> list[Going]:
    """Sets whose deletion was interrupted; what is under such a name and is none is left out."""
    return [one for one in _named_so(root) if _is(root.stat(one.entry), one.inode)]


def strays(root: Folder) -> list[Going]:
    """What has such a name and is another set: it was put there in the moment in which the name was given."""
    return [one for one in _named_so(root) if (found := root.stat(one.entry)) and not _is(found, one.inode)]


def _named_so(root: Folder) -> Iterator[Going]:
    for entry in sorted(root.names()):
        if entry.startswith(GOING):
            rest = entry.removeprefix(GOING)
            of = _OF.fullmatch(rest)
            yield Going(rest, entry, None) if of is None else Going(of["name"], entry, int(of["inode"]))


def _is(facts: os.stat_result | None, inode: int | None) -> bool:
    return facts is not None and inode in (None, facts.st_ino)


def delete_set(root: Folder, name: str, token: str, stop: threading.Event) -> int:
    """Deletes the set of a name; bytes that it took. token: of the set.

    Blocks. Raises Changed where it is another one by now, Stopped, OSError and TaskError.
    """
    facts = root.stat(name)
    if facts is None:
        raise Changed("gone")
    if token_of(facts) != token:
        raise Changed("another set by now")
    if stat.S_ISDIR(facts.st_mode):
        root.folder(name).__exit__()  # of this mount
    one = Going(name, f"{GOING}{name}@{facts.st_ino}", facts.st_ino)
    try:
        if not linux.rename_to_free(root.fd, name, one.entry):
            os.rename(name, one.entry, src_dir_fd=root.fd, dst_dir_fd=root.fd)
    except FileNotFoundError:
        raise Changed("gone") from None
    except FileExistsError:
        raise TaskError(f"{printable(one.entry)} is left over from an interrupted deletion; it goes first") from None
    root.sync()
    found = root.stat(one.entry)
    if found is not None and token_of(found) != token:
        _put_back(root, one)
        raise Changed("another set by now")
    return finish(root, one, stop)


def _put_back(root: Folder, one: Going) -> None:
    try:
        done = linux.rename_to_free(root.fd, one.entry, one.name)
    except FileExistsError:
        done = False
    if not done:
        raise TaskError(stray(one))


def stray(one: Going) -> str:
    """What a person must do about what has the name of a set that goes, and is none."""
    return f"{printable(one.entry)} is not the set that was to go, and stays: give it back the name that it had"


def finish(root: Folder, one: Going, stop: threading.Event) -> int:
    """Deletes what a deletion has begun or left; bytes that it took. Blocks. Raises as delete_set does."""
    found = root.stat(one.entry)
    if found is None:
        raise Changed("gone")
    if not _is(found, one.inode):
        raise TaskError(stray(one))
    try:
        freed = _delete(root, one.entry, found, stop, 0, f"{GOING}~{one.name}@{found.st_ino}")
    except Changed as changed:
        raise TaskError(f"{printable(one.name)}: something in it was {changed}; the rest goes next time") from None
    root.sync()
    return freed


def _delete(
    parent: Folder, name: str, facts: os.stat_result, stop: threading.Event, depth: int, temporary: str = ""
) -> int:
    """Deletes what facts tell of, and nothing else that has been put in its place. temporary: a name for a moment."""
    if stop.is_set():
        raise Stopped
    if not stat.S_ISDIR(facts.st_mode):
        temporary = temporary or f"{_TAKEN}{facts.st_ino}"
        parent.take_away(name, (facts.st_dev, facts.st_ino), f"{temporary}~" if temporary == name else temporary)
        return allocated(facts) if facts.st_nlink == 1 else 0
    if depth >= MAX_DEPTH:
        raise TaskError(f"{printable(parent.join(name))} is nested deeper than {MAX_DEPTH} levels")
    freed = 0
    with parent.folder(name) as folder:
        if not os.path.samestat(os.fstat(folder.fd), facts):
            raise Changed("another directory by now")
        for below in folder.names():
            found = folder.stat(below)
            if found is not None:
                freed += _delete(folder, below, found, stop, depth + 1)
    os.rmdir(name, dir_fd=parent.fd)
    return freed
