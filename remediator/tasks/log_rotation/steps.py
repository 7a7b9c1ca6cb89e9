"""What an action of log rotation carries in ``Action.params``: enough to find exactly this file again."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from remediator.files.folder import Identity, decode_path, encode_path, is_plain
from remediator.tasks.log_rotation.names import Work, earlier_temporary_name, temporary_name, work_of

Method = Literal["rename", "copytruncate"]
_NO_NAMES = frozenset({"", ".", ".."})


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

    changed: int | None = None
    """``st_ctime_ns`` of a rotated file; None for what was left, and in plans of the build of November 2026."""
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
    files: Sequence[tuple[str, str | Sequence[str]]]
    """Directories below the root, encoded, each with files in it: ``listed`` of them. Plans of the build of November
    2026 have a list of lines."""
    only_over_limit: bool = False
    """Only for as long as the directory takes more than its limit."""

    def listing(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Directories below the root with (name, ``mark``) of each file. Raises ValueError for what is no such name."""
        return [(decode_path(folder) if folder else "", _unlisted(lines)) for folder, lines in self.files]


def mark_of(identity: Identity, changed: int | None) -> str:
    """The ``mark`` of a file as the plan saw it: what must be the same for it to be the same, unchanged one.

    changed: its ``st_ctime_ns``. Plans of the build of November 2026 have marks without it.
    """
    return f"{identity.inode}:{identity.size}:{identity.mtime_ns}" + ("" if changed is None else f":{changed}")


def listed(files: Sequence[tuple[str, int, int, int, int]]) -> str:
    """Files of one directory, given as (name, inode, size, mtime_ns, ctime_ns): a line each of encoded name, blank,
    ``mark``.

    One text, since a list of ten thousand would be looked at item by item wherever the action goes.
    """
    encode = str if is_plain("".join([name for name, *_ in files])) else encode_path
    return "\n".join(
        [f"{encode(name)} {inode}:{size}:{mtime_ns}:{ctime_ns}" for name, inode, size, mtime_ns, ctime_ns in files]
    )


def _unlisted(lines: str | Sequence[str]) -> list[tuple[str, str]]:
    one_by_one = lines.split("\n") if isinstance(lines, str) else lines
    pairs = [(name, marked) for name, _, marked in [line.partition(" ") for line in one_by_one]]
    names = [name for name, _ in pairs]
    if not is_plain("".join(names)) or not _NO_NAMES.isdisjoint(names):
        names = [decode_path(name) for name in names]
        pairs = [(name, marked) for name, (_, marked) in zip(names, pairs, strict=True)]
    if "/" in "".join(names):
        raise ValueError("a path where a plain name was expected")
    return pairs


def fresh_name(token: str, work: Work, subject: str) -> str:
    """A temporary name, encoded, that no other action has."""
    return encode_path(temporary_name(token, work, subject))
