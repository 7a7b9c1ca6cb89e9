"""copytruncate: the log keeps its inode, for the process that holds it open; its content moves to a rotated file.

The content is copied, proven on disk and given its name before anything is taken from the log. Then the log is cut:

- Where the file system can take whole blocks out of a file's head (ext4, XFS), in one step that excludes every write,
  nothing can get lost. The cut lies at a block boundary, so the rest of the last block, which is in the copy, is
  overwritten with blanks: the log then begins with a line of blanks of at most a block.
- Elsewhere, and for a log smaller than a block, it is truncated, if it is still exactly as long as what was copied.
  A line written between that look and the truncation, some microseconds, is lost: bench/rotation_window.py measures it.

Another program may cut the log too, and so may an Upkeeper that the lock cannot keep out, since it gets here through an
overlay mount. So the log is compared with what was copied right before it is cut, and left alone if it begins or goes
on otherwise. The copy is kept then: it may be the only one of what the other program took.

A kill at any point loses nothing. The temporary name of the copy, or the note of its name on a file system without hard
links (leftovers.py), stays until the log is cut, so that a second try knows which file is the copy, and that it has to
find out whether the cut was done: it was not if the log still begins with the copied content. No other file is taken
for the copy, whatever its name and content are. Only a kill between taking the blocks and writing the blanks leaves the
lines of that one block in both files.
"""

import os
import threading
from contextlib import suppress

from remediator.files import linux
from remediator.files.attributes import copy_attributes
from remediator.files.compress import (
    Copy,
    GzipCopy,
    PlainCopy,
    Stopped,
    chunks,
    mostly_holes,
    read,
    unpacked,
    where_it_ends,
)
from remediator.files.folder import Changed, Folder, Identity, NoHardLinks, allocated
from remediator.model.task import TaskError
from remediator.tasks.log_rotation.leftovers import left_behind, write_note
from remediator.tasks.log_rotation.names import copy_name, is_for, note_name, variants

_CATCH_UP = 5
"""Rounds of copying what was written during the round before."""
_TRUNCATE_TRIES = 1000
"""How often to look for a moment without a write to a busy log; each look takes some ten microseconds."""
_NEWLINE_SEARCH = 64 * 1024
_MOST_SAMPLED = 128 * 1024
_PROOF = 4096
"""A log that begins with this many bytes of its copy was not cut. Fewer might have been written a second time."""


class _CutByAnother(Changed):
    """Another program took something from the log while it was copied."""


class _Sample:
    """The first and the last bytes of what is copied, which show whether the log is still what was copied."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        # More than the line of blanks that a log may begin with.
        self._length = min(2 * os.fstatvfs(fd).f_frsize, _MOST_SAMPLED)
        self._parts: list[tuple[int, bytes]] = []

    def extend(self, end: int) -> None:
        """For a copy that will reach to ``end``. Raises Changed if the log is another than before."""
        length = min(end, self._length)
        parts = [(at, read(self._fd, at, length)) for at in (0, end - length)]
        self.check()
        self._parts = parts

    def last(self, length: int) -> bytes:
        """The last bytes of what was copied, a sample's length at most."""
        return self._parts[-1][1][-length:]

    def check(self) -> None:
        """Raises Changed if the log is another than before."""
        with suppress(OSError):  # where there is no such call, or the log is empty
            os.lseek(self._fd, 0, os.SEEK_HOLE)  # waits for a cut under way, which reading does not: ext4, inode_lock
        if any(os.pread(self._fd, len(data), at) != data for at, data in self._parts):
            raise _CutByAnother("another program cut it while it was copied")


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
    sample = _Sample(fd)
    sink = folder.create(temporary)
    try:
        with _copier(fd, sink, wanted, stop) as copy:
            try:
                end = _copy_lines(fd, copy, sample)
                copy_attributes(fd, sink)
                copy.settle()
                name = _name(folder, sink, log, wanted, temporary)
                folder.sync()
                if not _is_kept(folder, name, sink):
                    raise Changed("another program removed its copy")
                rest = _cut(fd, copy, end, sample)
            except _CutByAnother as error:
                if name is None:
                    _give_up(folder, name, temporary, log)
                    raise
                folder.discard(temporary)
                folder.discard(note_name(temporary, log))
                raise Changed(f"{error}; {name} keeps what was copied") from None
            except (OSError, Changed, Stopped, TaskError):
                # Another's file may have the name by now.
                _give_up(folder, name if name and _is_kept(folder, name, sink) else None, temporary, log)
                raise
            if rest:
                _blank(fd, sample.last(rest))
            # What was added while cutting is proven. From here on there is no stopping: the log was cut.
            os.fsync(sink)
            if not _is_kept(folder, name, sink):
                name = _restore(folder, sink, wanted)
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


def _is_kept(folder: Folder, name: str, sink: int) -> bool:
    """Whether the copy is still in the directory, under its name."""
    kept, copy = folder.stat(name), os.fstat(sink)
    return kept is not None and os.path.samestat(kept, copy) and copy.st_nlink > 0


def _restore(folder: Folder, sink: int, wanted: str) -> str:
    """Puts the copy of a log that was cut back where another program removed it. Returns its name."""
    for name in variants(wanted):
        try:
            again = folder.create_new(name)
        except FileExistsError:
            continue
        try:
            with PlainCopy(sink, again, threading.Event()) as copy:
                copy.append(0, os.fstat(sink).st_size)
                copy_attributes(sink, again)
                copy.settle()
            folder.sync()
        finally:
            os.close(again)
        return name
    raise TaskError("another program removed its copy, and every name for it is taken; lines are missing")


def _blank(fd: int, rest: bytes) -> None:
    """Overwrites what is left of the copied lines at the log's head. Raises TaskError if the log begins otherwise."""
    if os.pread(fd, len(rest), 0) != rest:
        raise TaskError("another program cut it at the same moment; lines may be missing")
    os.pwrite(fd, b" " * (len(rest) - 1) + b"\n", 0)


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


def _copy_lines(fd: int, copy: Copy, sample: _Sample) -> int:
    """Copies whole lines until little is left to copy. Returns the offset that it reached."""
    end = 0
    for _ in range(_CATCH_UP):
        lines = _end_of_lines(fd, end, os.fstat(fd).st_size)
        sample.extend(lines)
        copy.append(end, lines)
        if lines - end < _PROOF:
            return lines
        end = lines
    return end


def _end_of_lines(fd: int, start: int, size: int) -> int:
    """The offset behind the last newline; a log without one is taken as it is."""
    last = max(start, size - _NEWLINE_SEARCH)
    found = os.pread(fd, size - last, last).rfind(b"\n")
    if found >= 0:
        return last + found + 1
    # A hole, which can be larger than any disk, has none.
    for at, length in reversed(list(chunks(fd, start, last))):
        found = os.pread(fd, length, at).rfind(b"\n")
        if found >= 0:
            return at + found + 1
    return size if start == 0 else start


def _cut(fd: int, copy: Copy, end: int, sample: _Sample) -> int:
    """Takes everything before ``end`` out of the log, but for as many bytes at its head as are returned.

    Raises Changed, TaskError, OSError only while nothing was taken.
    """
    size = os.fstat(fd).st_size
    block = os.fstatvfs(fd).f_frsize
    head = end - end % block
    if head == size:
        head -= block  # the end of the file itself cannot be collapsed
    sample.check()
    if 0 < head < size and linux.collapse_head(fd, head):
        return end - head
    for _ in range(_TRUNCATE_TRIES):
        sample.check()
        if linux.truncate_if(fd, end):
            return 0
        size = os.fstat(fd).st_size
        sample.extend(size)
        copy.append(end, size)
        copy.prove()
        end = size
    raise TaskError("it is written to faster than it can be copied, on a file system that cannot cut it safely")


def _was_cut(folder: Folder, fd: int, name: str) -> bool:
    """Whether a killed try got as far as cutting the log that this is the copy of."""
    sink = folder.open(name)
    try:
        end = where_it_ends(fd, sink, compressed=name.endswith(".gz"))
        if end is None or not _is_uncut(fd, sink, end):
            return True
        # Once more: another Upkeeper may have cut it while the copy was compared.
        first = next(unpacked(sink, compressed=name.endswith(".gz")), b"")
        return os.pread(fd, len(first), 0) != first
    except ValueError:
        return False  # the copy is incomplete, so the kill came while the log still grew into it
    finally:
        os.close(sink)


def _is_uncut(fd: int, sink: int, end: int) -> bool:
    """Whether a log begins with its copy because it was never cut, not because the same was written again."""
    log, copy = os.fstat(fd), os.fstat(sink)
    return end >= _PROOF or (log.st_size, log.st_mtime_ns) == (end, copy.st_mtime_ns)
