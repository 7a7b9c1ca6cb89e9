"""Does one action of a plan, or less if the file is no longer what the plan saw."""

import errno
import os
import threading
from collections.abc import Callable

from pydantic import ValidationError

from exporter.base.text import printable
from exporter.base.units import format_bytes
from exporter.inventory.logs import LogDirectory
from remediator.files.folder import Changed, Folder, allocated, decode_path, open_below, open_root
from remediator.files.writers import use_of
from remediator.model.task import Action, Effect, TaskError
from remediator.tasks.log_rotation.cut import copy_and_cut
from remediator.tasks.log_rotation.names import is_log, is_protected, parse_rotated, wanted_name
from remediator.tasks.log_rotation.pack import compress_file
from remediator.tasks.log_rotation.rename import rename_and_create
from remediator.tasks.log_rotation.steps import Compress, Delete, Rotate, Step

_STEPS: dict[str, type[Step]] = {"rotate": Rotate, "compress": Compress, "delete": Delete}
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def act(directory: LogDirectory, action: Action, stop: threading.Event, allocated_bytes: Callable[[], int]) -> Effect:
    """Does the action. ``allocated_bytes`` measures what the directory takes on disk now.

    Doing an action again that was done, or was interrupted at any point, completes it or changes nothing.
    Raises TaskError, and Stopped once ``stop`` is set.
    """
    try:
        step = _STEPS[action.kind].model_validate(action.params)
    except (KeyError, ValidationError) as error:
        raise TaskError(f"log-rotation cannot do {action.kind!r} with these parameters") from error
    try:
        with open_root(directory.path) as root:
            if root.token != step.root:
                raise Changed(f"{directory.path} is another directory by now")
            with open_below(root, step.folder) as folder:
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
    _check_names(step, directory)
    match step:
        case Rotate():
            return _rotate(folder, step, stop)
        case Compress():
            done = compress_file(folder, step.name, step.identity, stop, may_grow=step.may_grow)
            return _effect(done, "compressed to")
        case Delete():
            return _delete(folder, step, directory, allocated_bytes)
    raise AssertionError(f"no such step: {step!r}")


def _check_names(step: Step, directory: LogDirectory) -> None:
    """The patterns may have changed since the plan; the protected ones always win."""
    rotated, temporary = parse_rotated(step.name), wanted_name(step.name) is not None
    base = rotated.base if rotated else step.name
    parts = [part for part in (*step.folder.split("/"), step.name, base) if part]
    if any(is_protected(part, directory.exclude) for part in parts):
        raise Changed("protected by `exclude:`")
    if step.folder and not directory.recursive:
        raise Changed("not covered without `recursive:`")
    included = is_log(base, directory.include, directory.exclude)
    if isinstance(step, Rotate):
        covered = included and rotated is None
    else:
        covered = (included and rotated is not None) or (temporary and isinstance(step, Delete))
    if not covered:
        raise Changed("not covered by `include:`")


def _rotate(folder: Folder, step: Rotate, stop: threading.Event) -> Effect:
    if step.method == "copytruncate":
        return _effect(copy_and_cut(folder, step.name, step.identity, step.wanted, stop), "moved to")
    if step.only_if_free:
        fd = folder.open(step.name)
        try:
            if os.fstat(fd).st_ino == step.identity.inode and use_of(fd).state != "free":
                raise Changed("a process opened it for writing since the plan")
        finally:
            os.close(fd)
    name = rename_and_create(folder, step.name, step.identity, step.wanted)
    return _effect((name, 0) if name else None, "renamed to")


def _delete(folder: Folder, step: Delete, directory: LogDirectory, allocated_bytes: Callable[[], int]) -> Effect:
    facts = folder.stat(step.name)
    step.identity.check(facts)
    assert facts is not None
    if step.after is not None and not _is_there(folder, decode_path(step.after).rpartition("/")[2]):
        raise Changed("the rotated file that takes its place is not there")
    if facts.st_nlink > 1 and wanted_name(step.name) is None:
        raise Changed("has other hard links")
    if _is_written(folder, step.name):
        raise Changed("a process still writes to it")
    if step.only_over_limit and allocated_bytes() <= directory.max_bytes:
        raise Changed(f"the directory is within its limit of {format_bytes(directory.max_bytes)} by now")
    folder.discard(step.name)
    return Effect(state="done", detail="deleted", freed_bytes=allocated(facts) if facts.st_nlink == 1 else 0)


def _is_there(folder: Folder, name: str) -> bool:
    return folder.stat(name) is not None or folder.stat(f"{name}.gz") is not None


def _is_written(folder: Folder, name: str) -> bool:
    try:
        fd = folder.open(name)
    except PermissionError:
        return False  # what may not be read may still be deleted: it is old, and the directory is ours
    try:
        return use_of(fd).state == "written"
    finally:
        os.close(fd)


def _effect(done: tuple[str, int] | None, verb: str) -> Effect:
    if done is None:
        return Effect(state="done", detail="an earlier try had done it already")
    name, freed = done
    return Effect(state="done", detail=f"{verb} {printable(name)}", freed_bytes=freed)
