"""A remediator without its web server, on a state directory and a clock of the test's own."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remediator.config.guards import Breaker, Rate
from remediator.config.remedies import Remedy
from remediator.control.core import Core
from remediator.statedir import StateDir
from tests.remediator.stack import START, Clock, Stack, an_engine, settings
from tests.remediator.sweep import Sweep

REMEDY = Remedy(
    name="tidy",
    match=['alertname="Cluttered"'],
    task="sweep",
    target_label="room",
    autonomy="auto",
    cooldown=60.0,
    rate=Rate(per_hour=100, per_day=100),
    breaker=Breaker(failures=3, reset_after=3600.0),
)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that the engine has been started on before, to be copied: the first start takes a second longer."""
    state = StateDir(tmp_path_factory.mktemp("migrated"))
    state.ensure()

    async def start_once() -> None:
        async with an_engine(state.database) as (engine, _):
            await engine.forget({1: 0})

    asyncio.run(start_once())
    return state.database


@pytest.fixture
async def stack(tmp_path: Path, migrated: Path) -> AsyncIterator[Stack]:
    attic = tmp_path / "attic"
    attic.mkdir()
    state = StateDir(tmp_path / "state")
    state.ensure()
    shutil.copy(migrated, state.database)
    task, clock = Sweep(attic), Clock(START)
    core = Core(state, settings(task, [REMEDY]), clock=clock)
    await core.open()
    await core.start_engine()
    stack = Stack(core, clock, task, attic, [REMEDY])
    yield stack
    await stack.core.close()
