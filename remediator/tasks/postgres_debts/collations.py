"""Collations whose version is another one now than when their indexes were built, and which indexes those are.

Between two versions of glibc or ICU some texts sort otherwise. An index that was built by the former order then misses
rows that are there, and a unique one accepts duplicates. https://www.postgresql.org/docs/current/sql-altercollation.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from remediator.tasks.postgres_maintenance.indexes import Index

DEFAULT = 100
"""The oid of the collation that stands for the database's own: DEFAULT_COLLATION_OID, the same in every version."""

VERSIONS_OF_DATABASES = 150000
"""The version number from which on a database knows the version of its default collation."""

IDENTITY = """
SELECT (SELECT system_identifier::text FROM pg_control_system()), d.oid::int8
FROM pg_database AS d WHERE d.datname = current_database()
"""

OF_DATABASE = """
SELECT datcollversion, pg_database_collation_actual_version(oid), pg_has_role(datdba, 'USAGE')
FROM pg_database WHERE datname = current_database()
"""

OF_COLLATIONS = """
SELECT c.oid::int8, n.nspname::text, c.collname::text, c.collversion, pg_collation_actual_version(c.oid),
       pg_has_role(c.collowner, 'USAGE')
FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace
WHERE c.collversion IS NOT NULL AND CASE
    WHEN EXISTS (SELECT FROM pg_depend AS d WHERE d.refclassid = 'pg_collation'::regclass AND d.refobjid = c.oid)
         OR c.oid IN (SELECT unnest(indcollation::oid[]) FROM pg_index)
    THEN c.collversion <> pg_collation_actual_version(c.oid)
    ELSE false
    END
ORDER BY c.oid
"""
"""As the exporter counts them: those that something uses."""

DEPENDING = """
SELECT i.indexrelid::int8, bad.oid::int8, c.relfilenode::int8
FROM unnest(%s::int8[]) AS bad(oid)
CROSS JOIN pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE c.relkind = 'i' AND c.relpersistence <> 't' AND NOT c.relisshared AND (
    bad.oid = ANY(i.indcollation::oid[])
    OR i.indexprs::text ~ (':inputcollid ' || bad.oid || '\\M')
    OR i.indpred::text ~ (':inputcollid ' || bad.oid || '\\M')
    OR EXISTS (SELECT FROM pg_depend AS d
               WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                 AND d.refclassid = 'pg_collation'::regclass AND d.refobjid = bad.oid)
    OR EXISTS (SELECT FROM pg_attribute AS a JOIN pg_range AS r ON r.rngtypid = a.atttypid
               WHERE a.attrelid = i.indexrelid AND r.rngcollation = bad.oid)
    OR EXISTS (SELECT FROM pg_attribute AS a
               JOIN pg_type AS t ON t.oid = a.atttypid AND t.typtype = 'c'
               JOIN pg_attribute AS f ON f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped
               WHERE a.attrelid = i.indexrelid AND f.attcollation = bad.oid)
)
ORDER BY 1, 2
"""
"""Value: oids of collations. Index, a collation that it depends on, and the file that holds it, new after each rebuild.

By a column, an expression or a condition of the index, or by the order of a range or composite type in it.
"""

BY_RANGE = """
SELECT format('%%s.%%s', n.nspname, c.relname), bad.oid::int8
FROM unnest(%s::int8[]) AS bad(oid)
JOIN pg_partitioned_table AS p ON p.partstrat = 'r' AND bad.oid = ANY(p.partcollation::oid[])
JOIN pg_class AS c ON c.oid = p.partrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
ORDER BY 1
"""
"""Value: oids of collations. Tables whose rows are divided into partitions by the order of texts."""


class Collation(NamedTuple):
    """One whose version differs. The database's own default has the oid DEFAULT."""

    oid: int
    schema: str
    name: str
    recorded: str
    actual: str
    owned: bool
    """Whether the role may record the version."""

    @property
    def is_default(self) -> bool:
        return self.oid == DEFAULT

    @property
    def label(self) -> str:
        return "its default collation" if self.is_default else f'the collation {self.schema}."{self.name}"'


@dataclass(frozen=True, slots=True)
class Depends:
    """An index that depends on collations of another version."""

    index: Index
    file: int
    """Number of the file that holds it."""
    collations: frozenset[int]
    """Oids."""


@dataclass(frozen=True, slots=True)
class Mismatched:
    """What one database has."""

    dbname: str
    identity: str
    """Of cluster and database, whatever they are called."""
    collations: Sequence[Collation]
    depending: Sequence[Depends] = ()
    by_range: Mapping[int, Sequence[str]] | None = None
    """Tables that are divided by the order of texts, by the oid of the collation."""

    def actual(self) -> dict[int, str]:
        """The versions that the libraries have now, by oid."""
        return {each.oid: each.actual for each in self.collations}


Rebuilt = Mapping[tuple[str, int, int], Mapping[int, str]]
"""With which versions indexes were rebuilt: by identity of the database, oid and file of the index."""


def is_rebuilt(found: Mismatched, one: Depends, rebuilt: Rebuilt, collation: Collation) -> bool:
    """Whether an index was built anew with the version that a collation has now. Pure."""
    return rebuilt.get((found.identity, one.index.oid, one.file), {}).get(collation.oid) == collation.actual


def outstanding(found: Mismatched, rebuilt: Rebuilt, collation: Collation | None = None) -> list[Depends]:
    """Indexes that are not yet rebuilt with the versions of now, or with that of one collation. Pure."""
    wanted = found.collations if collation is None else [collation]
    return [
        one
        for one in found.depending
        if any(each.oid in one.collations and not is_rebuilt(found, one, rebuilt, each) for each in wanted)
    ]
