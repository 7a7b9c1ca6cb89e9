"""Archives of a set: looked at as a whole first, then unpacked by GNU tar.

Nothing is unpacked that names a place outside the directory, or below what the archive itself makes a link: these are
refused before anything is written, though GNU tar makes such links last of all, when nothing is written any more.
"""

import os
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from exporter.backups.manifest import SetFile
from exporter.backups.tar_stream import TarBroken, TarStream
from remediator.model.task import TaskError
from remediator.tasks.backup.age import Readable
from remediator.tasks.backup.archive import require_tar
from remediator.tasks.backup.piped import Piped
from remediator.tasks.backup.sink import CHUNK
from remediator.tasks.restoring.checked import Damaged, SetFiles

_OPTIONS = (
    "--extract", "--file=-", "--numeric-owner", "--preserve-permissions", "--acls", "--xattrs", "--xattrs-include=*",
    "--delay-directory-restore", "--no-wildcards", "--warning=no-timestamp",
)  # fmt: skip
_OWN_NAME = re.compile(r"^\S*tar: ")
_ASIDE = ".upkeeper-unpacking"
_DIFF = ("--diff", "--file=-", "--numeric-owner", "--warning=no-timestamp")


class ReadsTar(Protocol):
    """What a tar comes out of."""

    def read(self, size: int, /) -> bytes: ...


class Content:
    """The tar in a file of a set, unpacked as it is read. Reading raises Damaged, TaskError, Stopped."""

    def __init__(self, file: Readable, entry: SetFile) -> None:
        import zstandard

        self._broken = zstandard.ZstdError
        self._file, self._entry = file, entry
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._ready = b""
        self._seen = TarStream()

    @property
    def entries(self) -> int:
        return self._seen.entries

    def read(self, size: int) -> bytes:
        """The next bytes, at most so many; none at the end, when all was as the manifest says and is a whole tar."""
        while not self._ready:
            data = self._file.read(CHUNK)
            if not data:
                self._end()
                return b""
            if self._frame.eof:
                raise Damaged(f"{self._entry.path} goes on after its end")
            try:
                self._ready = self._frame.decompress(data)
                self._seen.write(self._ready)
            except self._broken as error:
                raise Damaged(f"{self._entry.path} cannot be unpacked: {error}") from None
            except TarBroken as error:
                raise Damaged(f"{self._entry.path} {error}") from None
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def drain(self) -> None:
        """Reads what is left, so that all of it was looked at."""
        while self.read(CHUNK):
            pass

    def _end(self) -> None:
        if not self._frame.eof:
            raise Damaged(f"{self._entry.path} ends early")
        try:
            self._seen.finish()
        except TarBroken as error:
            raise Damaged(f"{self._entry.path} {error}") from None


def look(files: SetFiles, entry: SetFile, stop: threading.Event) -> int:
    """Reads an archive to its end; how many entries it has. Blocks. Raises Damaged, TaskError, OSError, Stopped.

    Damaged: it is not what the manifest says. TaskError: it must not be unpacked.
    """
    with opened_content(files, entry, stop) as content:
        links: set[str] = set()
        try:
            for info in members(content):
                _require_inside(info, links, entry.path)
        except (tarfile.TarError, ValueError, OverflowError) as error:
            content.drain()  # whether it is as it was written is said first
            raise Damaged(f"{entry.path} is no tar that can be read: {error}") from None
        content.drain()
        return content.entries


def unpack(files: SetFiles, entry: SetFile, into: Path, only: str | None, stop: threading.Event) -> list[str]:
    """Unpacks an archive into an empty directory, or one path of it to where nothing is; what tar had to say. Blocks.

    Raises Damaged, TaskError, OSError, Stopped. As root with owners; as anybody else all becomes one's own.
    """
    if only is None:
        return _unpack(files, entry, into, (), stop)
    aside = into / _ASIDE
    remove(aside)
    aside.mkdir(mode=0o700)
    names = (only, *_first_names(files, entry, only, stop))
    said = _unpack(files, entry, aside, names, stop)
    at = into
    for step in only.split("/")[:-1]:
        at = at / step
        at.mkdir(mode=0o700, exist_ok=True)
    (aside / only).rename(into / only)
    remove(aside)
    return said


def _unpack(files: SetFiles, entry: SetFile, into: Path, names: Sequence[str], stop: threading.Event) -> list[str]:
    owner = "--same-owner" if os.geteuid() == 0 else "--no-same-owner"
    command = [require_tar(), *_OPTIONS, owner, f"--directory={into}", *(("--", *names) if names else ())]
    with opened_content(files, entry, stop) as content:
        status, said = _fed(command, content, stop)
    if status:
        raise TaskError(f"tar cannot unpack {entry.path}: {_told(said, status)}")
    return said


def _first_names(files: SetFiles, entry: SetFile, only: str, stop: threading.Event) -> list[str]:
    """What else must be unpacked, for a file below ``only`` is in the archive as another name of it. As it is there."""
    top, found = _plain(only) or "", dict[str, None]()
    with opened_content(files, entry, stop) as content:
        for info in members(content):
            if info.islnk() and _is_below(_plain(info.name), top) and not _is_below(_plain(info.linkname), top):
                found[info.linkname] = None
        content.drain()
    return list(found)


def _is_below(name: str | None, top: str) -> bool:
    return name is not None and (name == top or name.startswith(f"{top}/"))


def remove(path: Path) -> None:
    """A file, a link or a directory with all in it, if it is there. Blocks. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def differences(files: SetFiles, entry: SetFile, unpacked: Path, stop: threading.Event) -> list[str]:
    """What of an unpacked archive is not as in the archive: content, kinds, modes, times, owners. Blocks.

    Raises Damaged, TaskError, OSError, Stopped. Owners are left out where only root could have kept them.
    """
    command = [require_tar(), *_DIFF, f"--directory={unpacked}"]
    with opened_content(files, entry, stop) as content, Piped(command, stop, stdin=subprocess.PIPE) as tar:
        lines: list[bytes] = []
        listener = threading.Thread(target=lambda: lines.extend(iter(lambda: tar.read(CHUNK), b"")), daemon=True)
        listener.start()
        _feed(tar, content)
        listener.join()
        status, said = tar.end()
    found = [*b"".join(lines).decode("utf-8", "replace").splitlines(), *said]
    if os.geteuid() != 0:
        found = [line for line in found if not line.endswith((": Uid differs", ": Gid differs"))]
    elif status and not found:
        found = [f"tar ended with {status}"]
    return _plainly(found)


def _fed(command: list[str], content: Content, stop: threading.Event) -> tuple[int, list[str]]:
    with Piped(command, stop, stdin=subprocess.PIPE) as tar:
        _feed(tar, content)
        status, said = tar.end()
    return status, _plainly(said)


def _feed(tar: Piped, content: Content) -> None:
    """Gives a program all of a content. One that ends before is no matter: its status says why."""
    assert tar.process.stdin is not None
    with suppress(BrokenPipeError):
        while data := content.read(CHUNK):
            view = memoryview(data)
            while view:
                view = view[tar.process.stdin.write(view) :]
    with suppress(BrokenPipeError):
        tar.process.stdin.close()
    content.drain()


@contextmanager
def opened_content(files: SetFiles, entry: SetFile, stop: threading.Event) -> Iterator[Content]:
    """What an archive of a set holds, decrypted and unpacked. Blocks. Raises Damaged, TaskError, OSError, Stopped."""
    with files.content(entry, stop) as file:
        yield Content(file, entry)


def members(content: "ReadsTar") -> Iterator[tarfile.TarInfo]:
    """The entries of a tar that is read as it comes; what is in them is passed over. Raises tarfile.TarError."""
    with tarfile.open(fileobj=content, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:  # type: ignore[call-overload]
        for info in tar:
            tar.members = []  # it would keep all of them
            yield info


def _require_inside(info: tarfile.TarInfo, links: set[str], path: str) -> None:
    """links: what is known to be a symbolic link by now, to which this one is added."""
    name = _plain(info.name)
    if name is None:
        raise TaskError(f"{path} is not unpacked: it names {info.name!r}, which is outside the directory")
    parents = name.split("/")[:-1]
    if links and any("/".join(parents[: end + 1]) in links for end in range(len(parents))):
        raise TaskError(f"{path} is not unpacked: {info.name!r} lies below a symbolic link of the archive")
    if info.issym():
        links.add(name)
    elif info.islnk():
        target = _plain(info.linkname)
        if target is None:
            raise TaskError(f"{path} is not unpacked: {info.name!r} is a link to {info.linkname!r}, which is outside")
        if target in links:
            links.add(name)


def _plain(name: str) -> str | None:
    """A path of an archive without ``./`` and ``//``; None where it leads out of the archive."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return None if name.startswith("/") or ".." in parts else "/".join(parts)


def _told(said: list[str], status: int) -> str:
    lines = _plainly(said)
    return lines[0] if lines else f"exit status {status}"


def _plainly(said: Sequence[str]) -> list[str]:
    """What tar says, without its own name and its last word."""
    return [_OWN_NAME.sub("", line) for line in said if "Exiting with failure status" not in line]
