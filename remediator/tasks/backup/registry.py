"""The sources of a series, from its config."""

from collections.abc import Mapping

from exporter.inventory.backups import Make
from exporter.inventory.postgres import PostgresServer
from remediator.tasks.backup.sources.files import Files
from remediator.tasks.backup.sources.postgres.source import Postgres
from remediator.tasks.backup.sources.source import Source
from remediator.tasks.backup.sources.sqlite import Sqlite


def sources_of(make: Make, postgres: Mapping[str, PostgresServer]) -> dict[str, Source]:
    """By key, in the order in which they are copied: what changes fastest first, so that it is of about one moment."""
    found: list[Source] = [Postgres(each, postgres[each.server]) for each in make.postgres]
    found += [Sqlite(each.name, each.path) for each in make.sqlite]
    if make.files:
        found.append(Files(make.files))
    return {f"{each.kind}:{each.name}": each for each in found}
