"""What an interrupted run left of its work on one file.

Whoever asks holds the directory's lock (lock.py), so nobody is at this work any more.
"""

from collections.abc import Sequence

from remediator.files.folder import Folder, Identity
from remediator.tasks.log_rotation.names import Work, is_for, parse_rotated


def left_behind(folder: Folder, work: Work, subject: str) -> Sequence[tuple[str, str | None]]:
    """Temporary files of this work, each with the rotated file that it is another name of, if it has come so far."""
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
    return found
