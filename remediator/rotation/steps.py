"""What an action of log rotation carries in ``Action.params``: enough to find exactly this file again."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from remediator.files import Identity, decode_path, encode_path
from remediator.rotation.names import Work, earlier_temporary_name, temporary_name, work_of

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


def _listed(lines: list[str]) -> list[str]:
    for line in lines:
        parse_line(line)
    return lines


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
    files: Annotated[list[str], AfterValidator(_listed)]
    """A line each: the encoded path, a blank, the file's ``Identity`` as the plan saw it."""
    only_over_limit: bool = False
    """Only for as long as the directory takes more than its limit."""


def line_of(path: str, identity: Identity) -> str:
    """A line of ``Deletion.files``."""
    return f"{encode_path(path)} {identity}"


def parse_line(line: str) -> tuple[str, Identity]:
    """The path below the root and the file of a line of ``Deletion.files``. Raises ValueError."""
    path, _, token = line.partition(" ")
    return decode_path(path), Identity.parse(token)


def fresh_name(token: str, work: Work, subject: str) -> str:
    """A temporary name, encoded, that no other action has."""
    return encode_path(temporary_name(token, work, subject))
