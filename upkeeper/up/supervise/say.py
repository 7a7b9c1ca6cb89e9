"""Log lines in the form of exporter.base.log_setup, without its libraries."""

import json
import os
import sys
import time

_LOGGER = "upkeeper.up"


def say(level: str, message: str, **facts: object) -> None:
    """A line on standard error: JSON unless that is a terminal."""
    now = time.time()
    if _is_terminal():
        extra = "".join(f" {key}={value}" for key, value in facts.items())
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        _write(f"{stamp} [{level:<8}] {message}{extra}".encode("unicode_escape").decode())
    else:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z"
        line = {**facts, "level": level, "logger": _LOGGER, "timestamp": stamp, "message": message}
        _write(json.dumps(line, ensure_ascii=False))


def echo(name: str, line: bytes) -> None:
    """A line of a process's own log, shown to whoever wants to see more."""
    _write(f"{name} | {line.decode(errors='backslashreplace')}")


def complain(first: str, *rest: str) -> None:
    """Why it did not start, as every command of ours says it."""
    _write("\n".join([f"error: {first}", *(f"  {line}" for line in rest)]))


def _is_terminal() -> bool:
    try:
        return os.isatty(2)
    except OSError:
        return False


def _write(text: str) -> None:
    # The terminal or the reader of a pipe may be gone. That must not keep anything from being stopped.
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass
