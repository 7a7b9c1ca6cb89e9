"""Does one action of a plan, or less if the file is no longer what the plan saw."""

import errno
import os
import threading
from collections.abc import Callable

from exporter.base.text import printable
from exporter.base.units import format_bytes
from exporter.inventory.logs import LogDirectory
from remediator.files.folder import Changed, Folder, decode_path, open_below, open_root
from remediator.files.writers import use_of
from remediator.model.task import Action, Effect, TaskError
from remediator.tasks.log_rotation.cut import copy_and_cut
from remediator.tasks.log_rotation.delete import Covered, Links, check_folder, delete_file, delete_files
from remediator.tasks.log_rotation.lock import alone_in
from remediator.tasks.log_rotation.names import is_log, is_protected, work_of
from remediator.tasks.log_rotation.pack import compress_file
from remediator.tasks.log_rotation.rename import rename_and_create
from remediator.tasks.log_rotation.steps import Compress, Delete, Deletion, Rotate, Step, mark_of

_STEPS: dict[str, type[Step | Deletion]] = {
    "rotate": Rotate,
    "compress": Compress,
    "delete": Delete,
    "delete-many": Deletion,
}
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def act(directory: LogDirectory, action: Action, stop: threading.Event, allocated_bytes: Callable[[], int]) -> Effect:
    """Does the action. ``allocated_bytes`` measures what the directory takes on disk now.

    Doing an action again that was done, or was interrupted at any point, completes it or changes nothing.
    Raises TaskError, and Stopped once ``stop`` is set.
    """
    try:
        step = _STEPS[action.kind].model_validate(action.params)
        files = step.listing() if isinstance(step, Deletion) else []
    except (KeyError, ValueError) as error:
        raise TaskError(f"log-rotation cannot do {action.kind!r} with these parameters") from error
    try:
        with open_root(directory.path) as root:
            if root.token != step.root:
                raise Changed(f"{directory.path} is another directory by now")
            if isinstance(step, Deletion):
                excess = _excess(directory, allocated_bytes) if step.only_over_limit else None
                return delete_files(root, files, step.device, directory, stop, excess)
            with open_below(root, step.folder) as folder:
                _check_names(root, folder, step, directory)
                with alone_in(folder, stop):
                    return _do(folder, step, directory, stop, allocated_bytes)
    except Changed as error:
        return Effect(state="skipped", detail=f"left alone: {error}")
    except FileNotFoundError:
        return Effect(state="skipped", detail="left alone: it vanished")
    except OSError as error:
        what = "the disk is full; nothing was lost" if error.errno in _FULL else error.strerror
        raise TaskError(f"cannot {action.kind} {action.object}: {what}") from error
    except TaskError as error:
        raise TaskError(f"cannot {action.kind} {action.object}: {error}") from error


def _do(
    folder: Folder, step: Step, directory: LogDirectory, stop: threading.Event, allocated_bytes: Callable[[], int]
) -> Effect:
    match step:
        case Rotate():
            return _rotate(folder, step, stop)
        case Compress():
            done = compress_file(folder, step.name, step.identity, step.temporary_name, stop, may_grow=step.may_grow)
            return _effect(done, "compressed to")
        case Delete():
            return _delete(folder, step, directory, allocated_bytes)
    raise AssertionError(f"no such step: {step!r}")


def _check_names(root: Folder, folder: Folder, step: Step, directory: LogDirectory) -> None:
    """The patterns may have changed since the plan; the protected ones always win."""
    check_folder(step.folder, directory)
    if not isinstance(step, Rotate):
        if isinstance(step, Compress) and work_of(step.name) is not None:
            raise Changed("not covered by `include:`")
        Covered(folder, directory, Links(root, recursive=directory.recursive)).check(step.name)
    elif is_protected(step.name, directory.exclude):
        raise Changed("protected by `exclude:`")
    elif not is_log(step.name, directory.include, directory.exclude):
        raise Changed("not covered by `include:`")


def _rotate(folder: Folder, step: Rotate, stop: threading.Event) -> Effect:
    if step.method == "copytruncate":
        return _effect(
            copy_and_cut(folder, step.name, step.identity, step.wanted, step.temporary_name, stop), "moved to"
        )
    if step.only_if_free:
        fd = folder.open(step.name)
        try:
            if os.fstat(fd).st_ino == step.identity.inode and use_of(fd).state != "free":
                raise Changed("a process opened it for writing since the plan")
        finally:
            os.close(fd)
    name = rename_and_create(folder, step.name, step.identity, step.wanted, step.temporary_name)
    return _effect((name, 0) if name else None, "renamed to")


def _delete(folder: Folder, step: Delete, directory: LogDirectory, allocated_bytes: Callable[[], int]) -> Effect:
    if step.after is not None and not _is_there(folder, decode_path(step.after).rpartition("/")[2]):
        raise Changed("the rotated file that takes its place is not there")
    if step.only_over_limit:
        step.identity.check(folder.stat(step.name))
        _excess(directory, allocated_bytes)
    freed = delete_file(folder, step.name, step.identity.device, mark_of(step.identity, step.changed))
    return Effect(state="done", detail="deleted", freed_bytes=freed)


def _excess(directory: LogDirectory, allocated_bytes: Callable[[], int]) -> int:
    """Bytes by which the directory is over its limit. Raises Changed where it is within it."""
    excess = allocated_bytes() - directory.max_bytes
    if excess <= 0:
        raise Changed(f"the directory is within its limit of {format_bytes(directory.max_bytes)} by now")
    return excess


def _is_there(folder: Folder, name: str) -> bool:
    return folder.stat(name) is not None or folder.stat(f"{name}.gz") is not None


def _effect(done: tuple[str, int] | None, verb: str) -> Effect:
    if done is None:
        return Effect(state="done", detail="an earlier try had done it already")
    name, freed = done
    return Effect(state="done", detail=f"{verb} {printable(name)}", freed_bytes=freed)
