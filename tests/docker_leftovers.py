"""The processes and mounts of a private Docker engine, which it leaves on the machine when it is killed."""

import contextlib
import subprocess
from pathlib import Path

import psutil

END_SECONDS = 60.0


def is_stopped(pid: int) -> bool:
    """Whether all threads of a process are stopped: the last one may still be answering after SIGSTOP was sent."""
    try:
        states = {stat.read_text().rpartition(")")[2].split()[0] for stat in Path(f"/proc/{pid}/task").glob("*/stat")}
    except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
        return False
    return states == {"T"}


def end_processes(directory: Path) -> None:
    """Ends containerd and the shims of this engine with their containers: none of them outlives a test.

    They name the engine's exec root in their command line, and are no longer dockerd's children when it was killed.
    """
    mark = f"{directory}/exec/"
    leftovers: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(mark in argument for argument in process.cmdline()):
                leftovers += [process, *process.children(recursive=True)]
    for process in leftovers:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(leftovers, timeout=END_SECONDS)


def unmount_below(directory: Path) -> None:
    """Lets go of all that is mounted below a directory, so that it can be removed."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((mount for mount in mounts if mount.startswith(f"{directory}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=True)
