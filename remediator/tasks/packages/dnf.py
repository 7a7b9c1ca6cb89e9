"""dnf 4 and dnf 5 as a package manager that is told to do something. Packages have their architecture in their names.

What it would do it says in the table of its transaction, with ``--assumeno``. Told to install, it is given name,
version and architecture of each, and before that the table once more: it has no option that forbids removals.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from exporter.base.programs import CommandFailed, Finished
from exporter.packages.dnf import Dnf as Asked
from exporter.packages.dnf import parse_check_update
from remediator.config.packages import Packages
from remediator.model.task import TaskError
from remediator.tasks.packages.manager import (
    Change,
    Download,
    Installed,
    LeftOut,
    Proposal,
    Spare,
    State,
    Worked,
)
from remediator.tasks.packages.system import System

_FORMAT = r"%{INSTALLTIME}\t%{NAME}.%{ARCH}\t%{EPOCHNUM}\t%{VERSION}-%{RELEASE}\t%{SIZE}\n"
# " lib             noarch             1.1-1               local             6.2 k", dnf 5: "4.9 KiB"
_LINE = re.compile(r" (\S+) +(\S+) +(\S+) +(\S+) +([\d.]+) (\S+)$")
_INSTALLING = re.compile(r"(Upgrading|Installing|Reinstalling|Downgrading)\b.*:$")
_REMOVING = re.compile(r"Removing\b.*:$")
_UNITS = {"": 0, "B": 0, "k": 1, "KiB": 1, "M": 2, "MiB": 2, "G": 3, "GiB": 3}


@dataclass(frozen=True, slots=True)
class Line:
    """A package of a transaction's table. name: with its architecture."""

    name: str
    version: str
    repository: str
    bytes: int


def parse_transaction(text: str) -> tuple[list[Line], list[Line]]:
    """Output of ``dnf --assumeno``: what would be installed or upgraded, and what removed. Pure."""
    there: list[Line] = []
    gone: list[Line] = []
    section: list[Line] | None = None
    for line in text.splitlines():
        if line.startswith("Transaction Summary"):
            break
        if not line.startswith(" "):
            section = there if _INSTALLING.match(line) else gone if _REMOVING.match(line) else None
        elif section is not None and (found := _LINE.match(line)) is not None:
            size = float(found[5]) * 1024 ** _UNITS.get(found[6], 0)
            section.append(Line(f"{found[1]}.{found[2]}", found[3], found[4], int(size)))
    return there, gone


def parse_replaced(text: str) -> list[tuple[str, str]]:
    """Of the same output: packages that go because another takes their place (it obsoletes them), each with that one.

    Both generations list what a package replaces below it, its own former version too. That, and no removal, is all
    that the table says of an obsoleted one. Pure.
    """
    replaced: list[tuple[str, str]] = []
    by = ""
    for line in text.splitlines():
        if line.startswith("Transaction Summary"):
            break
        words = line.split()
        if words[:1] == ["replacing"] and line.startswith("  ") and len(words) in (3, 7):
            old = words[1] if len(words) == 3 else f"{words[1]}.{words[2]}"  # dnf 4: NAME.ARCH VERSION
            if by and _bare(old) != _bare(by):
                replaced.append((old, by))
        elif (found := _LINE.match(line)) is not None:
            by = f"{found[1]}.{found[2]}"
    return replaced


def parse_installed(text: str) -> dict[str, Installed]:
    """Output of ``rpm --query --all``. Of kernels, side by side, the last installed one counts. Pure."""
    lines = [line.split("\t") for line in text.splitlines() if line.count("\t") == 4]
    return {
        name: Installed(f"{epoch}:{version}" if epoch != "0" else version, bytes=int(size) if size.isdigit() else 0)
        for _, name, epoch, version, size in sorted(lines, key=lambda line: int(line[0]))
    }


def complaint(said: str) -> str:
    """The first line in which dnf says what went wrong; empty for none. Pure."""
    return next((line.removeprefix("Error: ")[:300] for line in said.splitlines() if line.startswith("Error")), "")


class Dnf:
    """dnf of a system. program: ``dnf5`` or ``dnf``."""

    name = "dnf"
    needs_root = True
    can_undo = True

    def __init__(self, settings: Packages, program: str, system: System | None = None) -> None:
        self._settings = settings
        self._program = program
        self._system = system or System()

    async def state(self) -> State:
        return State(parse_installed(await self._system.answer("rpm", "--query", "--all", "--queryformat", _FORMAT)))

    async def lists_refreshed(self) -> float | None:
        return Asked(self._program, self._system.root).lists_refreshed()

    async def upgrades(self, *, security: bool, for_counting: bool = False) -> Proposal:
        state = await self.state()
        table = await self._table("upgrade", *(["--security"] if security else []), *self._excludes)
        there, gone = parse_transaction(table)
        gone, notes = _without_rotated(there, gone)
        notes += [f"{old} goes: {by} takes its place." for old, by in parse_replaced(table)]
        self._check_removals(gone)
        fixes = {one.name for one in await self._pending("--security")}
        changes = [self._change(one, state, security=one.name in fixes) for one in there]
        changes += [Change(one.name, state.version(one.name), "", installed_bytes=-one.bytes) for one in gone]
        named = {one.name for one in changes}
        left = [
            LeftOut(one.name, state.version(one.name), one.candidate, "kept-back",
                    "dnf would not install it: excluded, or in conflict", one.name in fixes)
            for one in await self._pending(*(["--security"] if security else []))
            if one.name not in named
        ]  # fmt: skip
        return Proposal(changes, left, notes)

    @property
    def _excludes(self) -> Sequence[str]:
        return [f"--exclude={pattern}" for pattern in self._settings.exclude]

    def _check_removals(self, gone: Sequence[Line]) -> None:
        if gone and not self._settings.allow_removals:
            names = ", ".join(one.name for one in gone)
            raise TaskError(f"these updates would remove {names}; packages.allow_removals permits that")

    def _change(self, one: Line, state: State, *, security: bool) -> Change:
        return Change(one.name, state.version(one.name), one.version, one.repository, security, one.bytes)

    async def _pending(self, *arguments: str) -> Sequence[Change]:
        done = await self._system.ask(self._program, "--quiet", "--cacheonly", "check-update", *arguments)
        if done.status not in (0, 100):
            raise CommandFailed(f"{self._program} check-update: {done.complaint}")
        return [Change(one.name, "", one.candidate) for one in parse_check_update(done.output)]

    async def spare(self) -> Spare:
        _, gone = await self._simulate("autoremove", *self._excludes)
        kernel = [one for one in gone if one.name.startswith("kernel")]
        notes = [f"{one.name} {one.version} stays: kernels are left to dnf's installonly_limit." for one in kernel]
        going = [one for one in gone if one not in kernel]
        return Spare(
            [Change(one.name, one.version, "", installed_bytes=-one.bytes, automatic=True) for one in going], (), notes
        )

    async def mend(self) -> Worked:
        return Worked()  # rpm's own transactions leave nothing that could be continued

    async def refresh(self) -> None:
        done = await self._act("makecache", "--refresh")
        if done.status != 0:
            raise TaskError(f"the package lists could not be fetched: {complaint(done.output)}")

    async def install(self, changes: Sequence[Change]) -> Worked:
        state = await self.state()
        left = {
            one.name: f"it is {state.version(one.name) or 'not installed'} by now"
            for one in changes
            if state.version(one.name) not in (one.installed, one.candidate)
        }
        left |= {one.name: "packages.exclude names it by now" for one in changes if self._is_excluded(one.name)}
        wanted = [one for one in changes if one.candidate and one.installed and one.name not in left]
        wanted = [one for one in wanted if state.version(one.name) != one.candidate]
        if not wanted:
            return Worked(left_alone=left)
        names = [_nevra(one.name, one.candidate) for one in wanted]
        there, gone = await self._simulate("upgrade", *names)
        _refuse_beside(there, _without_rotated(there, gone)[0], changes)
        fetched = await self._act("--assumeyes", "--downloadonly", "upgrade", *names)
        if fetched.status != 0:
            raise TaskError(f"nothing was changed: {complaint(fetched.output)}")
        done = await self._act("--assumeyes", "--setopt=clean_requirements_on_remove=False", "upgrade", *names)
        return Worked(complaint(done.output) if done.status != 0 else "", left)

    def _is_excluded(self, name: str) -> bool:
        return any(fnmatchcase(word, pattern) for pattern in self._settings.exclude for word in (name, _bare(name)))

    async def remove(self, changes: Sequence[Change]) -> Worked:
        _, spare = await self._simulate("autoremove", *self._excludes)
        going = {(one.name, one.version) for one in spare}
        there = [one for one in changes if (await self.state()).version(one.name)]
        left = {one.name: "something needs it by now" for one in there if (one.name, one.installed) not in going}
        names = [_nevra(one.name, one.installed) for one in there if one.name not in left]
        if not names:
            return Worked(left_alone=left)
        keep = "--setopt=clean_requirements_on_remove=False"
        _refuse_beside(*await self._simulate(keep, "remove", *names), changes)
        done = await self._act("--assumeyes", keep, "remove", *names)
        return Worked(complaint(done.output) if done.status != 0 else "", left)

    async def discard(self, downloads: Sequence[Download]) -> int:
        return 0  # dnf deletes its own downloads once they are installed

    async def way_back(self, changes: Sequence[Change]) -> str:
        return f"{self._program} history undo last"

    async def _simulate(self, *command: str) -> tuple[list[Line], list[Line]]:
        return parse_transaction(await self._table(*command))

    async def _table(self, *command: str) -> str:
        """What it would do, as it tells it."""
        done = await self._system.ask(self._program, "--cacheonly", "--assumeno", *command)
        if done.status not in (0, 1) or (said := complaint(done.errors)):
            raise CommandFailed(f"{self._program}: {said if done.status in (0, 1) else done.complaint}")
        return done.output

    async def _act(self, *command: str) -> Finished:
        return await self._system.act(self._program, *command, seconds=self._settings.time_limit)


def _bare(name: str) -> str:
    return name.rpartition(".")[0] or name


def _nevra(name: str, version: str) -> str:
    bare, _, architecture = name.rpartition(".")
    return f"{bare}-{version}.{architecture}"


def _without_rotated(there: Sequence[Line], gone: Sequence[Line]) -> tuple[list[Line], list[str]]:
    """Removals without those of what is installed side by side, and a note on these. Never the running kernel: dnf
    protects that by itself.
    """
    new = {one.name for one in there}
    rotated = [one for one in gone if one.name in new]
    notes = [f"{one.name} {one.version} goes, the oldest by dnf's installonly_limit." for one in rotated]
    return [one for one in gone if one.name not in new], notes


def _refuse_beside(there: Iterable[Line], gone: Iterable[Line], planned: Sequence[Change]) -> None:
    wanted = {(one.name, one.candidate) for one in planned}
    beside = [f"install {one.name} {one.version}" for one in there if (one.name, one.version) not in wanted]
    beside += [f"remove {one.name}" for one in gone if (one.name, "") not in wanted]
    if beside:
        raise TaskError(
            f"refused: dnf would now also {', '.join(beside[:3])}, which the plan does not list; plan again"
        )
