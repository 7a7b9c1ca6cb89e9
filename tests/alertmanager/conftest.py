"""A real Alertmanager with the config that `upkeeper up` writes, but without its waits."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from remediator.config.notify import Notify
from remediator.config.shipped import default_remedies
from remediator.statedir import StateDir
from tests import servers
from tests.ports import free_port
from upkeeper.share import share_path
from upkeeper.up.messages import Local
from upkeeper.up.paths import Layout
from upkeeper.up.ports import Ports
from upkeeper.up.write_configs import write_configs

Start = Callable[[dict[str, Any]], AbstractAsyncContextManager[servers.Server]]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    state = StateDir(tmp_path / "state")
    state.ensure()
    return Layout(state)


@pytest.fixture
def start(layout: Layout) -> Start:
    """Starts Alertmanager with this `notify:` section."""

    @asynccontextmanager
    async def started(notify: dict[str, Any]) -> AsyncIterator[servers.Server]:
        local = Local("pa-host", default_remedies())
        write_configs(layout, Ports.from_base(free_port()), Notify.model_validate(notify), share_path(), local=local)
        without_waits(layout.alertmanager_config)
        async with servers.alertmanager(layout.alertmanager, layout.alertmanager_config) as server:
            yield server

    return started


def without_waits(path: Path) -> None:
    config = yaml.safe_load(path.read_bytes())
    for route in routes_of(config["route"]):
        route.update(group_wait="0s", group_interval="1s", repeat_interval="1h")
    path.write_text(yaml.safe_dump(config))


def routes_of(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A route and all below it."""
    yield route
    for below in route.get("routes", []):
        yield from routes_of(below)
