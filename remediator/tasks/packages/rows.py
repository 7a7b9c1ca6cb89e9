"""What the tasks about packages have found, as rows."""

from typing import Literal

from remediator.model.task import Row
from remediator.tasks.packages.manager import Change, LeftOut


class PackageRow(Row):
    """One package, with its version before and after."""

    package: str
    does: Literal["upgrade", "install", "remove", "left-out"]
    installed: str
    """Empty where it is new."""
    candidate: str
    """Empty where it goes."""
    security: bool
    """Whether a security archive has a newer version than the installed one."""
    origin: str = ""
    """Where it comes from: label, version and suite of its archives."""
    download_bytes: int | None = None
    installed_bytes: int | None = None
    """By which the installed size grows, or shrinks."""
    reason: str = ""
    """Why it is left out: ``held``, ``phased``, ``kept-back`` or ``excluded``, and what that means."""


def row_of(change: Change) -> PackageRow:
    does: Literal["upgrade", "install", "remove"] = "upgrade" if change.installed else "install"
    return PackageRow(
        package=change.name,
        does=does if change.candidate else "remove",
        installed=change.installed,
        candidate=change.candidate,
        security=change.security,
        origin=change.origin,
        download_bytes=change.download_bytes,
        installed_bytes=change.installed_bytes,
    )


def row_left(left: LeftOut) -> PackageRow:
    return PackageRow(
        package=left.name,
        does="left-out",
        installed=left.installed,
        candidate=left.candidate,
        security=left.security,
        reason=f"{left.why}: {left.reason}",
    )
