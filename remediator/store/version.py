"""Of which version the tables are, and whether this program can work with them.

Hosts that share a database are not brought up to date at one moment. The newest of them brings the tables along; those
that are older yet go on with what they know of, where the newer one says that they can.
"""

from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from exporter import __version__
from remediator.model.errors import EXIT_USAGE, ClientError

MIGRATIONS = Path(__file__).parent / "migrations"
WORKS_SINCE = "0020"
"""The version of the tables that a program has to know, at least, to work with those of this one: raised by a migration
after which an older program would read or write something wrong. What is only added is nobody's harm: columns that have
a default or may be null, tables, indexes.
"""


class Version(NamedTuple):
    """Of the tables in a database. works_since: as WORKS_SINCE, of who made them; None where that said nothing."""

    number: str | None
    works_since: str | None


def newest_version() -> str:
    """The revision of the newest migration: what its file's name begins with."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def version_of(connection: sa.Connection) -> Version:
    """Of a database that has no tables yet: nothing."""
    inspector = sa.inspect(connection)
    if not inspector.has_table("alembic_version"):
        return Version(None, None)
    row = connection.execute(sa.text("SELECT * FROM alembic_version")).mappings().first()
    return Version(None, None) if row is None else Version(row["version_num"], row.get("works_since"))


def is_current(found: Version) -> bool:
    """Whether there is nothing to be brought up to date. Raises ClientError where this program is too old for it."""
    newest = newest_version()
    if found.number is None or found.number <= newest:
        return found.number == newest
    if found.works_since is None or found.works_since > newest:
        needed = f"version {found.works_since or found.number}"
        raise ClientError(
            f"the tables of the record are of version {found.number}, made by a newer Upkeeper: this one, "
            f"{__version__}, knows them up to {newest} and would need {needed}. Install the newer one here too; "
            "nothing was changed",
            EXIT_USAGE,
        )
    return True


def note(connection: sa.Connection) -> None:
    """The tables have been brought up to date by this program."""
    connection.execute(sa.text("UPDATE alembic_version SET works_since = :since"), {"since": WORKS_SINCE})
