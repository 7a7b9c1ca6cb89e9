"""A loaded config with what is made from it: the tasks and the remedies in force."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from exporter.configfile.file import Loaded, load
from exporter.inventory.inventory import with_drill
from remediator.config.config import Config
from remediator.config.guards import in_force
from remediator.config.shipped import default_remedies
from remediator.decide.remedies import Remedies
from remediator.model.task import Task
from remediator.statedir import StateDir
from remediator.tasks.registry import build_tasks
from remediator.tasks.resources import Resources


@dataclass(frozen=True)
class Settings:
    """What a remediator works with until its config is read again. loaded: the config as its file has it."""

    config: Config
    remedies: Remedies
    tasks: Mapping[str, Task]
    resources: Resources
    loaded: Loaded[Config] | None = None

    @classmethod
    def load(cls, path: Path | None, state: StateDir, before: "Settings | None" = None) -> Self:
        """Reads the config file, or takes the defaults. Raises ConfigError.

        before: the settings that these replace. Their tasks' memory and unchanged connections are kept.
        """
        loaded = load(path, Config)
        config = with_drill(loaded.value, state.drill)
        if before is None:
            resources = Resources(config, state_dir=state.root, config_file=path)
        else:
            resources = before.resources.renewed(config)
        remedies = default_remedies() if config.remedies is None else config.remedies
        guards = config.guards
        jobs = {job.name: in_force(job, guards) for job in config.schedule.in_force}
        guarded = Remedies([in_force(remedy, guards) for remedy in remedies], guards, jobs)
        settings = cls(config, guarded, build_tasks(config, resources), resources, loaded)
        if before is not None:
            before.close()
        return settings

    def make_tasks(self) -> None:
        """Makes those that a remedy may run by itself now, so that no alert waits for what they import. The others are
        made when they are first asked for: together they take as much memory as all else.
        """
        for task in {remedy.task for remedy in self.remedies.remedies if remedy.autonomy == "auto"}:
            self.tasks.get(task)

    def close(self) -> None:
        """Releases them once they are no longer in force. Steps under way finish with what they began with."""
        self.resources.close()
