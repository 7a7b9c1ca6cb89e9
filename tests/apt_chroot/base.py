"""A minimal Debian, made once in the user's cache from the machine's own archive. Nothing writes to it.

It has the files of apt, dpkg and what these need, and nothing installed, as dpkg sees it. So it takes a fourth of what
debootstrap takes, which would configure it all.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.helpers import missing, require_program

_PROGRAMS = (
    "apt", "dpkg", "bash", "dash", "coreutils", "grep", "sed", "gzip", "tar", "findutils", "diffutils", "libc-bin",
    "debianutils", "perl-base", "base-passwd", "mount", "init-system-helpers",
)  # fmt: skip
_DIRECTORIES = (
    "dev", "proc", "sys", "tmp", "root", "run", "etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d",
    "etc/apt/trusted.gpg.d", "usr/local/bin", "opt", "var/lib/dpkg/info", "var/lib/dpkg/updates",
    "var/lib/dpkg/triggers", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt", "var/tmp",
)  # fmt: skip
_NOT_NEEDED = ("usr/share/doc", "usr/share/locale", "usr/share/man", "usr/share/info", "usr/lib/systemd")
_DEVICES = {"null": (1, 3), "zero": (1, 5), "urandom": (1, 9), "tty": (5, 0)}
_SECONDS = 240.0


def base() -> Path:
    """Its directory. Skips the test (see tests.helpers.missing) if it cannot be had.

    A directory of that name is whole: it is made beside it and renamed, by one process at a time.
    """
    if os.geteuid() != 0:
        missing("a Debian in a directory needs root, for chroot and overlay")
    for program in ("apt-get", "apt-cache", "dpkg-deb"):
        require_program(program, "apt")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "upkeeper-tests"
    cache.mkdir(parents=True, exist_ok=True)
    wanted = cache / f"apt-root-{_apt_version()}"
    if wanted.is_dir():
        return wanted
    with _locked(cache / f".{wanted.name}.lock"):
        if not wanted.is_dir():  # another process may have made it meanwhile
            _make(wanted)
    return wanted


def _apt_version() -> str:
    return _run(["dpkg-query", "--show", "--showformat", "${Version}", "apt"])


class _Failed(Exception):
    """A program did not do its work; the message says why."""


def _run(command: Sequence[str | Path], directory: Path | None = None) -> str:
    """What a program prints. Raises _Failed."""
    try:
        done = subprocess.run(
            command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _Failed(f"{command[0]} was not done within {_SECONDS:g} s") from None
    if done.returncode:
        raise _Failed(f"{command[0]}: {done.stderr[-500:]}")
    return done.stdout


def _make(wanted: Path) -> None:
    scratch = Path(tempfile.mkdtemp(prefix=f".{wanted.name}-", dir=wanted.parent))
    try:
        root, debs = scratch / "root", scratch / "debs"
        root.mkdir()
        debs.mkdir()
        try:
            _fetch([], debs)
        except _Failed:  # no lists, or old ones: with lists of its own
            options = ["-o", f"Dir::State::lists={scratch}/lists"]
            (scratch / "lists/partial").mkdir(parents=True)
            _run(["apt-get", *options, "update", "-q"])
            _fetch(options, debs)
        for deb in sorted(debs.iterdir()):
            _run(["dpkg-deb", "-x", deb, root])
        for path in _DIRECTORIES:
            (root / path).mkdir(parents=True, exist_ok=True)
        for path in _NOT_NEEDED:
            shutil.rmtree(root / path, ignore_errors=True)
        for name in ("passwd", "group"):
            shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
        (root / "var/lib/dpkg/status").touch()
        (root / "tmp").chmod(0o1777)
        for name, (major, minor) in _DEVICES.items():
            os.mknod(root / "dev" / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
            (root / "dev" / name).chmod(0o666)
        if not (root / "bin/sh").exists():
            (root / "bin/sh").symlink_to("dash")
        _run(["chroot", root, "/sbin/ldconfig"])
        root.rename(wanted)
    except _Failed as failed:
        missing(f"no Debian to update could be made: {failed}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _fetch(options: Sequence[str], directory: Path) -> None:
    """Fetches the packages that the programs need."""
    without = [f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")]
    said = _run(["apt-cache", *options, "depends", "--recurse", *without, *_PROGRAMS])
    names = sorted({line for line in said.splitlines() if line and line[0].isalnum() and ":" not in line})
    _run(["apt-get", *options, "download", "-q", *names], directory)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
