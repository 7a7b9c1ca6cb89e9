"""Small real file systems of a test's own, on a loop device or in memory. Skips where a mount is refused."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.helpers import missing

_PACKAGES = {"ext4": "e2fsprogs", "xfs": "xfsprogs", "btrfs": "btrfs-progs", "exfat": "exfatprogs exfat-fuse"}
_OPTIONS = {"ext4": ["-q", "-m", "0"], "xfs": ["-q"], "btrfs": ["-q"], "exfat": []}
_LEAST = {"ext4": 0, "xfs": 320 << 20, "btrfs": 128 << 20, "exfat": 0}
"""Bytes below which the maker refuses."""


@contextlib.contextmanager
def mounted(directory: Path, kind: str, size: int, options: str = "", make: tuple[str, ...] = ()) -> Iterator[Path]:
    """A file system mounted at the directory: ``ext4``, ``xfs``, ``btrfs``, ``exfat`` (through FUSE) or ``tmpfs``.

    size: bytes, more where the kind asks for it. options: further ones of a tmpfs, with a comma before each.
    make: further ones for the maker of another kind, which is then taken at its word about the size.
    """
    directory.mkdir(exist_ok=True)
    if kind == "tmpfs":
        mount(["mount", "-t", "tmpfs", "-o", f"size={size}{options}", "tmpfs", str(directory)])
        try:
            yield directory
        finally:
            unmount(directory)
        return
    image = directory.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(size if make else max(size, _LEAST[kind]))
    maker = [_program(f"mkfs.{kind}", kind), *_OPTIONS[kind], *make, str(image)]
    subprocess.run(maker, check=True, stdout=subprocess.DEVNULL)
    with _looped(image) as device:
        # The kernel's own exFAT is missing from many builds; the FUSE one has no hard links either.
        mount([_program("mount.exfat-fuse", kind) if kind == "exfat" else "mount", device, str(directory)])
        try:
            yield directory
        finally:
            unmount(directory)


@contextlib.contextmanager
def bound(source: Path, target: Path) -> Iterator[None]:
    """A bind mount."""
    mount(["mount", "--bind", str(source), str(target)])
    try:
        yield
    finally:
        unmount(target)


@contextlib.contextmanager
def overlaid(upper: Path, target: Path) -> Iterator[None]:
    """An overlay mount, of which a directory is the upper layer."""
    lower, work = target.with_name("lower"), target.with_name("work")
    for directory in (lower, work):
        directory.mkdir()
    mount(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", str(target)])
    try:
        yield
    finally:
        unmount(target)


def mount(command: list[str]) -> None:
    """Runs a command that mounts; skips the test where it fails."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        missing(f"mounting is not permitted here: {result.stderr.strip()}")


def unmount(directory: Path) -> None:
    """Unmounts what nobody uses any more. It is busy for a moment longer: a FUSE server closes files afterwards."""
    deadline = time.monotonic() + 60
    while (done := subprocess.run(["umount", str(directory)], capture_output=True, text=True, check=False)).returncode:
        if "busy" not in done.stderr or time.monotonic() > deadline:
            raise AssertionError(done.stderr)
        time.sleep(0.05)


def _program(name: str, kind: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        missing(f"{name} is not installed (Debian package {_PACKAGES[kind]})")
    assert path is not None
    return path


@contextlib.contextmanager
def _looped(image: Path) -> Iterator[str]:
    result = subprocess.run(["losetup", "-f", "--show", str(image)], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        missing(f"loop devices are not permitted here: {result.stderr.strip()}")
    device = result.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "-d", device], check=True)
