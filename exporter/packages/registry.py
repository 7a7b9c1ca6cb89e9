"""The package managers that there are."""

from collections.abc import Sequence
from pathlib import Path

from exporter.packages.apt import Apt
from exporter.packages.brew import Brew
from exporter.packages.dnf import Dnf
from exporter.packages.manager import PackageManager


def found(root: Path = Path("/")) -> Sequence[PackageManager]:
    """The package managers of this host: those whose program is on PATH and whose data are there.

    root: of the file system, for tests.
    """
    managers: Sequence[PackageManager | None] = [Apt.found(root), Dnf.found(root), Brew.found()]
    return [manager for manager in managers if manager is not None]
