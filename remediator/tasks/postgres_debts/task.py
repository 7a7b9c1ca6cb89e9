"""Makes the tasks of this family."""

from collections.abc import Sequence

from remediator.config.config import Config
from remediator.model.task import Task
from remediator.tasks.postgres_debts.collation_refresh import CollationRefresh
from remediator.tasks.postgres_debts.extension_update import ExtensionUpdate
from remediator.tasks.postgres_debts.rebuilt import RebuiltNote, RebuiltNotes
from remediator.tasks.postgres_maintenance.task import space_of
from remediator.tasks.resources import Resources


def tasks(config: Config, resources: Resources) -> Sequence[Task]:
    notes = resources.memory.of(RebuiltNotes)

    def note(server: str) -> RebuiltNote:
        return notes.of(resources.state_dir, server)

    return [
        CollationRefresh(config.postgres, resources.postgres, note, space_of),
        ExtensionUpdate(config.postgres, resources.postgres),
    ]
