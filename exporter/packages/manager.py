"""Package managers of the host: which updates wait. One file a manager, its parsers pure.

The exporter counts what is found here; the tasks that update or clean up plan by it. Nothing here changes the host
or goes to the network: lists of packages are read as they are.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Update:
    """An installed package of which there is a newer version."""

    name: str
    """With its architecture where the manager says it, as in ``libc6:i386``."""
    candidate: str
    """The newer version; empty where the manager does not say it."""
    installed: str = ""
    """The installed version; empty where the manager does not say it."""
    security: bool = False
    """Whether it fixes a security problem, as far as the manager knows."""


@dataclass(frozen=True, slots=True)
class Updates:
    """What waits to be updated. None stands for what the manager cannot tell."""

    pending: Sequence[Update]
    """What an upgrade would install now."""
    held_back: Sequence[Update] | None = None
    """Newer versions that an upgrade would not install: held, pinned, or in conflict with others."""
    phased: Sequence[Update] | None = None
    """Newer versions that reach this machine later, as the distribution rolls them out step by step."""
    knows_security: bool = True
    reboot_required: bool | None = None

    @property
    def security(self) -> Sequence[Update] | None:
        """Security updates, those held back too: a hold does not close the hole."""
        if not self.knows_security:
            return None
        return [update for update in (*self.pending, *(self.held_back or ())) if update.security]


class PackageManager(Protocol):
    """One package manager of this host."""

    @property
    def name(self) -> str: ...

    async def updates(self) -> Updates:
        """Asks the manager. Raises CommandFailed and OSError. The caller bounds the time, see base.programs.run."""
        ...

    def stamp(self) -> Hashable:
        """Changes when packages or lists changed, so that a new answer is due. Reads a few files' times; blocks."""
        ...

    def lists_refreshed(self) -> float | None:
        """Unix seconds of when the lists of packages last changed; None when there are none. Blocks as ``stamp``."""
        ...


def newest_change(paths: Sequence[Path]) -> float | None:
    """Unix seconds of the last change of any of these that exists."""
    times = []
    for path in paths:
        try:
            times.append(path.stat().st_mtime)
        except OSError:
            continue
    return max(times, default=None)
