"""What is put into a sandbox, and what it may use there. Values only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """What a sandbox may use at most."""

    memory_bytes: int
    """Of each container, without swap."""
    cpus: float
    """Of each container."""
    seconds: float
    """Of the whole, from its first container on; then it ends, whatever goes on in it."""
    spare_bytes: int
    """So much of the engine's disk stays free; with less the sandbox ends. Docker itself limits no container's disk."""
    processes: int = 2048
    """Of each container, threads among them."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A container of a sandbox."""

    name: str
    """By which the others reach it."""
    image: str
    """As the engine knows it, best by its id; never pulled."""
    command: Sequence[str] | None = None
    """Arguments instead of the image's own; None: as the image has it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    """Where in the container each volume of the sandbox is, by the volume's name in the sandbox."""


@dataclass(frozen=True, slots=True)
class Said:
    """How a command in a guest ended."""

    status: int
    output: str
    """What it wrote to both of its outputs, at most the last bytes of it."""
