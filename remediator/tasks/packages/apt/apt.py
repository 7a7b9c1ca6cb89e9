"""apt as a package manager that is told to do something.

It says what it would do by ``apt-get --simulate``, which runs no hook and takes no lock. Versions are named one by one,
so that nothing but the plan's can be installed. Its exit status tells little (it is 100 though all was installed, where
another package was broken before): who calls this compares what dpkg has before and after.
"""

import asyncio
import contextlib
import os
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from exporter.base.programs import CommandFailed, Finished
from exporter.base.text import counted
from exporter.base.units import format_bytes
from exporter.packages.apt import Policy, parse_policy
from exporter.packages.manager import newest_change
from remediator.config.packages import Packages
from remediator.files.folder import Changed, Identity, open_root
from remediator.model.task import TaskError
from remediator.tasks.packages.apt import simulation, status
from remediator.tasks.packages.apt.simulation import Simulated
from remediator.tasks.packages.locks import wait_until_free
from remediator.tasks.packages.manager import Change, Download, LeftOut, LeftOutFor, Proposal, Spare, State, Worked
from remediator.tasks.packages.system import System
from remediator.tasks.worker import in_thread

ARCHIVES = "/var/cache/apt/archives"
_LISTS = "/var/lib/apt/lists"
_STAMP = "/var/lib/apt/periodic/update-success-stamp"
LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", f"{_LISTS}/lock", f"{ARCHIVES}/lock")
_AT_ONCE = 1000
"""Names in one command."""
_CONFIGURATION = ("dpkg-dist", "dpkg-new", "ucf-dist")
"""How the new file is called that lies beside a changed one."""

_NEVER_ASKS = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBIAN_PRIORITY": "critical",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "APT_LISTCHANGES_FRONTEND": "none",
    "APT_LISTBUGS_FRONTEND": "none",
    "UCF_FORCE_CONFFOLD": "1",
    "NEEDRESTART_SUSPEND": "1",  # its hook would restart services, us among them; it is asked afterwards
}
_KEEP_CONFIGURATION = ("--force-confdef", "--force-confold")
_OPTIONS = (
    "--quiet", "--assume-yes",
    "-o", "Dpkg::Use-Pty=false",
    "-o", "APT::Get::AutomaticRemove=false",
    "-o", "APT::Update::Error-Mode=any",
    *(part for option in _KEEP_CONFIGURATION for part in ("-o", f"Dpkg::Options::={option}")),
)  # fmt: skip
_READS_ONLY = ("--quiet", "-o", "Debug::NoLocking=1", "-o", "Dir::Log::Planner=/dev/null")
"""It would write its log of the planner even while it simulates."""
_SIMULATE = (*_READS_ONLY, "--simulate", "-o", "APT::Get::AutomaticRemove=false")
_NO_POLICY = Policy("", "", security=False, phased=False)


class Apt:
    """apt of a system."""

    name = "apt"
    needs_root = True
    can_undo = True

    def __init__(self, settings: Packages, system: System | None = None, kernel: str = "") -> None:
        """kernel: release of the running one; by default of this machine's."""
        self._settings = settings
        self._system = system or System()
        self._kernel = kernel or os.uname().release
        self._native = ""

    async def state(self) -> State:
        if not self._native:
            self._native = (await self._system.answer("dpkg", "--print-architecture")).strip()
        text = await self._system.answer("dpkg-query", "--show", "--showformat", status.FORMAT)
        automatic = status.parse_extended(await asyncio.to_thread(self._extended), self._native)
        return State(status.parse(text, self._native, automatic), await asyncio.to_thread(self._is_interrupted))

    def _extended(self) -> str:
        with contextlib.suppress(FileNotFoundError):  # nothing is automatic yet
            return self._system.path("/var/lib/apt/extended_states").read_text()
        return ""

    def _is_interrupted(self) -> bool:
        with contextlib.suppress(OSError):
            return any(path.name.isdigit() for path in self._system.path("/var/lib/dpkg/updates").iterdir())
        return False

    async def lists_refreshed(self) -> float | None:
        paths = [self._system.path(path) for path in (_STAMP, f"{_LISTS}/partial", _LISTS)]
        return await asyncio.to_thread(newest_change, paths)

    async def upgrades(self, *, security: bool, for_counting: bool = False) -> Proposal:
        state = await self.state()
        everything = await self._simulate(*self._upgrade)
        names = [one.name for one in everything.installs if one.installed]
        policies = await self._policies([*names, *everything.kept_back, *everything.phased])
        wanted = [
            one
            for one in everything.installs
            if one.installed and not self._is_excluded(one.name) and (policies[one.name].security or not security)
        ]
        simulated = Simulated(wanted, [], [], [])
        named = [f"{one.name}={one.candidate}" for one in wanted]
        if named and not for_counting:
            simulated = await self._simulate("install", *named)
            self._check(simulated)
        sizes = await self._sizes(simulated) if not for_counting else {}
        fetched = await self._to_fetch(named) if not for_counting else {}
        changes = [
            Change(
                one.name,
                one.installed,
                one.candidate,
                origin=one.origin,
                security=policies.get(one.name, _NO_POLICY).security or "-security" in one.origin.lower(),
                download_bytes=fetched.get(f"{one.name.partition(':')[0]}_{one.candidate}", 0),
                installed_bytes=sizes.get((one.name.partition(":")[0], one.candidate), 0) - _bytes(state, one.name),
                automatic=state.packages[one.name].automatic if one.name in state.packages else True,
            )
            for one in simulated.installs
        ]
        gone = [Change(name, version, "", installed_bytes=-_bytes(state, name)) for name, version in simulated.removals]
        left = await self._left(everything, policies, state, {one.name for one in changes})
        return Proposal([*changes, *gone], [one for one in left if one.security or not security])

    @property
    def _upgrade(self) -> Sequence[str]:
        """As ``apt upgrade`` does it: with what an update newly needs, such as the next kernel."""
        return ("dist-upgrade",) if self._settings.allow_removals else ("upgrade", "--with-new-pkgs")

    @property
    def _without_removals(self) -> Sequence[str]:
        return () if self._settings.allow_removals else ("--no-remove",)

    def _is_excluded(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._settings.exclude)

    def _check(self, simulated: Simulated) -> None:
        excluded = [one.name for one in simulated.installs if self._is_excluded(one.name)]
        excluded += [name for name, _ in simulated.removals if self._is_excluded(name)]
        if excluded:
            raise TaskError(f"these updates would also change {', '.join(excluded)}, which packages.exclude names")
        removals = [name for name, _ in simulated.removals]
        if removals and not self._settings.allow_removals:
            raise TaskError(f"these updates would remove {', '.join(removals)}; packages.allow_removals permits that")

    async def _left(
        self, everything: Simulated, policies: dict[str, Policy], state: State, changed: set[str]
    ) -> list[LeftOut]:
        """Of each newer version that is not installed, why."""
        kept = [name for name in everything.kept_back if name not in changed]
        conflicts = [
            name
            for name in kept
            if not (name in state.packages and state.packages[name].held) and not policies[name].phased
        ]
        removed = (await self._simulate("dist-upgrade")) if conflicts else Simulated([], [], [], [])
        removals = ", ".join(name for name, _ in removed.removals)

        def one(name: str, why: LeftOutFor, reason: str) -> LeftOut:
            policy = policies[name]
            return LeftOut(
                name, state.version(name) or policy.installed, policy.candidate, why, reason, policy.security
            )

        left = []
        for name in kept:
            if name not in conflicts:
                phased = policies[name].phased
                held = name in state.packages and state.packages[name].held
                if held:
                    left.append(one(name, "held", "it is held (apt-mark unhold releases it)"))
                elif phased:
                    left.append(one(name, "phased", "the distribution rolls it out step by step"))
            elif removals and name in {each.name for each in removed.installs}:
                left.append(one(name, "kept-back", f"it could only be installed together with removing {removals}"))
            else:
                left.append(one(name, "kept-back", "what it depends on cannot be had"))
        left += [one(name, "phased", "the distribution rolls it out step by step") for name in everything.phased]
        names = [each.name for each in everything.installs if each.installed and self._is_excluded(each.name)]
        return [*left, *(one(name, "excluded", "packages.exclude names it") for name in names)]

    async def spare(self) -> Spare:
        state = await self.state()
        simulated = await self._simulate("autoremove")
        going, notes = [], []
        for name, version in simulated.removals:
            why = self._stays(name, state)
            if why:
                notes.append(f"{name} stays: {why}.")
            else:
                going.append(Change(name, version, "", installed_bytes=-_bytes(state, name), automatic=True))
        return Spare(going, await in_thread(lambda _: self._downloads()), notes)

    def _stays(self, name: str, state: State) -> str:
        if name.endswith(f"-{self._kernel}") or f"-{self._kernel}-" in name:
            return "it belongs to the running kernel"
        if self._is_excluded(name):
            return "packages.exclude names it"
        if name in state.packages and state.packages[name].held:
            return "it is held"
        if name not in state.packages or not state.packages[name].automatic:
            return "somebody asked for it"
        return ""

    def _downloads(self) -> list[Download]:
        import time

        found = []
        try:
            with open_root(str(self._system.path(ARCHIVES))) as folder:
                for name in sorted(folder.names()):
                    facts = folder.stat(name) if name.endswith(".deb") else None
                    if facts is not None and time.time() - facts.st_mtime > self._settings.downloads_min_age:
                        found.append(Download(name, facts.st_blocks * 512, str(Identity.of(facts))))
        except OSError:
            return []
        return found

    async def mend(self) -> Worked:
        await self._lock()
        await self._act("dpkg", *_KEEP_CONFIGURATION, "--configure", "-a")
        if (await self.state()).broken:
            done = await self._get("--fix-broken", "--no-remove", "install")
            return Worked(complaint=simulation.complaint(done.output))
        return Worked()

    async def refresh(self) -> None:
        await self._lock()
        done = await self._get("update")
        if done.status != 0:
            raise TaskError(f"the package lists could not be fetched: {simulation.complaint(done.output)}")
        with contextlib.suppress(OSError):  # lists of which the archive had no newer ones stay as old as they were
            os.utime(self._system.path(f"{_LISTS}/partial"))

    async def install(self, changes: Sequence[Change]) -> Worked:
        await self._lock()
        state = await self.state()
        left = await self._changed_since(changes, state)
        there = {one.name for one in changes if one.candidate and state.version(one.name) == one.candidate}
        wanted = [one for one in changes if one.name not in left and one.name not in there]
        complaint = ""
        begun = await asyncio.to_thread(self._now)
        if wanted:
            complaint = await self._install(wanted, changes)
        automatic = [one.name for one in changes if one.automatic and one.candidate and one.name not in left]
        if automatic:
            await self._act("apt-mark", "auto", *automatic)
        kept = await self._kept([one.name for one in wanted], begun)
        return Worked(complaint, left, kept)

    async def _install(self, wanted: Sequence[Change], planned: Sequence[Change]) -> str:
        names = [f"{one.name}={one.candidate}" if one.candidate else f"{one.name}-" for one in wanted]
        without = self._without_removals if any(not one.candidate for one in planned) else ("--no-remove",)
        simulated = await self._simulate("install", *names)
        beside = _beside(simulated, planned)
        if beside:
            raise TaskError(f"refused: apt would now also {beside}, which the plan does not list; plan again")
        fetched = await self._get("--download-only", *without, "install", *names)
        if fetched.status != 0:
            raise TaskError(f"nothing was changed: {_explained(simulation.complaint(fetched.output))}")
        await asyncio.to_thread(self._check_space, wanted)
        done = await self._get(*without, "install", *names)
        if done.status == 0:
            return ""
        if done.status > 0 and {"unpacked", "waiting for triggers"} & set((await self.state()).broken.values()):
            # One that could not be unpacked stops apt before it has configured the others.
            await self._act("dpkg", *_KEEP_CONFIGURATION, "--configure", "-a")
        return simulation.complaint(done.output)

    async def _changed_since(self, changes: Sequence[Change], state: State) -> dict[str, str]:
        """What is not as it was when it was planned, and how it is now."""
        names = [one.name for one in changes if one.candidate]
        offered: dict[str, set[str]] = {}
        for some in _portions(names):
            offered |= simulation.parse_offered(await self._system.answer("apt-cache", "policy", "--", *some))
        left = {}
        for one in changes:
            now = state.version(one.name)
            if now == one.candidate:
                continue
            if now != one.installed:
                left[one.name] = f"it is {now or 'not installed'} by now"
            elif one.name in state.packages and state.packages[one.name].held:
                left[one.name] = "it is held by now"
            elif self._is_excluded(one.name):
                left[one.name] = "packages.exclude names it by now"
            elif one.candidate and one.candidate not in offered.get(one.name, set()):
                left[one.name] = f"{one.candidate} is no longer offered; plan again"
        return left

    def _check_space(self, wanted: Sequence[Change]) -> None:
        needed = sum(max(0, one.installed_bytes) for one in wanted)
        try:
            facts = os.statvfs(self._system.path("/usr"))
        except OSError:
            return
        free = facts.f_bavail * facts.f_frsize
        if needed > free:
            raise TaskError(
                f"nothing was changed: the new versions take {format_bytes(needed)} more, "
                f"and {format_bytes(free)} are free"
            )

    def _now(self) -> float:
        import time

        return time.time()

    async def _kept(self, names: Sequence[str], since: float) -> list[str]:
        """Configuration files of these that have a new one beside them since then."""
        found: list[str] = []
        for some in _portions(names):
            done = await self._system.ask("dpkg-query", "--show", "--showformat", r"${Conffiles}\n", *some)
            files = [line.split()[0] for line in done.output.splitlines() if line.startswith(" /")]
            found += await asyncio.to_thread(self._newer, files, since)
        return sorted(set(found))

    def _newer(self, files: Iterable[str], since: float) -> list[str]:
        found = []
        for file in files:
            for ending in _CONFIGURATION:
                with contextlib.suppress(OSError):
                    if self._system.path(f"{file}.{ending}").stat().st_ctime >= since - 1:
                        found.append(f"{file}.{ending}")
        return found

    async def remove(self, changes: Sequence[Change]) -> Worked:
        await self._lock()
        state = await self.state()
        simulated = await self._simulate("autoremove")
        spare = dict(simulated.removals)
        left = {}
        for one in changes:
            now = state.version(one.name)
            if now and now != one.installed:
                left[one.name] = f"it is {now} by now"
            elif now and one.name not in spare:
                left[one.name] = "something needs it by now"
            elif now and (why := self._stays(one.name, state)):
                left[one.name] = f"{why} by now"
        names = [one.name for one in changes if one.name not in left and state.version(one.name)]
        if not names:
            return Worked(left_alone=left)
        beside = _beside(await self._simulate("remove", *names), changes)
        if beside:
            raise TaskError(f"refused: apt would now also {beside}, which the plan does not list; plan again")
        done = await self._get("remove", *names)
        return Worked(simulation.complaint(done.output) if done.status != 0 else "", left)

    async def discard(self, downloads: Sequence[Download]) -> int:
        if self._system.euid != 0:
            raise TaskError("only root may delete downloads of apt: docs/how-to/host-updates.md says how")
        await self._lock()
        return await in_thread(lambda _: self._discard(downloads))

    def _discard(self, downloads: Sequence[Download]) -> int:
        freed = 0
        try:
            with open_root(str(self._system.path(ARCHIVES))) as folder:
                for one in downloads:
                    identity = Identity.parse(one.token)
                    with contextlib.suppress(Changed, FileNotFoundError):
                        facts = folder.stat(one.name)
                        identity.check(facts)
                        assert facts is not None
                        folder.discard(one.name)
                        freed += facts.st_blocks * 512
        except OSError as error:
            raise TaskError(f"cannot delete downloads of apt: {error.strerror or error}") from error
        return freed

    async def way_back(self, changes: Sequence[Change]) -> str:
        former = [one for one in changes if one.installed]
        offered: dict[str, set[str]] = {}
        for some in _portions([one.name for one in former]):
            text = await self._system.answer("apt-cache", "madison", *some)
            for line in text.splitlines():
                name, version, *_ = (part.strip() for part in line.split("|"))
                offered.setdefault(name, set()).add(version)
        words = []
        for one in former:
            if one.installed in offered.get(one.name, set()):
                words.append(f"{one.name}={one.installed}")
            elif file := await asyncio.to_thread(self._in_cache, one):
                words.append(file)
        return f"apt-get install --allow-downgrades {' '.join(words)}" if words else ""

    def _in_cache(self, one: Change) -> str:
        start = f"{one.name.partition(':')[0]}_{one.installed.replace(':', '%3a')}_"
        with contextlib.suppress(OSError):
            names = sorted(path.name for path in self._system.path(ARCHIVES).iterdir())
            return next(
                (f"{ARCHIVES}/{name}" for name in names if name.startswith(start) and name.endswith(".deb")), ""
            )
        return ""

    async def _simulate(self, *command: str) -> Simulated:
        done = await self._system.ask("apt-get", *_SIMULATE, *command)
        if done.status != 0:
            raise CommandFailed(f"apt-get: {simulation.complaint(done.output + done.errors) or done.complaint}")
        return simulation.parse(done.output)

    async def _policies(self, names: Sequence[str]) -> dict[str, Policy]:
        found = dict.fromkeys(names, _NO_POLICY)
        for some in _portions(names):
            found.update(parse_policy(await self._system.answer("apt-cache", "policy", "--", *some)))
        return found

    async def _sizes(self, simulated: Simulated) -> dict[tuple[str, str], int]:
        sizes: dict[tuple[str, str], int] = {}
        for some in _portions([f"{one.name}={one.candidate}" for one in simulated.installs]):
            sizes |= simulation.parse_sizes(await self._system.answer("apt-cache", "show", *some))
        return sizes

    async def _to_fetch(self, named: Sequence[str]) -> dict[str, int]:
        if not named:
            return {}
        options = (*_READS_ONLY, "--print-uris", "--assume-yes")
        return simulation.parse_uris(
            await self._system.answer("apt-get", *options, *self._without_removals, "install", *named)
        )

    async def _lock(self) -> None:
        """Waits until nobody else is at the packages. Raises TaskError."""
        paths = [self._system.path(path) for path in LOCKS]
        if self._system.euid == 0:
            await in_thread(lambda stop: wait_until_free(paths, self._settings.lock_timeout, stop.is_set))

    async def _get(self, *command: str) -> Finished:
        return await self._act("apt-get", *_OPTIONS, "-o", "DPkg::Lock::Timeout=30", *command)

    async def _act(self, *command: str) -> Finished:
        return await self._system.act(*command, seconds=self._settings.time_limit, environment=_NEVER_ASKS)


def _bytes(state: State, name: str) -> int:
    return state.packages[name].bytes if name in state.packages else 0


def _beside(simulated: Simulated, planned: Sequence[Change]) -> str:
    """What would be done and is not planned, for people; empty for nothing."""
    versions = {(one.name, one.candidate) for one in planned}
    more = [f"install {one.name} {one.candidate}" for one in simulated.installs
            if (one.name, one.candidate) not in versions]  # fmt: skip
    more += [f"remove {name}" for name, _ in simulated.removals if (name, "") not in versions]
    return ", ".join(more[:3]) + (f" and {counted(len(more) - 3, 'more')}" if len(more) > 3 else "") if more else ""


def _portions(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))


_STALE = re.compile(r"\b404\b|Hash Sum mismatch|File has unexpected size")


def _explained(complaint: str) -> str:
    """With what to do about it, where that is known."""
    if _STALE.search(complaint):
        return f"{complaint} (the lists are older than the archive: apt-get update, then plan again)"
    return complaint
