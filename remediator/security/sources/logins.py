"""Failed logins: from the journal, else from the log files of Debian and Red Hat, else they are not known.

The lines are OpenSSH's (auth.c, auth2.c) and PAM's (pam_unix): https://github.com/openssh/openssh-portable.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from exporter.base import programs
from exporter.base.units import format_duration
from remediator.security.finding import Found, Risk

SOURCE = "logins"
LOGS = (Path("/var/log/auth.log"), Path("/var/log/secure"))
TAIL_BYTES = 4 * 1024 * 1024
IDENTIFIERS = ("sshd", "sshd-session", "sshd-auth", "login", "su", "sudo")
MOST_FROM = 20
"""Addresses that are named."""
LOCAL = "this machine"

_SSH_FAILED = re.compile(
    r"\bFailed (?:password|publickey|keyboard-interactive/pam|none) for (?:invalid user )?(?P<user>.*?) "
    r"from (?P<host>[0-9A-Fa-f.:%\w-]+) port \d+"
)
_SSH_ACCEPTED = re.compile(r"\bAccepted (?P<how>\S+) for (?P<user>.*?) from (?P<host>[0-9A-Fa-f.:%\w-]+) port \d+")
_PAM_FAILED = re.compile(r"\bpam_\w+\((?P<service>su|sudo|login)(?:-l)?:auth\): authentication failure;")
_STAMP = re.compile(
    r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)|^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)"
)


@dataclass(frozen=True)
class Logins:
    """failed: how often, by address. accepted: addresses that a password let in after failures, with the user."""

    failed: Counter[str]
    accepted: Sequence[tuple[str, str]]


def read(lines: Iterable[str]) -> Logins:
    """What the lines tell, in their order. Pure."""
    failed: Counter[str] = Counter()
    accepted: dict[str, str] = {}
    for line in lines:
        ssh = _SSH_FAILED.search(line)
        if ssh is not None:
            failed[ssh["host"]] += 1
        elif _PAM_FAILED.search(line):
            failed[LOCAL] += 1
        else:
            let_in = _SSH_ACCEPTED.search(line)
            if let_in is not None and let_in["how"].startswith(("password", "keyboard")) and failed[let_in["host"]] > 0:
                accepted[let_in["host"]] = let_in["user"]
    return Logins(+failed, list(accepted.items()))


def judge(logins: Logins, most: int, within: float) -> Iterator[Risk]:
    """Pure. most: failures from one address that are a finding. within: seconds that were looked at."""
    span = format_duration(within)
    let_in = dict(logins.accepted)
    for host, count in logins.failed.most_common(MOST_FROM):
        if host in let_in and count >= most:
            yield Risk(
                f"login-after-failures:{host}",
                "critical",
                SOURCE,
                f"{host} failed {count} times to log in within {span}, and then was let in by a password",
                "ask whoever owns the account, change its password, and look what was done: last, lastlog",
            )
        elif count >= most:
            yield Risk(
                f"failed-logins:{host}",
                "warning",
                SOURCE,
                f"{count} logins from {host} failed within {span}",
                "allow keys alone (PasswordAuthentication no), and shut the port to who need not reach it",
            )
    rest = sum(count for count in logins.failed.values() if count < most)
    if rest >= most:
        addresses = sum(count < most for count in logins.failed.values())
        yield Risk(
            "failed-logins:many",
            "info",
            SOURCE,
            f"{rest} logins failed within {span}, from {addresses} addresses",
            "allow keys alone (PasswordAuthentication no)",
        )


async def look(within: float, most: int, now: float, logs: Sequence[Path] = LOGS) -> Found:
    """within: seconds back from now (Unix seconds)."""
    try:
        lines, where = await _journal(within), "journal"
        if not lines:
            raise programs.CommandFailed("the journal holds nothing of logins")
    except (programs.CommandFailed, OSError, TimeoutError) as why:
        try:
            lines, where = await asyncio.to_thread(_files, within, now, logs)
        except OSError:
            return Found(unknown=[f"failed logins are not known: {why}; and no log of logins can be read"])
    return Found(list(judge(read(lines), most, within)), looked=[f"logins ({where})"])


async def _journal(within: float) -> Sequence[str]:
    chosen = [part for name in IDENTIFIERS for part in ("-t", name)]
    command = ["journalctl", "--no-pager", "-q", "-o", "cat", "--since", f"-{int(within)}s", *chosen]
    async with asyncio.timeout(20):
        ended = await programs.run(command)
    if ended.status:
        raise programs.CommandFailed(f"journalctl: {ended.complaint}")
    return ended.output.splitlines()


def _files(within: float, now: float, logs: Sequence[Path]) -> tuple[Sequence[str], str]:
    """The lines of the first log that can be read, of that time. Raises OSError."""
    problem: OSError = FileNotFoundError("there is none")
    for path in logs:
        try:
            with path.open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
                lines = file.read(TAIL_BYTES).decode(errors="replace").splitlines()
        except OSError as error:
            problem = error
            continue
        return [line for line in lines if is_since(line, now - within, now)], str(path)
    raise problem


def is_since(line: str, since: float, now: float) -> bool:
    """Whether a line of a log was written since then, by its stamp; one without counts. Pure but for the time zone."""
    stamp = _STAMP.match(line)
    if stamp is None:
        return True
    try:
        if stamp[1]:
            return datetime.fromisoformat(stamp[1]).timestamp() >= since
        local = datetime.fromtimestamp(now).astimezone()
        at = _moment(local.year, stamp[2])
        if at > now + 86400:  # of December, read in January
            at = _moment(local.year - 1, stamp[2])
        return at >= since
    except ValueError:
        return True


def _moment(year: int, stamp: str) -> float:
    """Unix seconds of a time without a year and a zone, which is this machine's."""
    return datetime.strptime(f"{year} {stamp}", "%Y %b %d %H:%M:%S").astimezone().timestamp()
