"""A minimal Debian, made once by debootstrap into the user's cache. Nothing ever writes to it: tests lay over it."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.helpers import missing, require_program

SUITE = "bookworm"
_MAKE_SECONDS = 280.0
_NOT_NEEDED = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man", "var/log")


def base() -> Path:
    """Its directory. Skips the test (see tests.helpers.missing) if it cannot be had.

    A directory of that name is whole: it is made beside it and renamed, by one process at a time.
    """
    if os.geteuid() != 0:
        missing("a Debian in a directory needs root, for chroot and overlay")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "upkeeper-tests"
    cache.mkdir(parents=True, exist_ok=True)
    wanted = cache / f"debian-{SUITE}"
    if wanted.is_dir():
        return wanted
    program = require_program("debootstrap", "debootstrap")
    with _locked(cache / f".debian-{SUITE}.lock"):
        if not wanted.is_dir():  # another process may have made it meanwhile
            _make(program, wanted)
    return wanted


def _make(program: str, wanted: Path) -> None:
    scratch = Path(tempfile.mkdtemp(prefix=f".{wanted.name}-", dir=wanted.parent))
    root = scratch / "root"
    command = [program, "--variant=minbase", SUITE, str(root), *_mirror()]
    try:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_MAKE_SECONDS, check=False
            )
            problem = f"exit status {done.returncode}: {done.stdout[-500:]}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            problem = f"not done within {_MAKE_SECONDS:g} s"
        subprocess.run(["umount", "-R", root / "proc", root / "sys"], capture_output=True, check=False)
        if problem:
            missing(f"debootstrap could not make a Debian: {problem}")
        for path in _NOT_NEEDED:
            for each in (root / path).iterdir():
                shutil.rmtree(each) if each.is_dir() else each.unlink()
        for path in ("var/cache/apt/archives/partial", "var/lib/apt/lists/partial", "var/log/apt"):
            (root / path).mkdir(parents=True)
        root.rename(wanted)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _mirror() -> list[str]:
    """The archive that this machine itself installs from; debootstrap's own choice where it is none of Debian's."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Codename: " + SUITE, "Label: Debian"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False) if shutil.which("apt-get") else None
    return [line for line in (done.stdout.splitlines() if done else []) if line.startswith("http")][:1]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
