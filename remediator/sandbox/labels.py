"""Sandboxes in the listings of an engine, by the labels of what belongs to them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from exporter.docker.sandboxlabels import PURPOSE, SANDBOX, UNTIL, ends_at

Kind = Literal["container", "network", "volume"]


@dataclass(frozen=True, slots=True)
class Piece:
    """An object of the engine that belongs to a sandbox."""

    kind: Kind
    id: str
    """By which it is removed: of a volume its name."""
    name: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A sandbox that there is."""

    name: str
    purpose: str
    until: float
    """Unix seconds; 0 where it is not told."""
    pieces: tuple[Piece, ...]

    def left_behind(self, now: float) -> bool:
        """Whether it should have ended by now."""
        return self.until < now


def labels(name: str, purpose: str, until: float) -> dict[str, str]:
    """What each object of a sandbox is labelled with."""
    return {SANDBOX: name, PURPOSE: purpose, UNTIL: str(round(until))}


def standing(
    containers: Iterable[Mapping[str, Any]],
    networks: Iterable[Mapping[str, Any]],
    volumes: Iterable[Mapping[str, Any]],
) -> list[Standing]:
    """The sandboxes that an engine's listings show, by name. What is removed first comes first in each."""
    found: dict[str, list[tuple[Piece, Mapping[str, str]]]] = {}
    pieces = [
        *((Piece("container", each["Id"], _first(each.get("Names"))), each) for each in containers),
        *((Piece("network", each["Id"], each["Name"]), each) for each in networks),
        *((Piece("volume", each["Name"], each["Name"]), each) for each in volumes),
    ]
    for piece, each in pieces:
        its: Mapping[str, str] = each.get("Labels") or {}
        if SANDBOX in its:
            found.setdefault(its[SANDBOX], []).append((piece, its))
    return [
        Standing(
            name=name,
            purpose=next((its[PURPOSE] for _, its in both if PURPOSE in its), ""),
            until=max(ends_at(its) for _, its in both),
            pieces=tuple(piece for piece, _ in both),
        )
        for name, both in sorted(found.items())
    ]


def _first(names: Any) -> str:
    return str(names[0]).lstrip("/") if names else ""
