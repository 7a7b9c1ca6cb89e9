"""Indexes that a failed rebuild left, that are invalid, or that are mostly air. Choosing among them is pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, NamedTuple

from exporter.base.units import format_bytes
from exporter.inventory.postgres_maintenance import PostgresMaintenance

_LEFTOVER = re.compile(r".*_(ccnew|ccold)\d*")
_CATALOGS = ("pg_catalog", "information_schema")
_TOAST = "pg_toast"

_PAGE_BYTES_USED = 24 + 16
"""Header of a page, and what a B-tree notes at its end."""
_FILL_FACTOR = 0.9


class Index(NamedTuple):
    """A row of ``indexes``."""

    oid: int
    table_oid: int
    schema: str
    name: str
    table: str
    """With its schema, for people."""
    valid: bool
    bytes: int
    """As of its last vacuum or analyze."""
    rows: float
    width: float | None
    """Mean bytes of an entry's columns, each with its padding; None where ANALYZE has not told of all of them."""
    btree: bool
    exclusion: bool
    duplicated: bool
    """Another index on the same table has exactly the same definition, and this one has no task of its own."""
    owned: bool
    """Whether the role may drop it."""
    permitted: bool
    """Whether the role may rebuild it."""
    default_space: bool
    """It lies in the tablespace that the data directory holds."""
    under_way: bool
    """Somebody is building it now."""

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def is_leftover(self) -> bool:
        """What REINDEX CONCURRENTLY names the index that it builds, and the one that it is about to drop."""
        return _LEFTOVER.fullmatch(self.name) is not None and (not self.valid or self.duplicated)


def indexes(version_number: int, *, view: bool, one: Literal["", "index", "table", "these"] = "") -> str:
    """The query for the indexes of the database that the session is in.

    view: widths come from upkeeper.column_width (docs/how-to/postgres.md); else from pg_stats.
    one: only this index, only those of one table and of its TOAST table, or only these. Value: with ``one``, its oid,
    or a list of theirs.
    """
    only = {
        "": "AND (NOT i.indisvalid OR c.relname ~ '_cc(new|old)[0-9]*$' OR c.relpages >= 128)",
        "index": "AND c.oid = %s",
        "these": "AND c.oid::int8 = ANY(%s::int8[])",
        "table": "AND i.indrelid IN (SELECT unnest(ARRAY[oid, reltoastrelid]) FROM pg_class WHERE oid = %s)",
    }[one]
    permitted = "pg_has_role(c.relowner, 'USAGE')"
    if version_number >= 170000:
        permitted += " OR has_table_privilege(i.indrelid, 'MAINTAIN')"
    widths = (
        "LEFT JOIN upkeeper.column_width AS w ON w.relid = i.indrelid AND w.attnum = k.attnum"
        if view
        else """LEFT JOIN pg_stats AS w ON w.schemaname = tn.nspname AND w.tablename = t.relname
                AND w.attname = a.attname AND NOT w.inherited"""
    )
    return f"""
SELECT c.oid::int8, i.indrelid::int8, n.nspname::text, c.relname::text, format('%%s.%%s', tn.nspname, t.relname),
       i.indisvalid, c.relpages::int8 * current_setting('block_size')::int8, c.reltuples::float8,
       CASE WHEN 0 = ANY(i.indkey::int2[]) OR c.relpages < 128 THEN NULL ELSE (
           SELECT CASE WHEN bool_and(w.avg_width IS NOT NULL)
                  THEN sum((1 - w.null_frac) * (w.avg_width + CASE WHEN a.attlen > 0 THEN 0 ELSE 1 END)) END
           FROM unnest(i.indkey::int2[]) AS k(attnum)
           JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
           {widths}
       ) END::float8,
       m.amname = 'btree', i.indisexclusion,
       NOT (i.indisprimary OR i.indisexclusion OR i.indisreplident OR i.indisclustered)
       AND NOT EXISTS (SELECT FROM pg_constraint AS o WHERE o.conindid = c.oid)
       AND EXISTS (
           SELECT FROM pg_index AS j JOIN pg_class AS d ON d.oid = j.indexrelid
           WHERE j.indrelid = i.indrelid AND j.indexrelid <> i.indexrelid AND j.indisvalid AND j.indisready
             AND d.relam = c.relam AND d.reloptions IS NOT DISTINCT FROM c.reloptions
             AND (j.indkey::text, j.indclass::text, j.indcollation::text, j.indoption::text, j.indisunique,
                  j.indnatts, j.indnkeyatts)
               = (i.indkey::text, i.indclass::text, i.indcollation::text, i.indoption::text, i.indisunique,
                  i.indnatts, i.indnkeyatts)
             AND pg_get_expr(j.indexprs, j.indrelid) IS NOT DISTINCT FROM pg_get_expr(i.indexprs, i.indrelid)
             AND pg_get_expr(j.indpred, j.indrelid) IS NOT DISTINCT FROM pg_get_expr(i.indpred, i.indrelid)
             AND d.relname !~ '_cc(new|old)[0-9]*$'
       ),
       pg_has_role(c.relowner, 'USAGE') AND has_schema_privilege(n.oid, 'USAGE'),
       has_schema_privilege(n.oid, 'USAGE') AND ({permitted}),
       c.reltablespace = 0 AND b.dattablespace = (SELECT oid FROM pg_tablespace WHERE spcname = 'pg_default'),
       EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.datid = b.oid AND p.relid = i.indrelid)
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_class AS t ON t.oid = i.indrelid
JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
JOIN pg_am AS m ON m.oid = c.relam
JOIN pg_database AS b ON b.datname = current_database()
WHERE c.relkind = 'i' AND c.relpersistence <> 't' AND NOT c.relisshared
  {only}
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be done about an index, and why."""

    dbname: str
    index: Index
    kind: str
    """``drop-index`` or ``reindex``."""
    reason: str
    gain: int
    """Estimated bytes."""


def choose_indexes(
    dbname: str, found: Iterable[Index], policy: PostgresMaintenance, block_bytes: int, free: "Space | None"
) -> tuple[list[Chosen], list[str]]:
    """What to do about a database's indexes, leftovers first, then the most air; and why others are left alone.

    free: of the file system that holds the data; None where it is not known.
    """
    chosen: list[Chosen] = []
    notes: list[str] = []
    for index in found:
        if index.under_way:
            continue
        if index.is_leftover:
            one = _drop(dbname, index)
        elif not index.valid:
            one = _rebuild(
                dbname, index, "invalid: building it failed, and no query uses it", index.bytes, policy, free
            )
        else:
            air = estimated_air(index, block_bytes)
            if air < policy.index_bloat_min or air <= policy.index_bloat_ratio * index.bytes:
                continue
            reason = f"about {format_bytes(air)} of {format_bytes(index.bytes)} are air"
            one = _rebuild(dbname, index, reason, air, policy, free)
        if isinstance(one, str):
            notes.append(one)
        else:
            chosen.append(one)
    chosen.sort(key=lambda one: (one.kind != "drop-index", one.index.valid, -one.gain, one.index.oid))
    return chosen, notes


def _drop(dbname: str, index: Index) -> Chosen | str:
    if not index.owned:
        schema = f" and needs USAGE on the schema {index.schema}" if index.schema == _TOAST else ""
        left = f"{dbname}: {index.label} was left by a failed rebuild"
        return f"{left}; only the owner of {index.table} can drop it{schema}."
    if index.schema == _TOAST and index.valid:
        return (
            f"{dbname}: {index.label} is a duplicate that a failed rebuild left; only a superuser can drop it, with "
            "allow_system_table_mods on."
        )
    what = "a duplicate" if index.valid else "invalid"
    return Chosen(dbname, index, "drop-index", f"{what}: a failed rebuild left it on {index.table}", index.bytes)


def _rebuild(
    dbname: str, index: Index, reason: str, gain: int, policy: PostgresMaintenance, free: "Space | None"
) -> Chosen | str:
    problem = why_not_rebuilt(index, free)
    if problem:
        return f"{dbname}: {index.label} ({reason}) is not rebuilt: {problem}."
    return Chosen(dbname, index, "reindex", reason, gain if index.valid else 0)


class Space(NamedTuple):
    """Of a file system, in bytes."""

    free: int
    size: int


def why_not_rebuilt(index: Index, space: Space | None) -> str:
    """Why an index cannot be rebuilt beside itself; empty if it can.

    The new one needs its room, the WAL that it makes as much again, and a twentieth of the file system stays free.
    """
    if index.schema in _CATALOGS:
        return "the server rebuilds indexes of its catalogs only with a lock"
    if index.exclusion:
        return "the server rebuilds indexes of exclusion constraints only with a lock"
    if not index.permitted:
        return "the role may not"
    if not index.default_space:
        return "it lies in a tablespace of its own, whose space is not known"
    if space is None:
        return "whether there is room for the new one is not known, as maintenance.data_directory is not set"
    wanted = 2 * index.bytes + space.size // 20
    if space.free < wanted:
        return f"it needs {format_bytes(wanted)} of free space, and there is {format_bytes(space.free)}"
    return ""


def estimated_air(index: Index, block_bytes: int) -> int:
    """Bytes of a B-tree that its entries do not need; 0 where that is not known.

    What deduplication saves is not taken into account, so that it is rather too small.
    """
    if not index.btree or index.width is None or index.rows < 0:
        return 0
    entry = ceil((index.width + 8) / 8) * 8 + 4
    a_page = max(1, int((block_bytes - _PAGE_BYTES_USED) * _FILL_FACTOR / entry))
    needed = (ceil(index.rows / a_page) * 1.01 + 2) * block_bytes
    return max(0, int(index.bytes - needed))


def leftovers(found: Sequence[Index]) -> list[Index]:
    """Those that a failed rebuild left."""
    return [index for index in found if index.is_leftover and not index.under_way]
