"""What an interrupted run left of its work on one file.

The caller holds the directory's lock (lock.py), so this work is no longer under way.

A copy of a log that has its name, while the log is not known to be cut yet, has a witness: its temporary name, which
stays beside the other. Where a file cannot have two names, a note is the witness. It is made before the copy is named,
and says which name that is going to be and which file the copy is. A file proves to be the copy only by both: another
program may have given a file the same name, and inode numbers are given out again.
"""

import contextlib
import os
from collections.abc import Sequence

from remediator.files.folder import Changed, Folder, Identity, decode_path, encode_path
from remediator.tasks.log_rotation.names import Work, is_for, parse_rotated

_NOTE_AT_MOST = 4096
"""Bytes: two numbers, and a name of 255 characters, percent-encoded."""


def left_behind(folder: Folder, work: Work, subject: str) -> Sequence[tuple[str, str | None]]:
    """Temporary files and notes of this work, each with the rotated file that it is the witness of, if there is one."""
    names = folder.names()
    found = []
    for temporary in (name for name in names if is_for(name, work, subject)):
        facts = folder.stat(temporary)
        if facts is None:
            continue
        linked = None
        if facts.st_nlink > 1:
            rotated = (name for name in names if (parsed := parse_rotated(name)) and parsed.own)
            key = Identity.of(facts).key
            linked = next((name for name in rotated if folder.find([name], key)), None)
        found.append((temporary, linked))
    if work == "copy":
        found += [(note, noted(folder, note)) for note in names if is_for(note, "named", subject)]
    return found


def write_note(folder: Folder, note: str, copy: int, name: str) -> None:
    """Notes, on disk, which name a copy, given open, is about to get."""
    fd = folder.create(note)
    try:
        device, inode = Identity.of(os.fstat(copy)).key
        os.pwrite(fd, f"{device}:{inode} {encode_path(name)}\n".encode("ascii"), 0)
        os.fsync(fd)
    finally:
        os.close(fd)


def noted(folder: Folder, note: str) -> str | None:
    """The rotated file that a note is the witness of; None where the copy never got its name, or has it no longer."""
    with contextlib.suppress(Changed, FileNotFoundError, ValueError):
        fd = folder.open(note)
        try:
            text = os.pread(fd, _NOTE_AT_MOST, 0).decode("ascii")
        finally:
            os.close(fd)
        key, _, encoded = text.removesuffix("\n").partition(" ")
        device, inode = map(int, key.split(":"))
        name = decode_path(encoded)
        rotated = parse_rotated(name)
        if text.endswith("\n") and "/" not in name and rotated and rotated.own and is_for(note, "named", rotated.base):
            return folder.find([name], (device, inode))
    return None
