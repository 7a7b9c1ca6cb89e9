"""Which services of a drill need not run on, where one comes after the other. Pure."""

from collections.abc import Sequence

from exporter.inventory.drills import DrillService


def no_longer_needed(services: Sequence[DrillService], done: str) -> list[str]:
    """Of those up to ``done``, which has just proven what it can, those that end now: nothing later uses them.

    One that ended earlier is not named again: it was no longer needed then either.
    """
    names = [each.name for each in services]
    at = names.index(done)
    return [name for name in names[: at + 1] if _needed_until(services, name) == at]


def _needed_until(services: Sequence[DrillService], name: str) -> int:
    """The place of the last service that uses one, by itself or through others; its own where none does."""
    names = [each.name for each in services]
    users = [at for at, each in enumerate(services) if name in each.uses]
    return max([names.index(name), *(_needed_until(services, names[at]) for at in users)])
