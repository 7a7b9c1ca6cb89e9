"""apt, on Debian and its descendants, asked as any user may and without taking a lock.

``apt-get`` is the interface that stays the same for scripts (apt(8) says so); ``apt-cache policy`` knows every version.
"""

import re
import shutil
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from exporter.base.programs import CommandFailed, run
from exporter.packages.manager import Update, Updates, newest_change

# Inst openssl [3.0.11-1] (3.0.15-1 Debian:12.8/stable, Debian-Security:12/stable-security [amd64]) [libssl3:amd64 ]
_INSTALL = re.compile(r"Inst (\S+) \[(\S+)\] \((\S+)(?: (.*?))? \[\w+\]\)")
_NAMES_AT_ONCE = 1000
_READS_ONLY = ("-o", "Debug::NoLocking=1", "-o", "Dir::Log::Planner=/dev/null")
"""As root it would write the log of its planner even while it simulates."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a simulated upgrade would do."""

    upgraded: Sequence[Update]
    """As security updates are known those whose newest version is in a security archive."""
    kept_back: Sequence[str]
    phased: Sequence[str]


@dataclass(frozen=True, slots=True)
class Policy:
    """What ``apt-cache policy`` says of one package."""

    installed: str
    candidate: str
    security: bool
    """Whether a version newer than the installed one, the candidate or an older one, is in a security archive."""
    phased: bool
    """Whether a version newer than the installed one reaches only a share of all machines so far."""


def parse_simulation(text: str) -> Simulated:
    """Output of ``apt-get --simulate dist-upgrade``. New packages that an upgrade brings along are no updates. Pure.

    Before apt 2.7, as of Ubuntu 22.04, phased updates are among those that are kept back.
    """
    upgraded = [
        Update(name=match[1], installed=match[2], candidate=match[3], security=_released_for_security(match[4] or ""))
        for line in text.splitlines()
        if (match := _INSTALL.match(line)) is not None
    ]
    kept_back = _names_below("The following packages have been kept back:", text)
    phased = _names_below("The following upgrades have been deferred due to phasing:", text)
    return Simulated(upgraded, [name for name in kept_back if name not in phased], phased)


def _released_for_security(releases: str) -> bool:
    """Whether one of the releases is of security fixes: ``Debian-Security:12/stable-security``, by label or suite."""
    return any(
        label.endswith("-Security") or suite.endswith("-security")
        for release in releases.split(", ")
        for label, _, suite in [release.partition(":")]
    )


def _names_below(heading: str, text: str) -> list[str]:
    """The words of the indented lines that follow a heading."""
    names: list[str] = []
    _, _, rest = text.partition(f"{heading}\n")
    for line in rest.splitlines():
        if not line.startswith(" "):
            break
        names += line.split()
    return names


def parse_policy(text: str) -> Mapping[str, Policy]:
    """Output of ``apt-cache policy NAME...``, by name. Pure.

    Versions come newest first, the installed one marked with ``***``, each followed by the archives that have it:
    ``500 http://security.debian.org/debian-security bookworm-security/main amd64 Packages``. A version that is being
    rolled out has ``(phased 20%)`` after its priority.
    """
    return {name: _policy(lines) for name, lines in _sections(text)}


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    name, lines = "", list[str]()
    for line in text.splitlines():
        if line.startswith(" "):
            lines.append(line)
            continue
        if name:
            yield name, lines
        name, lines = line.removesuffix(":"), []
    if name:
        yield name, lines


def _policy(lines: Iterable[str]) -> Policy:
    versions = {"Installed": "", "Candidate": ""}
    security, phased, in_table = False, False, False
    for line in lines:
        key, _, value = line.strip().partition(": ")
        if line.startswith(" *** "):  # the rest is not newer
            break
        if key in versions and not in_table:
            versions[key] = "" if value == "(none)" else value
        elif line.strip() == "Version table:":
            in_table = True
        elif in_table and line.startswith(" " * 8):
            security = security or _is_security(line.split())
        elif in_table:
            phased = phased or "(phased " in line
    return Policy(versions["Installed"], versions["Candidate"], security, phased)


def _is_security(source: Sequence[str]) -> bool:
    """Whether an archive is one of security fixes, by its suite.

    ``bookworm-security`` and ``stable-security`` of Debian 11 and later, ``buster/updates`` before;
    ``jammy-security`` of Ubuntu, ``jammy-infra-security`` and ``jammy-apps-security`` of its ESM.
    """
    if len(source) < 4:
        return False
    suite = source[2].rpartition("/")[0] or source[2]
    return suite.endswith(("-security", "/updates"))


_UNKNOWN = Policy("", "", security=False, phased=False)


class Apt:
    """apt of this host.

    options: further options for each call, such as ``-o Dir=/srv/another``. state, status: where its lists are,
    and the list of what is installed.
    """

    name = "apt"

    def __init__(
        self,
        options: Sequence[str] = (),
        lists: Path = Path("/var/lib/apt/lists"),
        status: Path = Path("/var/lib/dpkg/status"),
        update_stamp: Path = Path("/var/lib/apt/periodic/update-success-stamp"),
    ) -> None:
        self._options = options
        self._lists = lists
        self._status = status
        self._update_stamp = update_stamp

    @classmethod
    def found(cls, root: Path) -> "Apt | None":
        """apt, where it is what manages the packages."""
        return cls() if shutil.which("apt-get") and (root / "var/lib/dpkg/status").exists() else None

    async def updates(self) -> Updates:
        # Locking would need root, and keep others from upgrading meanwhile.
        simulated = parse_simulation(await self._ask("apt-get", "-q", "--simulate", *_READS_ONLY, "dist-upgrade"))
        upgraded = {update.name: update for update in simulated.upgraded}
        names = [*upgraded, *simulated.kept_back, *simulated.phased]
        policies: dict[str, Policy] = {}
        for start in range(0, len(names), _NAMES_AT_ONCE):
            policies |= parse_policy(
                await self._ask("apt-cache", "policy", "--", *names[start : start + _NAMES_AT_ONCE])
            )

        kept_back = simulated.kept_back
        phased = [*simulated.phased, *(name for name in kept_back if policies.get(name, _UNKNOWN).phased)]

        def known(name: str) -> Update:
            policy = policies.get(name, _UNKNOWN)
            update = upgraded.get(name) or Update(name, policy.candidate, policy.installed)
            return replace(update, security=update.security or policy.security)

        return Updates(
            pending=[known(name) for name in upgraded],
            held_back=[known(name) for name in kept_back if name not in phased],
            phased=[known(name) for name in phased],
        )

    async def _ask(self, program: str, *arguments: str) -> str:
        done = await run([program, *self._options, *arguments])
        if done.status != 0:
            raise CommandFailed(f"{program}: {done.complaint}")
        return done.output

    def stamp(self) -> Hashable:
        return newest_change([self._status]), newest_change([self._lists])

    def lists_refreshed(self) -> float | None:
        # Lists that the archive had no newer ones of stay as they are. Only Ubuntu's hook notes that it was asked.
        return newest_change([self._update_stamp, self._lists / "partial", self._lists])
