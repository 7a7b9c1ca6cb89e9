"""What a set holds comes back in the volumes of a sandbox."""

import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from exporter.backups.manifest import ENCRYPTED_SUFFIX
from exporter.inventory.drills import DrillService
from remediator.files.folder import Changed, open_below, open_root
from remediator.model.task import TaskError
from remediator.tasks.restoring import archive, checked
from remediator.tasks.restoring.parts import Part, chosen
from remediator.tasks.restoring.sets import ChosenSet

_BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database: of another state of it than the copy."""


def volume_parts(found: ChosenSet, services: Sequence[DrillService]) -> Mapping[str, Part]:
    """The volumes that these services use, each with its part of the set. Raises TaskError where it has none."""
    names = dict.fromkeys(name for service in services for name in service.volumes)
    return {name: chosen(found.manifest, [f"volume:{name}"])[0] for name in names}


def database_parts(found: ChosenSet, service: DrillService) -> Mapping[str, Part]:
    """The SQLite databases that a service uses, by name. Raises TaskError where the set does not have one."""
    return {name: chosen(found.manifest, [f"sqlite:{name}"])[0] for name in service.sqlite}


def lay(found: ChosenSet, into: Path, stop: threading.Event) -> None:
    """The files of a set that are no archives, as they are in it, decrypted: for who loads them with tools of his own.

    Anybody in the sandbox may read them. Blocks. Raises Damaged, TaskError, OSError, Stopped.
    """
    for part in chosen(found.manifest, ()):
        for entry in () if part.is_archive else part.files(found.manifest):
            target = into / entry.path.removesuffix(ENCRYPTED_SUFFIX)
            target.parent.mkdir(parents=True, exist_ok=True)
            checked.copy(found.content, entry, target, stop)
            target.chmod(0o444)


def place(service: DrillService, path: str) -> tuple[str, str]:
    """The volume that a file of a container is in, and its path below it: of several the innermost. Pure."""
    inside = [
        (name, PurePosixPath(path).relative_to(at))
        for name, at in service.volumes.items()
        if PurePosixPath(path).is_relative_to(at)
    ]
    name, below = min(inside, key=lambda each: len(each[1].parts))
    return name, str(below)


def unpack(found: ChosenSet, part: Part, into: Path, stop: threading.Event) -> None:
    """A volume, all of which is looked at before. Blocks. Raises Damaged, TaskError, OSError, Stopped."""
    entries = part.files(found.manifest)
    for entry in entries:
        archive.look(found.content, entry, stop)
    for entry in entries:
        archive.unpack(found.content, entry, into, None, stop)


def put_database(found: ChosenSet, part: Part, volume: Path, below: str, stop: threading.Event) -> None:
    """The copy of a SQLite database in place of the file that was archived while it was written to.

    Owner and mode are those of that file, if it is there. No link in the volume is followed: the archive may hold any.
    Blocks. Raises Damaged, TaskError, OSError, Stopped.
    """
    (entry,) = part.files(found.manifest)
    folder_path, _, name = below.rpartition("/")
    try:
        with open_root(str(volume)) as root, open_below(root, folder_path) as folder:
            before = folder.stat(name)
            aside = f".{name}.upkeeper-new"
            with suppress(FileNotFoundError):
                os.unlink(aside, dir_fd=folder.fd)
            checked.copy(found.content, entry, Path(f"/proc/self/fd/{folder.fd}/{aside}"), stop)
            if before is not None:
                os.chown(aside, before.st_uid, before.st_gid, dir_fd=folder.fd, follow_symlinks=False)
                os.chmod(aside, before.st_mode & 0o7777, dir_fd=folder.fd)
            for ending in _BESIDE:
                with suppress(FileNotFoundError):
                    os.unlink(f"{name}{ending}", dir_fd=folder.fd)
            os.rename(aside, name, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
    except Changed as error:
        raise TaskError(f"{part} cannot be put at {below} of its volume: {error}") from None
