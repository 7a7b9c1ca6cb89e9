"""Log directories made at random from a seed: names, kinds, links, times, sizes, attributes and writers."""

import contextlib
import os
import random
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.remediator.tasks.log_rotation.logdir import DAY, KIB, content

NOW = 1_790_000_000.0
_STEMS = (
    "app.log",
    "db.log",
    "keep.log",
    "notes.txt",
    ".hidden.log",
    "caf\udce9.log",
    "a b%41.log",
    "x" * 219 + ".log",
)
_SUFFIXES = (
    *("", "", ".1", ".2", ".3", ".12", ".1.gz", ".2.xz", ".7z", ".old"),
    *("-20260801", "-20260901.gz", "-2026090112", "-20260901-1788220800", ".2026-08-20", ".2026-09-20_11-59"),
    *("-20260701-101112", "-20260701-101112.gz", "-20260920-000000", "-20260920-000000-1", "-20260901-000000.gz"),
    *("-20990101-000000.gz", "-19700101-000013", "-20261399-000000", ".1.1", "-20260701-101112.1"),
)
_FOLDERS = ("", "sub", "sub/deeper", "build.log", "private", "app.log.9")
_TIMES = (0.0, 946_684_800.0, NOW + 90 * 365 * DAY, NOW + 3600, NOW)


class Tree:
    """A log directory, ``logs``, with something outside of it, and rules. Everything follows from the seed."""

    def __init__(self, root: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.logs, self.outside = root / "logs", root / "outside"
        self._next = 0
        self._held: list[tuple[Path, int]] = []
        self.written: Counter[bytes] = Counter()
        """Lines that the writers added since."""
        self.outside.mkdir()
        (self.outside / "app.log.1").write_bytes(self._lines(20))
        for folder in self.random.sample(_FOLDERS[1:], self.random.randrange(len(_FOLDERS))):
            (self.logs / folder).mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)
        for folder in [self.logs, *(path for path in self.logs.rglob("*") if path.is_dir())]:
            for stem in self.random.sample(_STEMS, 3):
                for suffix in self.random.sample(_SUFFIXES, self.random.randrange(2, 9)):
                    self._make(folder / f"{stem}{suffix}")
        self._many()

    def settings(self) -> dict[str, Any]:
        """A target of log-rotation over it."""
        choice = self.random.choice
        return {
            "include": choice([["*.log"], ["*.log"], ["*"], ["app*", "*.log*"]]),
            "exclude": choice([[], ["keep*", "private"], ["*.2"]]),
            "recursive": self.random.random() < 0.7,
            "max_bytes": choice([1, 100 * KIB, 10**9]),
            "rotation": {
                "max_file_bytes": choice([1, 8 * KIB, 10**9]),
                "max_file_age": choice([None, "1h", "90d"]),
                "method": choice(["auto", "rename", "copytruncate"]),
                "compress": self.random.random() < 0.8,
                "keep_count": choice([0, 1, 3, 14]),
                "keep_age": choice(["1d", "30d", "9999d"]),
            },
        }

    def _lines(self, count: int) -> bytes:
        first, self._next = self._next, self._next + count
        return b"".join(b"%08d a line%s\n" % (n, b" and more" * (n * 7 % 11)) for n in range(first, first + count))

    def _make(self, path: Path) -> None:
        with contextlib.suppress(FileExistsError, IsADirectoryError, OSError):
            if not path.exists() and not path.is_symlink():
                self._make_kind(path, self.random.random())

    def _make_kind(self, path: Path, shape: float) -> None:
        if shape < 0.04:
            path.symlink_to(
                self.random.choice(["/etc/hostname", str(self.outside / "app.log.1"), "nowhere", path.name])
            )
        elif shape < 0.12:
            siblings = [other for other in sorted(path.parent.iterdir()) if other.is_file()]
            path.symlink_to(self.random.choice(siblings).name if siblings else ".")
        elif shape < 0.15:
            path.mkdir()
        elif shape < 0.17:
            os.mkfifo(path)
        else:
            self._file(path)

    def _file(self, path: Path) -> None:
        data = self._lines(self.random.choice([0, 1, 3, 100, 100, 400]))
        shape = self.random.random()
        with path.open("xb") as file:
            if shape < 0.1:
                file.seek(self.random.choice([4096, 70_000]))  # a hole, as writers leave that do not append
            file.write(data[:-1] if shape > 0.9 else data)
            if 0.1 < shape < 0.15:
                file.truncate(file.tell() + 9000)
        if self.random.random() < 0.08:
            other = self.random.choice([self.outside, path.parent]) / f"linked-{self._next}.{self.random.randrange(3)}"
            with contextlib.suppress(FileExistsError):
                os.link(path, other)
        path.chmod(self.random.choice([0o644, 0o600, 0o640, 0o666, 0o400, 0o2755]))
        if self.random.random() < 0.3:
            os.setxattr(path, "user.origin", b"letta")
        if os.geteuid() == 0 and self.random.random() < 0.3:
            os.chown(path, 1234, 2345)
        time = self.random.choice(_TIMES) if self.random.random() < 0.2 else NOW - self.random.uniform(0, 60 * DAY)
        os.utime(path, (time, time))
        if self.random.random() < 0.1:
            flags = os.O_WRONLY | self.random.choice([0, os.O_APPEND, os.O_APPEND])
            self._held.append((path, os.open(path, flags)))
            os.lseek(self._held[-1][1], 0, os.SEEK_END)

    def _many(self) -> None:
        """Now and then, more rotated files of a log than are deleted one by one."""
        if self.random.random() < 0.15:
            log = self.logs / "many.log"
            log.touch()
            for number in range(70):
                path = log.with_name(f"many.log.{number}")
                path.write_bytes(self._lines(2))
                time = NOW - self.random.uniform(0, 90 * DAY)
                os.utime(path, (time, time))

    def write(self) -> None:
        """A writer adds a line, through the descriptor that it has held open all the time."""
        if self._held:
            path, fd = self.random.choice(self._held)
            line = b"%08d written to %s\n" % (self._next, os.fsencode(path.name)[:20])
            self._next += 1
            if os.write(fd, b"\n" + line) == len(line) + 1:
                self.written[line.strip()] += 1

    def close(self) -> None:
        for _, fd in self._held:
            os.close(fd)


@dataclass(frozen=True)
class Entry:
    """All there is to know of a file, directory, link or pipe, but for the times of reading."""

    facts: tuple[int, ...]
    attributes: dict[str, bytes]
    data: bytes | str | None

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.facts[1])


def entries(root: Path) -> Iterator[tuple[Path, Entry]]:
    """Everything below a directory with every byte of it, and the directory itself."""
    for path in (root, *root.rglob("*")):
        facts = path.lstat()
        numbers = (facts.st_ino, facts.st_mode, facts.st_uid, facts.st_gid, facts.st_nlink, facts.st_size)
        data: bytes | str | None = None
        if stat.S_ISLNK(facts.st_mode):
            data = os.readlink(path)
        elif stat.S_ISREG(facts.st_mode):
            data = path.read_bytes()
        attributes = {
            name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)
        }
        yield path, Entry((*numbers, facts.st_mtime_ns, facts.st_ctime_ns), attributes, data)


def text(path: Path, data: bytes) -> "Counter[bytes]":
    """The lines of a file's content, holes and blanks left out. What is compressed by us is unpacked."""
    with contextlib.suppress(OSError, EOFError):  # a name that ends in .gz and is no gzip file
        data = content(path)
    return Counter(line.strip() for line in data.replace(b"\0", b"\n").splitlines() if line.strip())
