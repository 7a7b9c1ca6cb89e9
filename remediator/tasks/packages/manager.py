"""A package manager as the tasks use it, and the values that it gives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

LeftOutFor = Literal["held", "phased", "kept-back", "excluded"]


@dataclass(frozen=True, slots=True)
class Installed:
    """A package of this host. broken: what state it is left in, where it is not simply installed."""

    version: str
    broken: str = ""
    held: bool = False
    automatic: bool = False
    """Installed because another package needed it."""
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """What is installed, by name; that of another architecture than the host's has it in its name."""

    packages: Mapping[str, Installed]
    interrupted: bool = False
    """The manager itself was ended in the middle of its work."""

    @property
    def broken(self) -> Mapping[str, str]:
        """The state of each package that is not simply installed."""
        return {name: one.broken for name, one in sorted(self.packages.items()) if one.broken}

    def version(self, name: str) -> str:
        """The installed version, empty for none."""
        return self.packages[name].version if name in self.packages else ""


@dataclass(frozen=True, slots=True)
class Change:
    """One package that gets another version. installed: empty for a new one; candidate: empty for one that goes."""

    name: str
    installed: str
    candidate: str
    origin: str = ""
    security: bool = False
    download_bytes: int = 0
    installed_bytes: int = 0
    """By which the installed size grows."""
    automatic: bool = False
    """It is, or is to be, one that is there because another needs it."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A newer version that is not installed, and why: one sentence without its full stop."""

    name: str
    installed: str
    candidate: str
    why: LeftOutFor
    reason: str
    security: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an update would do."""

    changes: Sequence[Change] = ()
    left: Sequence[LeftOut] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Download:
    """A package that was fetched once. token: changes when the file does."""

    name: str
    bytes: int
    token: str


@dataclass(frozen=True, slots=True)
class Spare:
    """What nothing needs."""

    packages: Sequence[Change] = ()
    downloads: Sequence[Download] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Worked:
    """What a manager was told to do. complaint: the line in which it says what went wrong; empty if nothing did.

    left_alone: what was not tried any more, and why, by name. kept: configuration files that stayed as somebody had
    changed them, with the new one beside each.
    """

    complaint: str = ""
    left_alone: Mapping[str, str] = field(default_factory=dict)
    kept: Sequence[str] = ()


class Manager(Protocol):
    """One package manager. Every method may raise UpkeeperError, the acting ones TaskError with nothing half done."""

    @property
    def name(self) -> str: ...

    @property
    def needs_root(self) -> bool: ...

    @property
    def can_undo(self) -> bool:
        """Whether a former version can be installed again."""
        ...

    async def state(self) -> State: ...

    async def lists_refreshed(self) -> float | None:
        """Unix seconds of when the lists of packages were last fetched; None where that is not known."""
        ...

    async def upgrades(self, *, security: bool, for_counting: bool = False) -> Proposal:
        """What would be installed now; only security updates and what they need, if ``security``. Reads only.

        for_counting: without their sizes and what else they need, which takes longer to find out.
        """
        ...

    async def spare(self) -> Spare:
        """What may go. Reads only."""
        ...

    async def mend(self) -> Worked:
        """Ends what was interrupted."""
        ...

    async def refresh(self) -> None:
        """Fetches the lists of packages."""
        ...

    async def install(self, changes: Sequence[Change]) -> Worked:
        """Brings packages to exactly these versions. What is not as it was planned is left alone."""
        ...

    async def remove(self, changes: Sequence[Change]) -> Worked:
        """Removes packages of which nothing else needs any."""
        ...

    async def discard(self, downloads: Sequence[Download]) -> int:
        """Deletes downloads that are as they were planned; how many bytes that freed."""
        ...

    async def way_back(self, changes: Sequence[Change]) -> str:
        """The command that installs the former versions of those for which they can be had; empty where none can."""
        ...
