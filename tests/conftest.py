"""Fixtures that all tests share."""

import gc
from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.order", "tests.dockerd", "tests.neo4j_server.plugin", "tests.postgres_server"]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Looks for no garbage, then or later, in what is imported here, by each worker: it stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
