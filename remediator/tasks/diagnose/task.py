"""diagnose: one archive, kept with its run."""

import asyncio
from collections.abc import Sequence

from exporter.base.text import counted
from exporter.base.units import format_bytes
from remediator.config.config import Config
from remediator.diagnosis.archive import MEDIA_TYPE
from remediator.diagnosis.diagnose import Subject, diagnose
from remediator.diagnosis.sources import settings
from remediator.endpoints import running_config
from remediator.model.artefact import Made
from remediator.model.task import NO_PARAMS, Action, Effect, Measurement, Parameters, Params, Plan, Task, TaskError
from remediator.statedir import StateDir
from remediator.tasks.diagnose.facts import ALL, DIAGNOSE
from remediator.tasks.resources import Resources

KIND = "collect"


class About(Parameters):
    """run: the one that the archive is about; its whole record is in it."""

    run: int | None = None


class Diagnose:
    """Collects from inside the remediator, whose own config and record these are."""

    facts = DIAGNOSE
    parameters = About
    action_timeout = 180.0

    def __init__(self, config: Config, resources: Resources) -> None:
        self._config = config
        self._resources = resources

    async def targets(self) -> Sequence[str]:
        return [ALL]

    async def measure(self, target: str) -> Measurement:
        return Measurement(breached=False, detail="the archive is kept with its run")

    async def plan(self, target: str, params: Params = NO_PARAMS) -> Plan:
        run = About.model_validate(dict(params)).run
        about = "with the whole record of the run" if run is not None else "of how things are now"
        return Plan(actions=[Action(kind=KIND, object="diagnosis", reason=about, params={"run": run})])

    async def apply(self, target: str, action: Action) -> Effect:
        if action.kind != KIND or self._resources.state_dir is None:
            raise TaskError(f"{self.facts.name} cannot {action.kind} here")
        run = action.params.get("run")
        state = StateDir(self._resources.state_dir)
        file = await asyncio.to_thread(running_config, state.root)
        found = settings.of(self._config) if file is None else await asyncio.to_thread(settings.find, file)
        subject = Subject(
            state=state,
            config=found,
            read=self._resources.record.read,
            engine=self._resources.docker,
            run=run if isinstance(run, int) else None,
            skip=(self.facts.name,),
        )
        archive = await diagnose(subject)
        parts = archive.manifest["parts"]
        missing = sum(bool(part["problem"]) for part in parts)
        detail = f"{archive.name}, {format_bytes(len(archive.content))}, {counted(len(parts) - missing, 'part')}"
        made = Made(name=archive.name, media_type=MEDIA_TYPE, content=archive.content)
        return Effect(state="done", detail=f"{detail}, {missing} not there" if missing else detail, made=[made])

    def improved(self, before: Measurement, after: Measurement) -> bool:
        return False


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    return [Diagnose(config, resources)]
