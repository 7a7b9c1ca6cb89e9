"""What an action of log rotation carries in ``Action.params``: enough to find exactly this file again."""

import os
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from remediator.files.folder import Identity, decode_path, encode_path
from remediator.tasks.log_rotation.names import Work, earlier_temporary_name, temporary_name, work_of

Method = Literal["rename", "copytruncate"]


def _decodes(path: str) -> str:
    decode_path(path)
    return path


def _parses(token: str) -> str:
    Identity.parse(token)
    return token


def _is_temporary(name: str) -> str:
    if "/" in decode_path(name) or work_of(decode_path(name)) is None:
        raise ValueError(f"{name!r} is no temporary name")
    return name


TemporaryName = Annotated[str, AfterValidator(_is_temporary)]


class Step(BaseModel):
    """The file that is acted upon, as the plan saw it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    root: str
    """``Folder.token`` of the log directory."""
    path: Annotated[str, AfterValidator(_decodes)]
    """Below the root, as ``encode_path`` writes it."""
    file: Annotated[str, AfterValidator(_parses)]
    """The file's ``Identity``."""

    @property
    def identity(self) -> Identity:
        return Identity.parse(self.file)

    @property
    def folder(self) -> str:
        """Path of the directory that holds the file, below the root."""
        return decode_path(self.path).rpartition("/")[0]

    @property
    def name(self) -> str:
        return decode_path(self.path).rpartition("/")[2]


class Rotate(Step):
    """Give the log's content the name ``to``, and leave an empty log."""

    to: Annotated[str, AfterValidator(_decodes)]
    """The rotated file's name, encoded; where it is taken by then, a variant of it."""
    method: Method
    only_if_free: bool = False
    """Only while no process has the log open for writing."""
    temporary: TemporaryName | None = None
    """The name, encoded, under which the new file is made; None in plans of the build of November 2026."""

    @property
    def wanted(self) -> str:
        return decode_path(self.to)

    @property
    def temporary_name(self) -> str:
        earlier = self.wanted if self.method == "copytruncate" else self.name
        return decode_path(self.temporary or encode_path(earlier_temporary_name(earlier)))


class Compress(Step):
    """Replace a rotated file by a gzip file of it."""

    may_grow: bool = False
    """The file is rotated by this same plan, so it may be written to before that."""
    temporary: TemporaryName | None = None
    """As in Rotate."""

    @property
    def temporary_name(self) -> str:
        return decode_path(self.temporary or encode_path(earlier_temporary_name(f"{self.name}.gz")))


class Delete(Step):
    """Remove a rotated file, or what an interrupted run left."""

    after: str | None = None
    """Only if the rotated file of this encoded path is there, compressed or not: it takes the place of this one."""
    only_over_limit: bool = False
    """Only if the directory still takes more than its limit."""


class Deletion(BaseModel):
    """Remove many rotated files, in their order: too many for an action each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    root: str
    """``Folder.token`` of the log directory."""
    device: int
    """``st_dev`` of the files."""
    files: Sequence[tuple[str, Sequence[str]]]
    """Directories below the root, encoded, each with files in it: ``listed`` of each."""
    only_over_limit: bool = False
    """Only for as long as the directory takes more than its limit."""

    def listing(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Directories below the root with (name, ``mark``) of each file. Raises ValueError for what is no such name."""
        return [(decode_path(folder) if folder else "", list(map(_unlisted, lines))) for folder, lines in self.files]


def mark(facts: os.stat_result) -> str:
    """What must be the same for a file to be the same, unchanged one: its ``Identity`` without the device."""
    return f"{facts.st_ino}:{facts.st_size}:{facts.st_mtime_ns}"


def mark_of(identity: Identity) -> str:
    """The ``mark`` of a file as the plan saw it."""
    return f"{identity.inode}:{identity.size}:{identity.mtime_ns}"


def listed(name: str, identity: Identity) -> str:
    """A file of ``Deletion.files``: its encoded name, a blank, its ``mark``."""
    return f"{encode_path(name)} {mark_of(identity)}"


def _unlisted(line: str) -> tuple[str, str]:
    text, _, marked = line.partition(" ")
    name = decode_path(text) if "%" in text or text[:1] in ("", ".") else text
    if "/" in name:
        raise ValueError(f"{text!r} is no plain name")
    return name, marked


def fresh_name(token: str, work: Work, subject: str) -> str:
    """A temporary name, encoded, that no other action has."""
    return encode_path(temporary_name(token, work, subject))
