"""A task as the registry hands it out shows all that it can do, not only what every task can."""

from pathlib import Path

import pytest

from remediator.config.config import Config
from remediator.model.evidence import GivesEvidence
from remediator.model.task import ClearsUp
from remediator.tasks.held import Held
from remediator.tasks.registry import build_tasks
from remediator.tasks.resources import Resources


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "logs").mkdir()
    (tmp_path / "sets").mkdir()
    (tmp_path / "file").write_text("content")
    make = {"files": [str(tmp_path / "file")]}
    made = {"name": "pa", "path": str(tmp_path / "sets"), "pattern": "backup-*", "make": make}
    logs = {"name": "app", "path": str(tmp_path / "logs"), "max_bytes": 1000}
    return Config.model_validate({"logs": [logs], "backups": [made]})


def test_what_a_task_knows_to_keep_of_its_target_reaches_who_keeps_it(config: Config) -> None:
    resources = Resources(config)
    task = build_tasks(config, resources)["log-rotation"]
    assert isinstance(task, GivesEvidence)
    assert [source.name for source in task.evidence("app")] != []
    resources.close()


async def test_a_backup_that_is_cancelled_clears_up_as_the_registry_hands_it_out(
    config: Config, tmp_path: Path
) -> None:
    resources = Resources(config, state_dir=tmp_path / "state")
    task = build_tasks(config, resources)["backup"]
    plan = await task.plan("pa")
    await task.apply("pa", plan.actions[0])
    assert [path.suffix for path in (tmp_path / "sets").iterdir()] == [".partial"]
    assert isinstance(task, ClearsUp)
    assert await task.clear_up("pa", plan.actions) != ""
    assert list((tmp_path / "sets").iterdir()) == []
    resources.close()


async def test_a_task_without_any_of_it_has_none(config: Config) -> None:
    resources = Resources(config)
    task = build_tasks(config, resources)["health-check"]
    assert isinstance(task, Held)
    assert (task.evidence("all"), await task.clear_up("all", [])) == ((), "")
    resources.close()
