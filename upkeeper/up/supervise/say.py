"""Log lines in the form of exporter.base.log_setup, without its libraries."""

from __future__ import annotations

import json
import os
import sys
import time

_LOGGER = "upkeeper.up"


_as_json: bool | None = None


def use_format(name: str | None) -> None:
    """``text`` or ``json``; None: text on a terminal, else JSON."""
    global _as_json
    _as_json = None if name is None else name == "json"


def say(level: str, message: str, **facts: object) -> None:
    """A line on standard error, in the form of exporter.base.log_setup: a sentence for people, or a JSON document."""
    now = time.time()
    if not _json():
        why = facts.pop("error", None)
        rest = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in facts.items())
        words = f"{message}{f': {why}' if why else ''}{f' ({rest})' if rest else ''}"
        grave = "" if level == "info" else f"{level}: "
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        _write(f"{stamp}  {'up':<10}  {grave}{words}".encode("unicode_escape").decode())
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


def _json() -> bool:
    if _as_json is not None:
        return _as_json
    try:
        return not os.isatty(2)
    except OSError:
        return True


def _write(text: str) -> None:
    # The terminal or the reader of a pipe may be gone. That must not keep anything from being stopped.
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass
