"""Deletes one set: first its name, so that no part of it is ever taken for a set, then everything in it.

All below a handle of the series' directory: no symbolic link is followed, and nothing of another mount is touched.
"""

import os
import stat
import threading

from exporter.base.text import printable
from remediator.files import linux
from remediator.files.compress import Stopped
from remediator.files.folder import Changed, Folder, allocated
from remediator.model.task import TaskError

GOING = ".upkeeper-going."
"""Begins the name of a set that is being deleted; then comes the set's own."""
MAX_DEPTH = 200


def token_of(facts: os.stat_result) -> str:
    """Says which set this is, so that another one of its name is not taken for it."""
    return f"{facts.st_dev}:{facts.st_ino}"


def going(root: Folder) -> list[str]:
    """Names of sets whose deletion was interrupted."""
    return sorted(name.removeprefix(GOING) for name in root.names() if name.startswith(GOING))


def delete_set(root: Folder, name: str, token: str | None, stop: threading.Event) -> int:
    """Deletes the set of a name, or what an interrupted deletion has left of it; bytes that it took.

    token: of the set; None for what is left of one. Blocks. Raises Changed, Stopped, OSError and TaskError.
    """
    hidden = GOING + name
    if token is not None:
        facts = root.stat(name)
        if facts is None:
            raise Changed("gone")
        if token_of(facts) != token:
            raise Changed("another set by now")
        if stat.S_ISDIR(facts.st_mode):
            root.folder(name).__exit__()  # of this mount
        try:
            if not linux.rename_to_free(root.fd, name, hidden):
                os.rename(name, hidden, src_dir_fd=root.fd, dst_dir_fd=root.fd)
        except FileExistsError:
            raise TaskError(f"{printable(hidden)} is left over from an interrupted deletion; it goes first") from None
        root.sync()
    found = root.stat(hidden)
    if found is None:
        raise Changed("gone")
    if token is not None and token_of(found) != token:
        linux.rename_to_free(root.fd, hidden, name)
        raise Changed("another set by now")
    freed = _delete(root, hidden, found, stop, 0)
    root.sync()
    return freed


def _delete(parent: Folder, name: str, facts: os.stat_result, stop: threading.Event, depth: int) -> int:
    if stop.is_set():
        raise Stopped
    if not stat.S_ISDIR(facts.st_mode):
        os.unlink(name, dir_fd=parent.fd)
        return allocated(facts) if facts.st_nlink == 1 else 0
    if depth >= MAX_DEPTH:
        raise TaskError(f"{printable(parent.join(name))} is nested deeper than {MAX_DEPTH} levels")
    freed = 0
    with parent.folder(name) as folder:
        for below in folder.names():
            found = folder.stat(below)
            if found is not None:
                freed += _delete(folder, below, found, stop, depth + 1)
    os.rmdir(name, dir_fd=parent.fd)
    return freed
