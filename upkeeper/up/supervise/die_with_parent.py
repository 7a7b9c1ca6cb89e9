"""Starts a program that ends when its parent does, however the parent ends.

Run as a file of its own, ``die_with_parent.py PARENT_PID PROGRAM [ARGUMENT...]``: Python code between fork and exec (a
``preexec_fn``) may deadlock in a process with threads. Standard library only, so that it costs milliseconds.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h; kept over execve, and dropped by a set-user-ID program (prctl(2))


def main(arguments: list[str]) -> None:
    """Ties this process to its parent and becomes the program."""
    parent, program = int(arguments[0]), arguments[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    # SIGKILL, because nobody is left to insist; what we start bears it: the engine is durable, Prometheus has its WAL.
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        sys.exit("the parent ended before this process was tied to it")
    try:
        os.execv(program[0], program)  # noqa: S606
    except OSError as error:
        sys.exit(f"{program[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
