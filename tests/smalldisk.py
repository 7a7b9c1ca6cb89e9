"""Small file systems of a test's own, to be filled up."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.helpers import missing

_MAKERS = {
    "ext4": ("mkfs.ext4", "e2fsprogs", ("-q", "-m", "0")),
    "xfs": ("mkfs.xfs", "xfsprogs", ("-q",)),
    "btrfs": ("mkfs.btrfs", "btrfs-progs", ("-q",)),
}


@contextlib.contextmanager
def mounted(directory: Path, kind: str, size: int, options: str = "", make: tuple[str, ...] = ()) -> Iterator[Path]:
    """A small file system of its own, ``ext4``, ``xfs``, ``btrfs`` or ``tmpfs``, mounted at the directory.

    options: more of them for mounting a tmpfs, with a comma before. make: for making the others. Skips where that is
    refused.
    """
    directory.mkdir(exist_ok=True)
    if kind in _MAKERS:
        image = directory.with_suffix(".img")
        _make(image, kind, size, make)
        command = ["mount", "-o", "loop", str(image), str(directory)]
    else:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}{options}", "tmpfs", str(directory)]
    mount(command)
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def _make(image: Path, kind: str, size: int, options: tuple[str, ...]) -> None:
    program, package, usual = _MAKERS[kind]
    maker = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if maker is None:
        missing(f"{program} is not installed (Debian package {package})")
    assert maker is not None
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run([maker, *usual, *options, str(image)], check=True, capture_output=True)


def mount(command: list[str]) -> None:
    """Runs a mount command; skips where mounting is not permitted."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        missing(f"mounting is not permitted here: {result.stderr.strip()}")


def fill(directory: Path) -> list[Path]:
    """Takes all the room of a file system, down to where nothing of any size can be written; what it made."""
    made: list[Path] = []
    for size in (1024 * 1024, 64 * 1024, 4096, 512):
        path = directory / f"filler-{size}"
        with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
            made.append(path)
            content = os.urandom(size)
            while True:
                file.write(content)
        os.sync()
    return made


def take_inodes(directory: Path) -> list[Path]:
    """Makes empty files until there is no inode left; what it made."""
    made: list[Path] = []
    with contextlib.suppress(OSError):
        while True:
            path = directory / f"file-{len(made)}"
            path.touch(exist_ok=False)
            made.append(path)
    return made
