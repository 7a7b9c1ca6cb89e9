"""copytruncate: the log keeps its inode, for the process that holds it open; its content moves to a rotated file.

The content is copied, proven on disk and given its name before anything is taken from the log. Then the log is cut:

- Where the file system can take whole blocks out of a file's head (ext4, XFS), in one step that excludes every write,
  nothing can get lost. The cut lies at a block boundary, so the rest of the last block, which is in the copy, is
  overwritten with blanks: the log then begins with a line of blanks of at most a block.
- Elsewhere, and for a log smaller than a block, it is truncated, if it is still exactly as long as what was copied.
  A line written between that look and the truncation, some microseconds, is lost: bench/rotation_window.py measures it.

A kill at any point loses nothing. The temporary name of the copy, or the note of its name on a file system without hard
links (leftovers.py), stays until the log is cut, so that a second try knows which file is the copy, and that it has to
find out whether the cut was done: it was not if the log still begins with the copied content. No other file is taken
for the copy, whatever its name and content are. Only a kill between taking the blocks and writing the blanks leaves the
lines of that one block in both files.
"""

import os
import threading

from remediator.files import linux
from remediator.files.attributes import copy_attributes
from remediator.files.compress import Copy, GzipCopy, PlainCopy, Stopped, mostly_holes, where_it_ends
from remediator.files.folder import Changed, Folder, Identity, NoHardLinks, allocated
from remediator.model.task import TaskError
from remediator.tasks.log_rotation.leftovers import left_behind, write_note
from remediator.tasks.log_rotation.names import copy_name, is_for, note_name, variants

_CATCH_UP = 5
"""Rounds of copying what was written during the round before."""
_TRUNCATE_TRIES = 1000
"""How often to look for a moment without a write to a busy log; each look takes some ten microseconds."""
_NEWLINE_SEARCH = 64 * 1024
_PROOF = 4096
"""A log that begins with this many bytes of its copy was not cut. Fewer might have been written a second time."""


def copy_and_cut(
    folder: Folder, log: str, identity: Identity, wanted: str, temporary: str, stop: threading.Event
) -> tuple[str, int] | None:
    """Moves the content of a log to a rotated file, compressed if ``wanted`` ends in ``.gz``.

    temporary: the name of the copy until the log is cut; the same for a second try.
    Returns the rotated file's name and the bytes freed; None if an earlier try had done it already.
    Raises Changed, Stopped, TaskError, OSError; the log is then as it was.
    """
    fd = folder.open(log, os.O_RDWR)
    try:
        if Identity.of(os.fstat(fd)).key != identity.key:
            raise Changed("another file by now")
        before = allocated(os.fstat(fd))
        note = note_name(temporary, log)
        name = None
        for witness, copied in left_behind(folder, "copy", log):
            if copied is None:
                continue
            if not _was_cut(folder, fd, copied):
                _give_up(folder, copied, copy_name(witness) if is_for(witness, "named", log) else witness, log)
            elif witness in (temporary, note):
                name = copied
            else:
                folder.discard(witness)
        if name is None:
            if os.fstat(fd).st_size < identity.size and (
                folder.stat(wanted) or folder.stat(wanted.removesuffix(".gz"))
            ):
                return None
            identity.check(os.fstat(fd), may_grow=True)
            if os.fstat(fd).st_nlink > 1:
                raise Changed("has other hard links")
            name = _rotate(folder, fd, log, _name_for(fd, wanted), temporary, stop)
        folder.discard(temporary)
        folder.discard(note)
        copy = folder.stat(name)
        return name, max(0, before - allocated(os.fstat(fd)) - (allocated(copy) if copy else 0))
    finally:
        os.close(fd)


def _name_for(fd: int, wanted: str) -> str:
    """The rotated file's name without ``.gz`` where packing the zeros of holes would take more than they do now."""
    plain = wanted.removesuffix(".gz")
    return plain if plain != wanted and mostly_holes(fd) else wanted


def _rotate(folder: Folder, fd: int, log: str, wanted: str, temporary: str, stop: threading.Event) -> str:
    name = None
    sink = folder.create(temporary)
    try:
        with _copier(fd, sink, wanted, stop) as copy:
            try:
                end = _copy_lines(fd, copy)
                copy_attributes(fd, sink)
                copy.settle()
                name = _name(folder, sink, log, wanted, temporary)
                folder.sync()
                rest = _cut(fd, copy, end)
            except (OSError, Changed, Stopped, TaskError):
                _give_up(folder, name, temporary, log)
                raise
            if rest:
                os.pwrite(fd, b" " * (rest - 1) + b"\n", 0)
            # What was added while cutting is proven. From here on there is no stopping: the log was cut.
            os.fsync(sink)
    finally:
        os.close(sink)
    return name


def _name(folder: Folder, sink: int, log: str, wanted: str, temporary: str) -> str:
    """Gives a copy its name, so that after a kill it is recognised as the copy."""
    try:
        return folder.link(temporary, variants(wanted), sink)
    except NoHardLinks:
        note = note_name(temporary, log)
        return folder.move(temporary, variants(wanted), lambda name: write_note(folder, note, sink, name))


def _give_up(folder: Folder, name: str | None, temporary: str, log: str) -> None:
    """Removes a copy if nothing was taken from the log. A kill in between leaves no witness for another file."""
    if name is not None and folder.stat(temporary) is not None:
        folder.discard(name)
    elif name is not None:
        os.rename(name, temporary, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
    folder.discard(note_name(temporary, log))
    folder.discard(temporary)


def _copier(fd: int, sink: int, wanted: str, stop: threading.Event) -> Copy:
    return GzipCopy(fd, sink, stop) if wanted.endswith(".gz") else PlainCopy(fd, sink, stop)


def _copy_lines(fd: int, copy: Copy) -> int:
    """Copies whole lines until little is left to copy. Returns the offset that it reached."""
    end = 0
    for _ in range(_CATCH_UP):
        lines = _end_of_lines(fd, end, os.fstat(fd).st_size)
        copy.append(end, lines)
        if lines - end < _PROOF:
            return lines
        end = lines
    return end


def _end_of_lines(fd: int, start: int, size: int) -> int:
    """The offset behind the last newline; a log without one is taken as it is."""
    position = size
    while position > start:
        low = max(start, position - _NEWLINE_SEARCH)
        found = os.pread(fd, position - low, low).rfind(b"\n")
        if found >= 0:
            return low + found + 1
        position = low
    return size if start == 0 else start


def _cut(fd: int, copy: Copy, end: int) -> int:
    """Takes everything before ``end`` out of the log, but for as many bytes at its head as are returned.

    Raises TaskError, OSError only while nothing was taken.
    """
    size = os.fstat(fd).st_size
    block = os.fstatvfs(fd).f_frsize
    head = end - end % block
    if head == size:
        head -= block  # the end of the file itself cannot be collapsed
    if 0 < head < size and linux.collapse_head(fd, head):
        return end - head
    for _ in range(_TRUNCATE_TRIES):
        size = os.fstat(fd).st_size
        if size < end or linux.truncate_if(fd, end):
            return 0
        copy.append(end, size)
        copy.prove()
        end = size
    raise TaskError("it is written to faster than it can be copied, on a file system that cannot cut it safely")


def _was_cut(folder: Folder, fd: int, name: str) -> bool:
    """Whether a killed try got as far as cutting the log that this is the copy of."""
    sink = folder.open(name)
    try:
        end = where_it_ends(fd, sink, compressed=name.endswith(".gz"))
        return end is None or not _is_uncut(fd, sink, end)
    except ValueError:
        return False  # the copy is incomplete, so the kill came while the log still grew into it
    finally:
        os.close(sink)


def _is_uncut(fd: int, sink: int, end: int) -> bool:
    """Whether a log begins with its copy because it was never cut, not because the same was written again."""
    log, copy = os.fstat(fd), os.fstat(sink)
    return end >= _PROOF or (log.st_size, log.st_mtime_ns) == (end, copy.st_mtime_ns)
