"""What a database's catalog says of its tables: a row for each, and what it means."""

from typing import NamedTuple

from exporter.postgres.queries import REAL_BYTES, STATISTICS_MIN_BYTES

_MAINTAIN = 170000
"""The version number from which on there is the privilege MAINTAIN."""
_COUNTS_PARENTS = 140000
"""From which on an analyze of the parent of partitions is counted. Before that its statistics are there or not, and how
old they are nobody knows.
"""


class ServerFacts(NamedTuple):
    """A row of FACTS."""

    version_number: int
    in_recovery: bool
    counts: bool
    freeze_max_age: int
    multixact_freeze_max_age: int
    block_bytes: int


FACTS = """
SELECT current_setting('server_version_num')::int4, pg_is_in_recovery(), current_setting('track_counts')::bool,
       current_setting('autovacuum_freeze_max_age')::int8, current_setting('autovacuum_multixact_freeze_max_age')::int8,
       current_setting('block_size')::int4
"""


class Table(NamedTuple):
    """A row of ``tables``. Times are Unix seconds; None is never, as far as the statistics reach back."""

    oid: int
    schema: str
    name: str
    partitioned: bool
    """It is the parent of partitions and holds no rows: only its statistics are looked after."""
    bytes: int
    """Of the table alone, as of its last vacuum or analyze, and before the first as it is on disk."""
    rows: float
    """As of its last vacuum or analyze; -1 before the first."""
    live: int
    dead: int
    changed: int
    """Rows that were changed since the last analyze."""
    last_vacuum: float | None
    last_analyze: float | None
    vacuums: int
    """By hand, since the statistics were reset."""
    analyzes: int
    """By hand, likewise."""
    xid_age: int
    """Transactions since its oldest row that is not frozen, its TOAST table's too."""
    multixact_age: int
    permitted: bool
    """Whether the role may maintain it."""
    worked_on_by: int | None
    """The process id of a vacuum that runs on it or its TOAST table."""

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def is_unknown(self) -> bool:
        """It has rows of which neither counters nor catalog know anything, as after an upgrade of the server.

        Nothing but an analyze brings back the statistics: autovacuum waits for rows to change.
        """
        return self.last_analyze is None and self.rows <= 0 and self.bytes >= STATISTICS_MIN_BYTES


def tables(version_number: int, *, one: bool = False) -> str:
    """The query for the tables of the database that the session is in.

    Values: whether tables that all databases share count; with ``one``, before it, the oid of the only table.
    """
    known = (
        "EXISTS (SELECT FROM pg_stats AS s WHERE (s.schemaname, s.tablename) = (n.nspname, c.relname) AND s.inherited)"
    )
    old = version_number < _COUNTS_PARENTS
    analyzed = f"WHEN c.relkind = 'p' THEN CASE WHEN {known} THEN extract(epoch FROM now()) END" if old else ""
    analyzes = f"WHEN c.relkind = 'p' THEN {known}::int" if old else ""
    maintain = " OR has_table_privilege(c.oid, 'MAINTAIN')" if version_number >= _MAINTAIN else ""
    return f"""
SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind = 'p',
       CASE WHEN c.relpages = 0 AND c.relkind <> 'p' THEN {REAL_BYTES}
            ELSE c.relpages::int8 * current_setting('block_size')::int8 END, c.reltuples::float8,
       pg_stat_get_live_tuples(c.oid), pg_stat_get_dead_tuples(c.oid), pg_stat_get_mod_since_analyze(c.oid),
       extract(epoch FROM greatest(pg_stat_get_last_vacuum_time(c.oid), pg_stat_get_last_autovacuum_time(c.oid)))
           ::float8,
       (CASE WHEN false THEN NULL {analyzed} ELSE extract(epoch FROM greatest(
           pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid))) END)::float8,
       pg_stat_get_vacuum_count(c.oid),
       (CASE WHEN false THEN 0 {analyzes} ELSE pg_stat_get_analyze_count(c.oid) END)::int8,
       CASE WHEN c.relkind = 'p' THEN 0 ELSE greatest(age(c.relfrozenxid), age(t.relfrozenxid)) END::int8,
       CASE WHEN c.relkind = 'p' THEN 0 ELSE greatest(mxid_age(c.relminmxid), mxid_age(t.relminmxid)) END::int8,
       has_schema_privilege(n.oid, 'USAGE') AND (
           pg_has_role(c.relowner, 'USAGE') OR (NOT c.relisshared AND pg_has_role(d.datdba, 'USAGE')){maintain}
       ),
       (SELECT min(p.pid) FROM pg_stat_progress_vacuum AS p
        WHERE p.datid = d.oid AND p.relid IN (c.oid, c.reltoastrelid))
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_database AS d ON d.datname = current_database()
LEFT JOIN pg_class AS t ON t.oid = c.reltoastrelid
WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't' {"AND c.oid = %s" if one else ""}
  AND (%s OR NOT c.relisshared)
"""  # noqa: S608 - constants
