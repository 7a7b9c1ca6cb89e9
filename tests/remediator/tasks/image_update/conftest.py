"""A Compose project on a private engine, with a registry beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose import require_compose
from tests.dockerd import Dockerd
from tests.registry import Registry, registry
from tests.remediator.tasks.image_update.house import House, Make

__all__ = ["registry"]


@pytest.fixture
def houses(tmp_path: Path, clean_dockerd: Dockerd, registry: Registry) -> Iterator[Make]:
    made: list[House] = []

    def make(program: str) -> House:
        made.append(House(tmp_path, clean_dockerd, registry, program))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def house(houses: Make) -> House:
    return houses(require_compose()[0].program)
