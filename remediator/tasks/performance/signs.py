"""What is worth doing by what is known already: alerts that fire, what will be full, images that wait, the load. Pure.

A label of an alert only selects a target: one that the config names, or where no config names them one that looks like
a name. It goes into no more than the text of a command, which a person reads.
"""

import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from exporter.base.text import counted, format_time
from remediator.decide.remedies import Remedies
from remediator.tasks.performance.rows import AdviceRow

DAY = 86400.0
Labels = Mapping[str, str]
Targets = Mapping[str, Collection[str]]
"""By task, the targets that the config names; none of a task whose targets no config names."""

BY_ALERT: Mapping[str, tuple[str, str]] = {
    "UpkeeperHostOverloaded": ("performance-check", "=all"),
    "UpkeeperMemoryShort": ("performance-check", "=all"),
    "UpkeeperContainerMemoryNearLimit": ("performance-check", "=all"),
    "UpkeeperFilesystemFilling": ("comprehensive-cleanup", "=all"),
    "UpkeeperFilesystemFull": ("comprehensive-cleanup", "=all"),
    "UpkeeperInodesShort": ("comprehensive-cleanup", "=all"),
    "UpkeeperRebootOverdue": ("reboot", "=host"),
    "UpkeeperBackupOverdue": ("backup", "backup"),
    "UpkeeperBackupNoRoom": ("backup-retention", "backup"),
    "UpkeeperBackupVerifyOverdue": ("backup-verification", "backup"),
    "UpkeeperBackupUnproven": ("backup-verification", "backup"),
    "UpkeeperContainerRestartLoop": ("diagnose", "=all"),
    "UpkeeperContainerOomKilled": ("diagnose", "=all"),
    "UpkeeperConfigFindingCritical": ("configuration-audit", "=all"),
    "UpkeeperConfigFindings": ("configuration-audit", "=all"),
    "UpkeeperImageCheckFailing": ("image-check", "=all"),
}
"""What is done about alerts of ours that no remedy of the config is for: task, and target (=TARGET) or its label."""
BY_SINK: Mapping[str, str] = {
    "filesystem": "docker-cleanup",
    "inodes": "docker-cleanup",
    "docker": "docker-cleanup",
    "logs": "log-rotation",
    "backup": "backup-retention",
    "database": "postgres-maintenance",
    "wal": "postgres-maintenance",
    "sqlite": "sqlite-shrink",
    "neo4j": "neo4j-maintenance",
    "memory": "performance-check",
}
_FIXED = {"docker-cleanup": "docker", "performance-check": "all"}
_NAME = re.compile(r"[\w.:/@-]{1,200}", re.ASCII)


def command(verb: str, task: str, target: str) -> str:
    return f"upkeeper {verb} {task} {shlex.quote(target)}"


def of_alerts(
    firing: Iterable[tuple[Labels, Labels, float]], remedies: Remedies, targets: Targets
) -> Iterator[AdviceRow]:
    """By alerts that fire: labels, annotations, since when. What the first remedy that selects a target would do."""
    for labels, annotations, _ in firing:
        name = labels.get("alertname", "")
        choices = [(one.remedy.task, one.target) for one in remedies.select(labels)]
        if name in BY_ALERT:
            task, place = BY_ALERT[name]
            choices.append((task, place[1:] if place.startswith("=") else labels.get(place)))
        chosen = next(((task, target) for task, target in choices if target and _is_one(task, target, targets)), None)
        if chosen is not None and chosen[1] is not None:
            said = " ".join((annotations.get("summary") or name).split())
            yield _row(chosen[0], chosen[1], said, breached=True, critical=labels.get("severity") == "critical")


def of_forecasts(rows: Iterable[Mapping[str, Any]], now: float, within: float, targets: Targets) -> Iterator[AdviceRow]:
    """By what capacity-planning foretold last: what will be full within so many seconds."""
    for row in rows:
        full_at, sink = row.get("full_at"), str(row.get("sink", ""))
        kind, _, name = sink.partition(":")
        task = BY_SINK.get(kind)
        if not isinstance(full_at, int | float) or full_at - now > within or task is None:
            continue
        target = _FIXED.get(task) or name.split("/")[0]
        if target and _is_one(task, target, targets):
            days = max(0, round((full_at - now) / DAY))
            when = f"in {counted(days, 'day')}" if days else "now"
            yield _row(task, target, f"{sink} will be full {when}", breached=full_at <= now)


def of_images(waiting: Iterable[tuple[str, float | None]]) -> Iterator[AdviceRow]:
    """By services for which a new image waits, and since when."""
    for target, since in waiting:
        at = f" since {format_time(since)[:10]}" if since is not None else ""
        yield _row("image-update", target, f"a new image waits{at}")


def of_load(load: float, cpus: int, most: float) -> Iterator[AdviceRow]:
    """By the load of the last 15 minutes. most: for each CPU."""
    if cpus and load / cpus > most:
        why = f"load of {load / cpus:.1f} for each CPU, {most:g} at most: it tells what uses them"
        yield _row("performance-check", "all", why, breached=True)


def joined(own: Sequence[AdviceRow], others: Iterable[AdviceRow]) -> list[AdviceRow]:
    """Each task and target once: what the task says itself has the figures, and the signs say how much it matters."""
    found = list(own)
    places = {(row.task, row.target): place for place, row in enumerate(found)}
    for row in others:
        place = places.setdefault((row.task, row.target), len(found))
        if place == len(found):
            found.append(row)
            continue
        known = found[place]
        worse = {"breached": known.breached or row.breached, "critical": known.critical or row.critical}
        why = known.why if row.why in known.why else f"{known.why}; {row.why}"
        found[place] = known.model_copy(update={**worse, "why": why})
    return found


def _is_one(task: str, target: str, targets: Targets) -> bool:
    return target in targets[task] if task in targets else bool(_NAME.fullmatch(target))


def _row(task: str, target: str, why: str, *, breached: bool = False, critical: bool = False) -> AdviceRow:
    return AdviceRow(
        task=task,
        target=target,
        why=why,
        actions=0,
        breached=breached,
        critical=critical,
        command=command("run", task, target),
    )
