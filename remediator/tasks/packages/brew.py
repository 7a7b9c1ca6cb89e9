"""Homebrew as a package manager that is told to do something. Its commands: https://docs.brew.sh/Manpage

It cannot be told a version: what it would install is asked right before, and left alone where that is not the plan's.
It does not know which updates are for security, and refuses to run as root.
"""

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from exporter.base.programs import CommandFailed, Finished
from exporter.packages.brew import Brew as Asked
from exporter.packages.brew import parse_outdated
from exporter.packages.manager import Update
from remediator.config.packages import Packages
from remediator.model.task import TaskError
from remediator.tasks.packages.manager import Change, Download, Installed, LeftOut, Proposal, Spare, State, Worked
from remediator.tasks.packages.system import System

_ENVIRONMENT = {
    "HOMEBREW_NO_AUTO_UPDATE": "1",
    "HOMEBREW_NO_ANALYTICS": "1",
    "HOMEBREW_NO_ENV_HINTS": "1",
    "HOMEBREW_NO_INSTALL_CLEANUP": "1",
    "HOMEBREW_NO_INSTALLED_DEPENDENTS_CHECK": "1",
    "NONINTERACTIVE": "1",
}


def parse_installed(text: str) -> dict[str, Installed]:
    """Output of ``brew list --versions``: a name and its versions in each line, the last of which counts. Pure."""
    return {words[0]: Installed(words[-1]) for line in text.splitlines() if len(words := line.split()) > 1}


def parse_autoremove(text: str) -> list[str]:
    """Output of ``brew autoremove --dry-run``: names below a heading that begins with ``==>``. Pure."""
    _, heading, rest = text.partition("==> Would autoremove")
    return [line.strip() for line in rest.splitlines()[1:] if line.strip()] if heading else []


def complaint(said: str) -> str:
    """The first line in which brew says what went wrong; empty for none. Pure."""
    return next((line.removeprefix("Error: ")[:300] for line in said.splitlines() if line.startswith("Error")), "")


class Brew:
    """Homebrew of the user as whom we run. program: its path. cache: where it keeps what it has fetched."""

    name = "brew"
    needs_root = False
    can_undo = False

    def __init__(self, settings: Packages, program: str, system: System | None = None) -> None:
        self._settings = settings
        self._program = program
        self._system = system or System()

    async def state(self) -> State:
        return State(parse_installed(await self._ask("list", "--versions")))

    async def lists_refreshed(self) -> float | None:
        cache = os.environ.get("HOMEBREW_CACHE")
        usual = "Library/Caches/Homebrew" if os.uname().sysname == "Darwin" else ".cache/Homebrew"
        return Asked(self._program, Path(cache) if cache else Path.home() / usual).lists_refreshed()

    async def upgrades(self, *, security: bool, for_counting: bool = False) -> Proposal:
        if security:
            return Proposal(notes=["Homebrew does not tell which updates are for security: see system-update."])
        pending, pinned = await self._outdated()
        state = await self.state()
        changes = [
            Change(one.name, state.version(one.name) or one.installed, one.candidate)
            for one in pending
            if not self._is_excluded(one.name)
        ]
        left = [LeftOut(one.name, one.installed, one.candidate, "held", "it is pinned (brew unpin)") for one in pinned]
        left += [
            LeftOut(one.name, one.installed, one.candidate, "excluded", "packages.exclude names it")
            for one in pending
            if self._is_excluded(one.name)
        ]
        return Proposal(changes, left)

    async def spare(self) -> Spare:
        state = await self.state()
        names = parse_autoremove(await self._ask("autoremove", "--dry-run"))
        return Spare([Change(name, state.version(name), "") for name in names if not self._is_excluded(name)])

    async def mend(self) -> Worked:
        return Worked()  # it puts a version in place in one step

    async def refresh(self) -> None:
        done = await self._act("update", "--quiet")
        if done.status != 0:
            raise TaskError(f"the package lists could not be fetched: {complaint(done.output)}")

    async def install(self, changes: Sequence[Change]) -> Worked:
        offered = {one.name: one.candidate for one in (await self._outdated())[0]}
        state = await self.state()
        left, names = {}, []
        for one in changes:
            if state.version(one.name) == one.candidate:
                continue
            if state.version(one.name) != one.installed:
                left[one.name] = f"it is {state.version(one.name) or 'not installed'} by now"
            elif offered.get(one.name) != one.candidate:
                left[one.name] = f"brew would now install {offered.get(one.name, 'nothing')}; plan again"
            else:
                names.append(one.name)
        if not names:
            return Worked(left_alone=left)
        fetched = await self._act("fetch", *names)
        if fetched.status != 0:
            raise TaskError(f"nothing was changed: {complaint(fetched.output)}")
        done = await self._act("upgrade", *names)
        return Worked(complaint(done.output) if done.status != 0 else "", left)

    async def remove(self, changes: Sequence[Change]) -> Worked:
        spare = set(parse_autoremove(await self._ask("autoremove", "--dry-run")))
        there = [one for one in changes if (await self.state()).version(one.name)]
        left = {one.name: "something needs it by now" for one in there if one.name not in spare}
        names = [one.name for one in there if one.name not in left]
        if not names:
            return Worked(left_alone=left)
        done = await self._act("uninstall", *names)
        return Worked(complaint(done.output) if done.status != 0 else "", left)

    async def discard(self, downloads: Sequence[Download]) -> int:
        return 0  # left to `brew cleanup`

    async def way_back(self, changes: Sequence[Change]) -> str:
        return ""

    def _is_excluded(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._settings.exclude)

    async def _outdated(self) -> tuple[Sequence[Update], Sequence[Update]]:
        return parse_outdated(await self._ask("outdated", "--json=v2"))

    async def _ask(self, *command: str) -> str:
        done = await self._system.ask(self._program, *command, environment=_environment())
        if done.status != 0:
            raise CommandFailed(f"brew {command[0]}: {complaint(done.errors) or done.complaint}")
        return done.output

    async def _act(self, *command: str) -> Finished:
        return await self._system.act(
            self._program, *command, seconds=self._settings.time_limit, environment=_environment(), needs_root=False
        )


def _environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name.startswith("HOMEBREW_")}
    return {**own, **_ENVIRONMENT}
