"""What an action of log rotation carries in ``Action.params``: enough to find exactly this file again."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from remediator.files.folder import Identity, decode_path, encode_path

Method = Literal["rename", "copytruncate"]


def _decodes(path: str) -> str:
    decode_path(path)
    return path


def _parses(token: str) -> str:
    Identity.parse(token)
    return token


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

    @property
    def wanted(self) -> str:
        return decode_path(self.to)


class Compress(Step):
    """Replace a rotated file by a gzip file of it."""

    may_grow: bool = False
    """The file is rotated by this same plan, so it may be written to before that."""


class Delete(Step):
    """Remove a rotated file, or what an interrupted run left."""

    after: str | None = None
    """Only if the rotated file of this encoded path is there, compressed or not: it takes the place of this one."""
    only_over_limit: bool = False
    """Only if the directory still takes more than its limit."""


def encoded(path: str | None) -> str | None:
    return None if path is None else encode_path(path)
