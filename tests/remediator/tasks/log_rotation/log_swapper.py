"""An adversary: swaps directories and files of a log directory for links, mounts and other files, as fast as it can.

Reads ``ROOT OUTSIDE SEED`` from its input, works until the next line, answers with how many swaps it made, and so on.
Each swap is undone but for exchanges of files within the directory, so that nothing is lost by it.
"""

import contextlib
import ctypes
import os
import random
import select
import sys
from collections.abc import Callable
from pathlib import Path

from remediator.files import linux

_MS_BIND, _MNT_DETACH, _AT_FDCWD = 4096, 2, -100
_libc = ctypes.CDLL(None, use_errno=True)


class Swapper:
    def __init__(self, root: Path, outside: Path, seed: int) -> None:
        self.root, self.outside = root, outside
        self.random = random.Random(seed)
        self.ways: list[Callable[[], None]] = [
            self.directory_for_link,
            self.directory_for_mount,
            self.file_for_link,
            self.file_for_hard_link,
            self.file_for_precious,
            self.file_for_other,
            self.directory_for_directory,
        ]

    def swap(self) -> None:
        with contextlib.suppress(OSError, IndexError):
            self.random.choice(self.ways)()

    def _directory(self) -> Path:
        return self.random.choice([path for path in self.root.iterdir() if path.is_dir() and "@" not in path.name])

    def _file(self) -> Path:
        directory = self._directory()
        return self.random.choice([path for path in directory.iterdir() if _is_prey(path.name)])

    def _outside(self) -> Path:
        return self.random.choice(list(self.outside.iterdir()))

    def _linger(self) -> None:
        for _ in range(self.random.choice([0, 10, 100])):
            os.getppid()

    def directory_for_link(self) -> None:
        directory = self._directory()
        aside = directory.with_name(f"@{directory.name}")
        directory.rename(aside)
        try:
            directory.symlink_to(self.outside)
            self._linger()
            directory.unlink()
        finally:
            aside.rename(directory)

    def directory_for_directory(self) -> None:
        first, second = self._directory(), self._directory()
        if first != second:
            exchange(first, second)
            self._linger()
            exchange(first, second)

    def directory_for_mount(self) -> None:
        """By a handle of the parent: that may have another name when the mount ends."""
        directory = self._directory()
        parent = os.open(directory.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            place = os.fsencode(f"/proc/self/fd/{parent}/{directory.name}")
            if _libc.mount(os.fsencode(self.outside), place, None, _MS_BIND, None) == 0:
                self._linger()
                _libc.umount2(place, _MNT_DETACH)
        finally:
            os.close(parent)

    def _instead(self, make: Callable[[Path], None]) -> None:
        """Puts what is made in a file's place for a moment."""
        file = self._file()
        bait = file.with_name(f"@{file.name}")
        make(bait)
        try:
            exchange(file, bait)
            self._linger()
            exchange(file, bait)
        finally:
            # What was rotated or compressed meanwhile was the bait, by its name; it is only ever a link.
            if bait.is_symlink() or self._is_outside(bait):
                bait.unlink()

    def _is_outside(self, path: Path) -> bool:
        inode = path.lstat().st_ino
        return any(each.lstat().st_ino == inode for each in self.outside.iterdir())

    def file_for_link(self) -> None:
        outside = self._outside()
        self._instead(lambda bait: bait.symlink_to(outside))

    def file_for_hard_link(self) -> None:
        outside = self._outside()
        self._instead(lambda bait: bait.hardlink_to(outside))

    def file_for_precious(self) -> None:
        """And leaves it there for a moment: it is not in any plan."""
        file = self._file()
        precious = self.random.choice(list(file.parent.glob("*.db")))
        exchange(file, precious)
        self._linger()
        exchange(file, precious)

    def file_for_other(self) -> None:
        exchange(self._file(), self._file())


def _is_prey(name: str) -> bool:
    """Not what is of no plan, what it has put there itself, or a temporary file: those names are nobody else's."""
    return "@" not in name and not name.endswith((".db", ".upkeeper-tmp"))


def exchange(first: Path, second: Path) -> None:
    linux.exchange(_AT_FDCWD, str(first), str(second))


def main(adversary: type[Swapper] = Swapper) -> None:
    for line in sys.stdin:
        root, outside, seed = line.split()
        swapper = adversary(Path(root), Path(outside), int(seed))
        swaps = 0
        print("begun", flush=True)
        while not select.select([sys.stdin], [], [], 0)[0]:
            swapper.swap()
            swaps += 1
        sys.stdin.readline()
        print(swaps, flush=True)


if __name__ == "__main__":
    main()
