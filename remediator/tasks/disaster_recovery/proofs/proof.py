"""What a ready-made proof is: a command in the application's own container, and a judge of what it says. Pure."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from exporter.backups.manifest import Manifest
from exporter.inventory.drills import DrillProof


class NotProven(Exception):
    """The set was restored, and something in it cannot be used. The message says what, on one line."""


class Proof(Protocol):
    """One application."""

    def command(self, settings: DrillProof) -> Sequence[str]:
        """What is run in its container, with the tools of its own image."""
        ...

    def judge(self, said: str, settings: DrillProof, manifest: Manifest) -> str:
        """What was proven, for people, from all that the command wrote and where it succeeded.

        Never quotes what may be secret. Raises NotProven, and TaskError where the set does not say what it needs.
        """
        ...


def rows_of(manifest: Manifest, tables: Sequence[str]) -> Iterator[int]:
    """How many rows tables of these names had when the set was made, in each database of it. Pure."""
    for member in manifest.members:
        databases = member.facts.get("databases")
        facts = databases.values() if isinstance(databases, dict) else [member.facts]
        for each in facts:
            rows = each.get("rows", {}) if isinstance(each, dict) else {}
            yield from (rows[table] for table in tables if table in rows)
