"""Why something that dies over and over dies, from how it ended and what it said last. Pure.

The messages are those of the programs: postgres (src/backend/utils/init/miscinit.c), and the texts of strerror(3).
"""

import re
from collections.abc import Iterator, Sequence

from exporter.base.units import format_bytes

LAST_LINES = 5
"""Shown of what it said."""

_OTHER_MAJOR = re.compile(
    r"data directory was initialized by PostgreSQL version (?P<data>\d[\d.]*), "
    r"which is not compatible with this version (?P<program>\d[\w.]*)"
)
_UNUSED_MOUNT = re.compile(r"there appears to be PostgreSQL data in:", re.I)
_KNOWN: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"no space left on device|disk quota exceeded", re.I), "the disk is full for it: make room"),
    (re.compile(r"address already in use|port is already allocated", re.I), "something else has its port"),
    (re.compile(r"permission denied|operation not permitted|EACCES", re.I), "it may not use something: owner or mode"),
    (re.compile(r"read-only file system", re.I), "a file system is read-only for it, as after an error of the disk"),
    (re.compile(r"(could not|failed to|cannot) (translate|resolve) host|name or service not known|ENOTFOUND", re.I),
     "a host that it needs has no address: is what it depends on running, and in the same network?"),
    (re.compile(r"connection refused|ECONNREFUSED", re.I), "something that it needs does not answer"),
)  # fmt: skip
_CODES = {
    125: "Docker could not run it",
    126: "its command cannot be executed",
    127: "its command does not exist in the image",
    132: "illegal instruction: the image is for another kind of processor",
    134: "it ended itself (SIGABRT)",
    139: "it crashed (SIGSEGV)",
}
_KILLED = 137


def explain(
    lines: Sequence[str], exit_code: int, *, oom: bool = False, memory_limit: int = 0, error: str = ""
) -> list[str]:
    """Sentences on why it ended, the surest first, and then what it said last.

    lines: the end of its log. memory_limit: bytes; 0 for none. error: why it could not even be started.
    """
    found = [*_by_memory(exit_code, oom=oom, limit=memory_limit), *_by_words(lines)]
    if error:
        found.append(f"It could not be started: {error}.")
    if exit_code in _CODES:
        found.append(f"Exit code {exit_code}: {_CODES[exit_code]}.")
    said = [line.strip() for line in lines if line.strip()][-LAST_LINES:]
    if said:
        found.append(f"It said last: {' | '.join(_short(line) for line in said)}")
    elif not found:
        found.append(f"It ended with exit code {exit_code} and said nothing.")
    return found


def _by_memory(exit_code: int, *, oom: bool, limit: int) -> Iterator[str]:
    if oom:
        yield (
            f"It ran out of memory, of which it may have {format_bytes(limit)}: give it more, or have it use less."
            if limit
            else "It was killed as the machine ran out of memory: give it a limit, or the machine more."
        )
    elif exit_code == _KILLED:
        yield "It was killed (SIGKILL): by the kernel as the machine ran out of memory, or as it did not stop in time."


def _by_words(lines: Sequence[str]) -> Iterator[str]:
    text = "\n".join(lines)
    other = [*_OTHER_MAJOR.finditer(text)]
    if other:
        data, program = other[-1]["data"], other[-1]["program"]
        yield (
            f"Its data directory is of PostgreSQL {data}, and its program is {program}: a server never opens the data "
            f"of another major version. Put the image of {data} back; to go to {program}, back up with {data}, start "
            f"{program} on an empty directory and restore into it."
        )
    elif _UNUSED_MOUNT.search(text):
        yield (
            "Its image keeps data elsewhere than where yours is mounted, as those of PostgreSQL from 18 on do: put the "
            "former image back, or read the image's notes on PGDATA before you move anything."
        )
    yield from (f"It looks as if {words}." for pattern, words in _KNOWN if pattern.search(text))


def _short(line: str, limit: int = 200) -> str:
    printable = " ".join("".join(char if char.isprintable() else " " for char in line).split())
    return printable if len(printable) <= limit else f"{printable[: limit - 1]}…"
