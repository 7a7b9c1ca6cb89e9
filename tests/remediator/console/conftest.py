from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from remediator.app import build_app
from tests.remediator.console.visits import Browser
from tests.remediator.stack import Stack


@pytest.fixture
async def browser(stack: Stack) -> AsyncIterator[Browser]:
    async with TestClient(TestServer(build_app(stack.core, lambda: True))) as client:
        yield Browser(client)
