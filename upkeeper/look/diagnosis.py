"""The archive of ``upkeeper diagnose``, made by the command itself: whatever is broken, it must still be made."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from exporter.docker.engine import DockerEngine
from remediator.config.config import Config
from remediator.diagnosis.archive import Archive
from remediator.diagnosis.collect import Limits
from remediator.diagnosis.diagnose import Subject, diagnose
from remediator.diagnosis.part import Part
from remediator.diagnosis.sources import settings
from remediator.diagnosis.sources.record import opened
from remediator.diagnosis.sources.services import MOST_PLANS, PLANS_SECONDS, first_within
from remediator.model.task import Task
from remediator.statedir import StateDir
from remediator.tasks.diagnose.facts import DIAGNOSE
from remediator.tasks.registry import build_tasks
from remediator.tasks.resources import Resources

DOCKER_SECONDS = 10.0


async def local(
    state: StateDir, config: Path | None, run: int | None, *, running: bool, limits: Limits | None = None
) -> Archive:
    """The archive of what is on this machine. running: whether a remediator answers, which is asked for plans then."""
    found = await asyncio.to_thread(settings.find, config)
    engine = DockerEngine(found.docker_host, DOCKER_SECONDS)
    resources = Resources(found.config, state_dir=state.root)
    plans = None if running else [Part("plans.json", partial(_plans, found.config, resources))]
    try:
        async with opened(state.database) as read:
            subject = Subject(
                state=state,
                config=found,
                read=read,
                engine=engine,
                run=run,
                plans=plans,
                skip=(DIAGNOSE.name,),
                limits=limits or Limits(),
            )
            return await diagnose(subject)
    finally:
        resources.close()
        engine.close()


async def _plans(config: Config, resources: Resources) -> dict[str, Any]:
    """What each task would do now, by itself. The names of tasks that cannot say what they work on are there too."""
    asked: dict[str, Any] = {}
    for name, task in build_tasks(config, resources).items():
        if name == DIAGNOSE.name or task.facts.parts:
            continue
        try:
            async with asyncio.timeout(PLANS_SECONDS / 3):
                targets = await task.targets()
        except Exception as error:  # noqa: BLE001  # it stands in the part, and the others go on
            asked[name] = partial(_problem, error)
            continue
        asked |= {f"{name} on {target}": partial(_plan, task, target) for target in targets}
    return await first_within(PLANS_SECONDS, dict(list(asked.items())[:MOST_PLANS]))


async def _plan(task: Task, target: str) -> Mapping[str, Any]:
    try:
        async with asyncio.timeout(PLANS_SECONDS / 2):
            measured = await task.measure(target)
            plan = await task.plan(target)
    except Exception as error:  # noqa: BLE001  # it stands in the part, and the others go on
        return await _problem(error)
    return {"measurement": measured.model_dump(mode="json"), "plan": plan.model_dump(mode="json")}


async def _problem(error: Exception) -> Mapping[str, Any]:
    return {"problem": f"{type(error).__name__}: {error}"}
