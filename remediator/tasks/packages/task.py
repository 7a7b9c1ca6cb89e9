"""security-update, system-update and package-cleanup, on whichever package managers the host has."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted
from exporter.base.units import format_bytes, format_duration
from remediator.config.config import Config
from remediator.config.packages import Packages
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.model.taskfacts import TaskFacts
from remediator.tasks.packages.apt.apt import Apt
from remediator.tasks.packages.brew import Brew
from remediator.tasks.packages.containers import Containers, engines, note
from remediator.tasks.packages.dnf import Dnf
from remediator.tasks.packages.facts import PACKAGE_CLEANUP, SECURITY_UPDATE, SYSTEM_UPDATE, programs
from remediator.tasks.packages.judge import judge
from remediator.tasks.packages.manager import Change, Download, Manager, Proposal, Spare, State
from remediator.tasks.packages.restarts import restarts
from remediator.tasks.packages.rows import row_left, row_of
from remediator.tasks.packages.system import System
from remediator.tasks.resources import Resources

MEND, REFRESH, UPDATE, REMOVE, DISCARD = "mend", "refresh-lists", "update", "remove-packages", "delete-downloads"

Managers = Callable[[], Sequence[Manager]]


def found(settings: Packages) -> Sequence[Manager]:
    """The package managers of this host."""
    made: Mapping[str, Callable[[str], Manager]] = {
        "apt": lambda _: Apt(settings),
        "dnf": lambda program: Dnf(settings, program),
        "brew": lambda program: Brew(settings, program),
    }
    return [made[name](program) for name, program in programs().items()]


class _Packages:
    """What all of them have in common. managers: of the host. containers: on it. clock: Unix seconds."""

    facts: TaskFacts
    parameters = Parameters

    def __init__(
        self,
        settings: Packages,
        managers: Managers | None = None,
        system: System | None = None,
        clock: Callable[[], float] = time.time,
        containers: Containers | None = None,
    ) -> None:
        self._containers = containers
        self._settings = settings
        self._managers = managers or (lambda: found(settings))
        self._system = system or System()
        self._clock = clock
        self.action_timeout = 4 * settings.time_limit + settings.lock_timeout + 300.0

    async def targets(self) -> Sequence[str]:
        return [one.name for one in self._managers()]

    def _manager(self, target: str) -> Manager:
        found = {one.name: one for one in self._managers()}
        if target not in found:
            raise TaskError(f"this host has no package manager {target}; it has {', '.join(found) or 'none'}")
        return found[target]

    async def _mend(self, manager: Manager) -> Effect:
        before = await manager.state()
        if not before.broken and not before.interrupted:
            return Effect(state="skipped", detail="nothing is interrupted any more")
        worked = await manager.mend()
        after = await manager.state()
        left = [f"{name} is {state}" for name, state in after.broken.items()]
        if after.interrupted:
            left.append(f"{manager.name} is still interrupted")
        if not left:
            return Effect(state="done", detail=f"mended {_names(list(before.broken)) or 'what was interrupted'}")
        said = "; ".join([*left[:5], *([worked.complaint] if worked.complaint else [])])
        if set(after.broken) < set(before.broken):
            return Effect(state="partial", detail=said)
        raise TaskError(said)

    def _rights(self, manager: Manager) -> list[str]:
        refusal = self._system.refusal() if manager.needs_root else ""
        return [f"{refusal[0].upper()}{refusal[1:]}."] if refusal else []


class _Update(_Packages):
    """Brings packages to newer versions. security: only those that fix a security problem, and what they need."""

    security: bool

    async def measure(self, target: str) -> Measurement:
        """Values: ``updates`` that would be installed, ``security_updates`` that wait, held ones too, ``left_out``,
        ``broken`` packages.
        """
        manager = self._manager(target)
        state = await manager.state()
        broken = len(state.broken) + int(state.interrupted)
        try:
            proposal = await manager.upgrades(security=self.security, for_counting=True)
        except UpkeeperError as error:
            if not broken:
                raise
            values = {"updates": 0.0, "security_updates": 0.0, "left_out": 0.0, "broken": float(broken)}
            return Measurement(breached=True, values=values, detail=str(error))
        return measured(proposal, broken, security=self.security)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        manager = self._manager(target)
        state = await manager.state()
        actions, notes = [], []
        if state.broken or state.interrupted:
            actions.append(mend_action(manager.name, state))
        lists = await manager.lists_refreshed()
        if lists is not None and self._clock() - lists > self._settings.refresh_after:
            age = format_duration(max(1, round((self._clock() - lists) / 60)) * 60)
            actions.append(
                Action(kind=REFRESH, object="package lists", reason=f"they are {age} old", identity=manager.name)
            )
            notes.append("What came since the lists were fetched is not in this plan: run it again afterwards.")
        try:
            proposal = await manager.upgrades(security=self.security)
        except UpkeeperError as error:
            if not actions:
                raise
            notes.append(f"What to update can only be told after that: {error}.")
            return Plan(actions=actions, notes=[*notes, *self._rights(manager)])
        if proposal.changes:
            actions.append(update_action(proposal.changes))
        rows = [*map(row_of, proposal.changes), *map(row_left, proposal.left)]
        engine = engines(proposal.changes)
        if engine:
            notes.append(note(engine, await self._containers.running() if self._containers else None))
        told = [*notes, *proposal.notes, *notes_on(proposal), *(self._rights(manager) if actions else [])]
        return Plan(actions=actions, rows=rows, notes=told)

    async def apply(self, target: str, action: Action) -> Effect:
        manager = self._manager(target)
        if action.kind == MEND:
            return await self._mend(manager)
        if action.kind == REFRESH:
            await manager.refresh()
            return Effect(state="done", detail="fetched")
        if action.kind != UPDATE:
            raise TaskError(f"{self.facts.name} does not know how to {action.kind}")
        changes = changes_of(action)
        engine = self._containers if engines(changes) else None
        running = await engine.running() if engine else None
        before = await manager.state()
        worked = await manager.install(changes)
        after = await manager.state()
        new = [one for one in changes if one.candidate and before.version(one.name) != after.version(one.name)]
        effect = judge(changes, before, after, worked, await self._afterwards(manager, new))
        if engine and running and new and (bad := await engine.not_back(running)):
            how = f"{effect.detail}; containers that ran before and are not well: {', '.join(bad[:20])}"
            return effect.model_copy(update={"state": "partial", "detail": how})
        return effect

    async def _afterwards(self, manager: Manager, new: Sequence[Change]) -> str:
        if not new:
            return ""
        back = await manager.way_back(new) if manager.can_undo else ""
        return "; ".join(
            [part for part in (await restarts(self._system), f"to go back: {back}" if back else "") if part]
        )

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """Fewer updates wait, or fewer packages are broken."""
        return any(after.values[name] < before.values[name] for name in ("updates", "security_updates", "broken"))


class SecurityUpdate(_Update):
    """security-update."""

    facts = SECURITY_UPDATE
    security = True


class SystemUpdate(_Update):
    """system-update."""

    facts = SYSTEM_UPDATE
    security = False


class PackageCleanup(_Packages):
    """package-cleanup."""

    facts = PACKAGE_CLEANUP

    async def measure(self, target: str) -> Measurement:
        """Values: ``removable`` packages, their ``removable_bytes``, ``download_bytes`` that may go."""
        spare = await self._manager(target).spare()
        values = {
            "removable": float(len(spare.packages)),
            "removable_bytes": float(_freed(spare.packages)),
            "download_bytes": float(sum(one.bytes for one in spare.downloads)),
        }
        size = format_bytes(int(values["removable_bytes"] + values["download_bytes"]))
        packages, downloads = counted(len(spare.packages), "package"), counted(len(spare.downloads), "download")
        detail = f"{packages} and {downloads} to spare, {size}"
        return Measurement(breached=False, values=values, detail=detail)

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        manager = self._manager(target)
        state = await manager.state()
        actions = [mend_action(manager.name, state)] if state.broken or state.interrupted else []
        spare = await manager.spare()
        actions += cleanup_actions(spare)
        notes = [*spare.notes, *(self._rights(manager) if actions else [])]
        return Plan(actions=actions, rows=[row_of(one) for one in spare.packages], notes=notes)

    async def apply(self, target: str, action: Action) -> Effect:
        manager = self._manager(target)
        if action.kind == MEND:
            return await self._mend(manager)
        if action.kind == DISCARD:
            downloads = [Download(one["name"], 0, one["token"]) for one in _dictionaries(action, "downloads")]
            freed = await manager.discard(downloads)
            return Effect(state="done" if freed else "skipped", detail="deleted" if freed else "gone or changed by now",
                          freed_bytes=freed)  # fmt: skip
        if action.kind != REMOVE:
            raise TaskError(f"{self.facts.name} does not know how to {action.kind}")
        changes = changes_of(action)
        before = await manager.state()
        worked = await manager.remove(changes)
        return judge(changes, before, await manager.state(), worked)

    def improved(self, before: Measurement, after: Measurement) -> bool:
        """Fewer packages or downloads are to spare."""
        return any(after.values[name] < before.values[name] for name in before.values)


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    containers = Containers(lambda: resources.docker)
    kinds = (SecurityUpdate, SystemUpdate, PackageCleanup)
    return [each(config.packages, containers=containers) for each in kinds]


def measured(proposal: Proposal, broken: int, *, security: bool) -> Measurement:
    """What waits. A security update that is held waits too, as its alert counts it. Pure."""
    updates = [one for one in proposal.changes if one.candidate]
    fixes = sum(one.security for one in updates)
    open_ = sum(one.security and one.why in ("held", "kept-back", "excluded") for one in proposal.left)
    values = {
        "updates": float(len(updates)),
        "security_updates": float(fixes + open_),
        "left_out": float(len(proposal.left)),
        "broken": float(broken),
    }
    detail = f"{counted(len(updates), 'update')} to install, {fixes} for security"
    if proposal.left:
        detail += f"; left out: {_names([f'{one.name} ({one.why})' for one in proposal.left])}"
    if broken:
        detail += "; packages are half installed"
    return Measurement(breached=broken > 0 or (security and fixes + open_ > 0), values=values, detail=detail)


def mend_action(manager: str, state: State) -> Action:
    """Ends what was interrupted: it comes before everything else."""
    broken = [f"{name} is {how}" for name, how in state.broken.items()]
    return Action(
        kind=MEND,
        object=_names(list(state.broken)) or manager,
        reason="; ".join(broken[:5]) or f"{manager} was interrupted",
        items=max(1, len(broken)),
        identity=" ".join(broken),
    )


def update_action(changes: Sequence[Change]) -> Action:
    """All in one: they may need each other. What makes it this action are the names and versions."""
    fixes = sum(one.security for one in changes)
    gone = sum(not one.candidate for one in changes)
    reason = f"{counted(fixes, 'security update')}" if fixes else "newer versions"
    if gone:
        reason += f"; removes {_names([one.name for one in changes if not one.candidate])}"
    return Action(
        kind=UPDATE,
        object=f"{counted(len(changes), 'package')}: {_names([one.name for one in changes])}",
        reason=reason,
        items=len(changes),
        params=_packed(changes),
        identity=_identity(changes),
    )


def cleanup_actions(spare: Spare) -> list[Action]:
    """One for the packages, one for the downloads. Pure."""
    actions = []
    if spare.packages:
        actions.append(
            Action(
                kind=REMOVE,
                object=f"{counted(len(spare.packages), 'package')}: {_names([one.name for one in spare.packages])}",
                reason="nothing that is installed needs them any more",
                items=len(spare.packages),
                estimated_bytes=_freed(spare.packages),
                params=_packed(spare.packages),
                identity=_identity(spare.packages),
            )
        )
    if spare.downloads:
        actions.append(
            Action(
                kind=DISCARD,
                object=counted(len(spare.downloads), "download"),
                reason="older than packages.downloads_min_age",
                items=len(spare.downloads),
                estimated_bytes=sum(one.bytes for one in spare.downloads),
                params={"downloads": [{"name": one.name, "token": one.token} for one in spare.downloads]},
            )
        )
    return actions


def _packed(changes: Sequence[Change]) -> dict[str, Any]:
    return {
        "packages": [
            {"name": one.name, "from": one.installed, "to": one.candidate, "automatic": one.automatic,
             "bytes": one.installed_bytes}
            for one in changes
        ]
    }  # fmt: skip


def changes_of(action: Action) -> list[Change]:
    """What an action of a plan is to change."""
    return [
        Change(one["name"], one["from"], one["to"], automatic=one["automatic"], installed_bytes=one["bytes"])
        for one in _dictionaries(action, "packages")
    ]


def _dictionaries(action: Action, key: str) -> Sequence[Mapping[str, Any]]:
    found = action.params[key]
    assert isinstance(found, list)
    return [one for one in found if isinstance(one, dict)]


def _identity(changes: Sequence[Change]) -> str:
    return " ".join(sorted(f"{one.name}={one.installed}>{one.candidate}" for one in changes))


def _freed(packages: Sequence[Change]) -> int:
    return max(0, -sum(one.installed_bytes for one in packages))


def notes_on(proposal: Proposal) -> list[str]:
    """What a person should know before he approves. Pure."""
    notes = []
    if proposal.changes:
        fetched = sum(one.download_bytes for one in proposal.changes)
        grown = sum(one.installed_bytes for one in proposal.changes)
        more = f"{format_bytes(abs(grown))} {'more' if grown >= 0 else 'less'} when installed"
        notes.append(f"{format_bytes(fetched)} to fetch, {more}.")
    notes += [_line(one) for one in proposal.changes[:_NOTED]]
    if len(proposal.changes) > _NOTED:
        notes.append(f"And {len(proposal.changes) - _NOTED} more: --json lists all of them.")
    gone = [one.name for one in proposal.changes if not one.candidate]
    if gone:
        notes.append(f"Would be removed: {', '.join(gone)}.")
    notes += [f"{one.name} {one.candidate} is left out: {one.reason}." for one in proposal.left[:_NOTED]]
    return notes


_NOTED = 100


def _line(change: Change) -> str:
    """A change for people: ``openssl 3.0.11-1 -> 3.0.15-1, for security, from Debian-Security:12/stable-security.``"""
    parts = [f"{change.name} {change.installed or '(new)'} -> {change.candidate or '(removed)'}"]
    parts += ["for security"] if change.security else []
    parts += [f"from {change.origin}"] if change.origin else []
    parts += [format_bytes(change.download_bytes)] if change.download_bytes else []
    return ", ".join(parts) + "."


def _names(names: Sequence[str]) -> str:
    shown, more = names[:5], len(names) - 5
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
