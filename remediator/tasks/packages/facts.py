"""What the tasks about the packages of the host are."""

import os
import shutil
from pathlib import Path

from remediator.model.taskfacts import Document, TaskFacts


def present(document: Document | None = None) -> list[str]:
    """Names of targets: the package managers of this host, as nothing in a config says. Looks at a few files."""
    return list(programs())


def programs() -> dict[str, str]:
    """The program of each package manager of this host, by the manager's name."""
    found = {}
    if (apt := shutil.which("apt-get")) and Path("/var/lib/dpkg/status").exists():
        found["apt"] = apt
    dnf = shutil.which("dnf5") or shutil.which("dnf")
    if dnf and any(Path(path).exists() for path in ("/var/lib/rpm", "/usr/lib/sysimage/rpm")):
        found["dnf"] = dnf
    if (brew := shutil.which("brew")) and os.geteuid() != 0:  # as root it refuses to run
        found["brew"] = brew
    return found


_NEVER = (
    "a version other than the plan's, and a package that the plan does not name",
    "held, pinned and phased packages, and those of packages.exclude: they are named",
    "a package is never removed, unless packages.allow_removals is set and the plan lists it",
    "configuration files that somebody changed: they stay, and the new ones lie beside them",
    "a lock of the package manager: it waits for whoever holds it, and names him",
)

SECURITY_UPDATE = TaskFacts(
    name="security-update",
    summary="Installs the pending security updates of the host's packages, and what they need.",
    never=_NEVER,
    configured=present,
    discovers=True,
    disruption="brief",
)

SYSTEM_UPDATE = TaskFacts(
    name="system-update",
    summary="Installs all pending updates of the host's packages, and tells what then needs a restart.",
    never=_NEVER,
    configured=present,
    discovers=True,
    disruption="brief",
)

PACKAGE_CLEANUP = TaskFacts(
    name="package-cleanup",
    summary="Removes packages that nothing needs any more, and downloads of packages that are old.",
    never=(
        "packages that somebody asked for, and what these need",
        "the running kernel, its modules and headers",
        "packages of packages.exclude, and any that the plan does not list",
        "configuration files of packages: they are removed and not purged",
        "downloads younger than packages.downloads_min_age: with them one can go back",
    ),
    configured=present,
    discovers=True,
)
