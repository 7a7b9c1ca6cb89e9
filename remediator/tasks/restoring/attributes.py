"""Extended attributes and ACLs of what was unpacked, which `tar --diff` passes over.

GNU tar writes those of the unpacked files anew, in the form in which it wrote them at the backup; both are compared.
"""

import errno
import os
import tarfile
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from exporter.backups.manifest import SetFile
from remediator.model.task import TaskError
from remediator.tasks.backup.archive import OPTIONS, require_tar
from remediator.tasks.backup.piped import Piped
from remediator.tasks.backup.sink import CHUNK
from remediator.tasks.restoring.archive import members, opened_content
from remediator.tasks.restoring.checked import Damaged, SetFiles

_KINDS = ("SCHILY.acl.", "SCHILY.xattr.")
_OF_ROOT = ("SCHILY.xattr.trusted.", "SCHILY.xattr.security.")
_UNSUPPORTED = (errno.ENOTSUP, errno.EOPNOTSUPP)
_TRIAL = "user.upkeeper.trial"

Attributes = Mapping[str, Mapping[str, str]]
"""By the path in the archive, those of a file by their names in its header."""


def attribute_differences(files: SetFiles, entry: SetFile, unpacked: Path, stop: threading.Event) -> list[str]:
    """What of the attributes of unpacked files is not as in their archive; each for people. Blocks.

    Those that only root may give are left out for anybody else. Raises Damaged, Stopped, OSError; TaskError where the
    file system of the unpacked files keeps none.
    """
    with opened_content(files, entry, stop) as content:
        try:
            wanted = _attributes(members(content))
        except tarfile.TarError as error:
            raise Damaged(f"{entry.path} is no tar that can be read: {error}") from None
        content.drain()
    if not wanted:
        return []
    _require_kept(unpacked)
    return compared(wanted, _as_archived(unpacked, wanted, stop))


def compared(wanted: Attributes, found: Attributes) -> list[str]:
    """Pure."""
    wrong = []
    for path, attributes in wanted.items():
        there = found.get(path, {})
        for name in sorted({*attributes, *there}):
            if attributes.get(name) != there.get(name):
                what = name.removeprefix("SCHILY.").removeprefix("xattr.")
                state = "is missing" if name not in there else "is new" if name not in attributes else "differs"
                wrong.append(f"{path}: {what} {state}")
    return wrong


def _attributes(entries: Iterable[tarfile.TarInfo]) -> dict[str, dict[str, str]]:
    found = {}
    for info in entries:
        attributes = {key: value for key, value in info.pax_headers.items() if key.startswith(_KINDS)}
        if os.geteuid() != 0:
            attributes = {key: value for key, value in attributes.items() if not key.startswith(_OF_ROOT)}
        if attributes and not info.islnk():
            found[info.name] = attributes
    return found


def _as_archived(unpacked: Path, wanted: Attributes, stop: threading.Event) -> dict[str, dict[str, str]]:
    command = [require_tar(), *OPTIONS, f"--directory={unpacked}", "--no-recursion", "--null", "--verbatim-files-from"]
    with tempfile.TemporaryFile() as names:
        names.write(b"".join(os.fsencode(path) + b"\0" for path in wanted))
        names.seek(0)
        with Piped([*command, "--files-from=-"], stop, stdin=names) as tar:
            found = _attributes(members(_Output(tar)))
            while tar.read(CHUNK):
                pass
            status, said = tar.end()
    if status not in (0, 1):
        raise TaskError(f"tar cannot read what it has unpacked: {said[-1] if said else f'exit status {status}'}")
    return found


class _Output:
    def __init__(self, tar: Piped) -> None:
        self._tar = tar

    def read(self, size: int, /) -> bytes:
        return self._tar.read(size)


def _require_kept(unpacked: Path) -> None:
    try:
        os.setxattr(unpacked, _TRIAL, b"1")
        os.removexattr(unpacked, _TRIAL)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            raise TaskError(
                f"{unpacked.parent} keeps no extended attributes, which the set has: name another directory in scratch:"
            ) from None
        raise
