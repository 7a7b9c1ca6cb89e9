"""A remediator with its API, and the command line pointed at it."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import structlog

from tests.remediator.conftest import migrated, stack
from tests.remediator.stack import Stack
from tests.upkeeper.commandline import Done, invoke
from tests.upkeeper.served import serve

__all__ = ["migrated", "stack"]


@dataclass(frozen=True)
class Remote:
    """A remediator that runs, and how to reach it."""

    stack: Stack
    url: str

    @property
    def env(self) -> dict[str, str]:
        """What points the command line to it."""
        return {"UPKEEPER_URL": self.url, "UPKEEPER_STATE_DIR": str(self.stack.core.state.root)}

    async def upkeeper(self, *arguments: str) -> Done:
        """A command that talks to it."""
        return await invoke(*arguments, env=self.env)


@pytest.fixture
async def remote(stack: Stack) -> AsyncIterator[Remote]:
    # The remediator's own log lines must not get among the output of a command that runs in the same process.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        async with serve(stack.core) as url:
            yield Remote(stack, url)
    finally:
        structlog.reset_defaults()
