"""What runs on a machine, as plain values, and what of it is not there any more. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from pydantic import BaseModel, ConfigDict

from exporter.base.text import counted


class Fingerprint(BaseModel):
    """What a machine that was restarted must have again. It is kept with the action."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    units: Sequence[str] = ()
    """Services that run and that systemd starts by itself."""
    failed: Sequence[str] = ()
    """Units that have failed."""
    ports: Sequence[str] = ()
    """``tcp/80``: listening, or bound, by whatever is not of somebody's login."""
    mounts: Sequence[str] = ()
    """Mount points of disks and of the network."""
    containers: Sequence[str] = ()
    """Running ones that the engine starts by itself."""
    probes: Sequence[str] = ()
    """``service/probe``: those that succeed."""
    unknown: Sequence[str] = ()
    """What could not be looked at, a sentence each without its full stop."""


def not_back(before: Fingerprint, after: Fingerprint) -> Sequence[str]:
    """What was there and is not any more, or has failed since; a few words each, for people."""
    return list(_not_back(before, after))


def _not_back(before: Fingerprint, after: Fingerprint) -> Iterator[str]:
    failed = sorted({*after.failed} - {*before.failed})
    yield from (f"{unit} has failed" for unit in failed)
    yield from (f"{unit} does not run" for unit in _gone(before.units, after.units) if unit not in failed)
    yield from (f"{mount} is not mounted" for mount in _gone(before.mounts, after.mounts))
    yield from (f"container {name} does not run" for name in _gone(before.containers, after.containers))
    yield from (f"probe {name} fails" for name in _gone(before.probes, after.probes))
    yield from (f"nothing listens at {port}" for port in _gone(before.ports, after.ports))
    yield from (text for text in after.unknown if text not in before.unknown)


def _gone(before: Iterable[str], after: Iterable[str]) -> list[str]:
    return sorted({*before} - {*after})


def said(found: Fingerprint) -> str:
    """How much there is, for people."""
    counts = (
        (found.units, "unit"),
        (found.ports, "listening port"),
        (found.mounts, "mount"),
        (found.containers, "container"),
        (found.probes, "probe"),
    )
    return ", ".join(counted(len(names), what) for names, what in counts if names) or "nothing"


def parse_units(text: str) -> Sequence[tuple[str, str]]:
    """Name and state (``ACTIVE``) of each unit, from ``systemctl list-units --plain --no-legend``."""
    found = []
    for line in text.splitlines():
        words = line.replace("●", " ").split(maxsplit=4)
        if len(words) >= 4:
            found.append((words[0], words[2]))
    return found


def parse_unit_files(text: str) -> frozenset[str]:
    """Names of the units that systemd starts by itself, from ``systemctl list-unit-files --no-legend``."""
    found = set()
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[1] in _STARTED:
            found.add(words[0])
    return frozenset(found)


_STARTED = frozenset({"enabled", "generated"})
"""States of unit files with which units are started again: not ``enabled-runtime``, which ends with the machine."""


def started_by_itself(unit: str, files: Iterable[str]) -> bool:
    """Whether a unit is one of these, or an instance of one that is a template."""
    name, at, rest = unit.partition("@")
    template = f"{name}@.{rest.rpartition('.')[2]}"
    return unit in files or (bool(at) and template in files)
