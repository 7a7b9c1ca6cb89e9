"""A Debian with a systemd of its own as process 1: a cached root below an overlay, in namespaces of its own.

It shares the network with the tests, so that servers there and here reach each other on loopback.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.helpers import missing, require_program

_PACKAGES = ("python3", "python3-venv", "systemd", "systemd-sysv", "dbus")
"""The image is built on it too: that is what venv is for."""
_CGROUPS = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
"""Where the hierarchy of version 2 is: beside those of version 1, or alone."""
_BOOT = """
set -e
mount --make-rprivate /
mount -t overlay overlay -o lowerdir={base},upperdir={work}/upper,workdir={work}/work {root}
mount -t proc proc {root}/proc
mount --rbind /sys {root}/sys
mount -t tmpfs -o mode=755 tmpfs {root}/run
mount -t tmpfs -o mode=755 tmpfs {root}/dev
for name in null zero full random urandom tty; do touch {root}/dev/$name; mount --bind /dev/$name {root}/dev/$name; done
mkdir {root}/dev/pts {root}/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts {root}/dev/pts
ln -s pts/ptmx {root}/dev/ptmx
ln -s /proc/self/fd {root}/dev/fd
mount -t cgroup2 cgroup2 {root}/sys/fs/cgroup
mkdir -p {root}{work}
mount --bind {work} {root}{work}
exec env -i container=upkeeper-test PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot {root} /lib/systemd/systemd --system
"""
_SECONDS = 300.0


def _cgroups() -> Path | None:
    return next((root for root in _CGROUPS if (root / "cgroup.procs").exists()), None)


def _codename() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    return next((line.partition("=")[2] for line in lines if line.startswith("VERSION_CODENAME=")), "")


def base() -> Path:
    """The root below the overlay, made once. Skips the test (see tests.helpers.missing) if it cannot be had."""
    if os.geteuid() != 0:
        missing("a systemd of its own needs root, for namespaces and mounts")
    if _cgroups() is None:
        missing("there are no control groups of version 2 for a systemd of its own")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "upkeeper-tests"
    cache.mkdir(parents=True, exist_ok=True)
    wanted = cache / f"package-root-{_codename()}"
    with (cache / f".{wanted.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wanted.is_dir():
            program = require_program("mmdebstrap", "mmdebstrap")
            partial = wanted.with_name(f"{wanted.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            command = [program, "--quiet", "--variant=minbase", f"--include={','.join(_PACKAGES)}", _codename()]
            done = subprocess.run(
                [*command, str(partial)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS
            )
            if done.returncode:
                shutil.rmtree(partial, ignore_errors=True)
                missing(f"no Debian could be made: {done.stderr[-500:]}")
            partial.rename(wanted)
    return wanted


class SystemdRoot:
    """A booted system. work: a directory that it sees at the same path. root: its file system, seen from here only
    through ``run``.
    """

    def __init__(self, lower: Path, directory: Path) -> None:
        self.work = directory / "shared"
        root = directory / "root"
        for path in (root, self.work, self.work / "upper", self.work / "work"):
            path.mkdir()
        cgroups = _cgroups()
        assert cgroups is not None
        self._group = cgroups / f"upkeeper-packages-{os.getpid()}"
        self._group.mkdir(exist_ok=True)
        self._log = (directory / "boot.log").open("wb")
        self._process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig=KILL", "--", "sh", "-c"),
                'echo $$ >"$0/cgroup.procs"; exec "$@"',
                *(str(self._group), "unshare", "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork"),
                *("--kill-child", "sh", "-c", _BOOT.format(base=lower, work=self.work, root=root)),
            ],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True,
        )  # fmt: skip
        self._root = root
        self._log_path = directory / "boot.log"
        self._enter: list[str] = []

    def boot(self) -> None:
        """Returns when systemd has started everything. AssertionError if it does not."""
        deadline = time.monotonic() + 60
        while True:
            self._enter = self._entrance()
            state = self.run("systemctl", "is-system-running", check=False).stdout.strip() if self._enter else ""
            if state in ("running", "degraded"):
                return
            assert self._process.poll() is None, self._log_path.read_text()
            assert time.monotonic() < deadline, f"systemd is {state or 'not there'}: {self._log_path.read_text()}"
            time.sleep(0.1)

    def _entrance(self) -> list[str]:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        if not children or Path(f"/proc/{children[0]}/comm").read_text().strip() != "systemd":
            return []
        return [
            "nsenter",
            f"--target={children[0]}",
            "--mount",
            "--pid",
            "--uts",
            "--ipc",
            "--cgroup",
            "--root",
            "--wd",
        ]

    def run(
        self, *command: str, check: bool = True, environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """A program of the system, in it."""
        given = [f"{name}={value}" for name, value in (environment or {}).items()]
        path = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(
            [*self._enter, "env", "-i", path, "DEBIAN_FRONTEND=noninteractive", *given, *command],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def close(self) -> None:
        """Ends it and all of its processes: the first of a PID namespace takes the others with it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._log.close()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for directory, _, _ in os.walk(self._group, topdown=False):
                with contextlib.suppress(OSError):  # a process of it is still ending
                    Path(directory).rmdir()
            if not self._group.exists():
                break
            time.sleep(0.05)


@contextlib.contextmanager
def booted(directory: Path, lower: Path) -> Iterator[SystemdRoot]:
    """A system that has booted, gone with the block."""
    made = SystemdRoot(lower, directory)
    try:
        made.boot()
        yield made
    finally:
        made.close()


def repacked(deb: Path, into: Path, version: str, changes: Mapping[str, str], root: Path) -> Path:
    """The package as another version, with files of other contents. root: where there is room for what is in it."""
    tree = root / f"tree-{version}"
    subprocess.run(["dpkg-deb", "--raw-extract", str(deb), str(tree)], check=True)
    control = tree / "DEBIAN" / "control"
    lines = control.read_text().splitlines()
    control.write_text(
        "\n".join([f"Version: {version}" if line.startswith("Version:") else line for line in lines]) + "\n"
    )
    for path, text in changes.items():
        (tree / path.lstrip("/")).write_text(text)
    made = into / f"upkeeper_{version}.deb"
    command: Sequence[str] = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(made)]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(tree)
    return made
