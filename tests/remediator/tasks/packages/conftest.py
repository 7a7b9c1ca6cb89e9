"""A Debian of its own for each test, and the tasks that look after it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.base.errors import UpkeeperError
from remediator.config.packages import Packages
from remediator.model.task import Action, Effect, Plan
from remediator.tasks.packages.apt.apt import Apt
from remediator.tasks.packages.rows import PackageRow
from remediator.tasks.packages.system import System
from remediator.tasks.packages.task import PackageCleanup, SecurityUpdate, SystemUpdate
from tests.apt_chroot.base import base
from tests.apt_chroot.debian import Debian


class House:
    """A Debian and tasks. settings: what the config says under ``packages:``."""

    def __init__(self, debian: Debian) -> None:
        self.debian = debian
        self.euid = 0
        self.configure()

    def configure(self, kernel: str = "6.1.0-test", **settings: object) -> None:
        packages = Packages.model_validate({"lock_timeout": "10s", "time_limit": "1m", **settings})
        system = System(self.debian.root, self.euid)
        apt = Apt(packages, system, kernel)
        self.security = SecurityUpdate(packages, lambda: [apt], system)
        self.everything = SystemUpdate(packages, lambda: [apt], system)
        self.cleanup = PackageCleanup(packages, lambda: [apt], system)

    async def do(
        self, task: SecurityUpdate | SystemUpdate | PackageCleanup, actions: list[Action] | None = None
    ) -> list[str]:
        """What became of each action of a plan, by default of a new one."""
        told = []
        for action in (await task.plan("apt")).actions if actions is None else actions:
            try:
                effect: Effect = await task.apply("apt", action)
                told.append(f"{effect.state}: {effect.detail}")
            except UpkeeperError as error:
                told.append(f"failed: {error}")
        return told


def rows_of(plan: Plan) -> list[PackageRow]:
    return [row for row in plan.rows if isinstance(row, PackageRow)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    debian = Debian(base(), tmp_path / "debian")
    try:
        yield House(debian)
    finally:
        debian.close()
