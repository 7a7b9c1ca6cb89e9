"""The queries, each cheap and, unless it says otherwise, with columns that are the same from PostgreSQL 13 to 18.

None takes a lock on a table of the user: sizes of tables and indexes are those of pg_class, as of their last vacuum or
analyze, since pg_relation_size() waits behind an ACCESS EXCLUSIVE lock. The session's search_path is pg_catalog.

What each column means: https://www.postgresql.org/docs/current/monitoring-stats.html and catalogs.html.
"""

MAX_DATABASES = 100
"""Databases of a server that are shown: those that are asked for by name, then those with the oldest rows."""

MAX_NAMED = 50
"""Standbys, and replication slots, of a server that are shown, the furthest behind first."""

MAX_INDEXES = 20
"""Invalid indexes of a database that are shown for certain, the largest first."""

_CANDIDATES = 100
_SMALL_PAGES = 128
"""Tables and indexes of less than 1 MiB: what they waste is not worth a look."""

# A standby that was restarted, or reads from an archive, has replayed more than it says to have received.
_RECEIVED = "greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())"
_WAL_HERE = f"CASE WHEN pg_is_in_recovery() THEN {_RECEIVED} ELSE pg_current_wal_lsn() END"

FACTS = """
SELECT split_part(current_setting('server_version'), ' ', 1),
       extract(epoch FROM pg_postmaster_start_time())::float8,
       pg_is_in_recovery(),
       current_setting('max_connections')::int4,
       current_setting('superuser_reserved_connections')::int4
           + coalesce(current_setting('reserved_connections', true), '0')::int4,
       current_setting('autovacuum_freeze_max_age')::int8,
       current_setting('autovacuum_multixact_freeze_max_age')::int8,
       current_setting('block_size')::int4,
       current_setting('server_version_num')::int4
"""
"""reserved_connections is there from 16 on."""

DATABASES = f"""
SELECT d.datname, d.datallowconn AND NOT d.datistemplate AND d.datconnlimit <> -2,
       age(d.datfrozenxid)::int8, mxid_age(d.datminmxid)::int8,
       s.deadlocks, s.blks_hit, s.blks_read
FROM pg_database d LEFT JOIN pg_stat_database s ON s.datid = d.oid
ORDER BY d.datname = ANY(%s) DESC, age(d.datfrozenxid) DESC, d.oid
LIMIT {MAX_DATABASES}
"""  # noqa: S608 - a constant
"""One value: names of databases that come first.

Templates too: their rows age as those of any other. A connection limit of -2 marks a half dropped database.
"""

ACTIVITY = """
SELECT coalesce(datname, ''), coalesce(state, 'unknown'), count(*)::int4,
       count(*) FILTER (WHERE wait_event_type = 'Lock')::int4,
       extract(epoch FROM min(xact_start) FILTER (WHERE pid <> pg_backend_pid()))::float8
FROM pg_stat_activity
WHERE backend_type = 'client backend' OR (backend_type IS NULL AND datname IS NOT NULL)
GROUP BY 1, 2
UNION ALL
SELECT database, 'prepared', 0, 0, extract(epoch FROM min(prepared))::float8 FROM pg_prepared_xacts GROUP BY 1
"""
"""Database, state, connections, those that wait for a lock, start of the oldest transaction.

Without pg_monitor the type and the state of other users' connections are NULL.
"""

STANDBYS = f"""
SELECT standby, max(bytes), max(CASE WHEN bytes <= 0 THEN 0 ELSE seconds END)
FROM (
    SELECT coalesce(nullif(application_name, ''), 'unknown') AS standby,
           pg_wal_lsn_diff({_WAL_HERE}, replay_lsn)::float8 AS bytes,
           extract(epoch FROM replay_lag)::float8 AS seconds
    FROM pg_stat_replication
    WHERE state IS DISTINCT FROM 'backup'
) AS each
GROUP BY 1 ORDER BY 2 DESC NULLS LAST
LIMIT {MAX_NAMED}
"""  # noqa: S608 - a constant
"""replay_lag becomes NULL some time after the standby has caught up and nothing more was written."""

SLOTS = f"""
SELECT slot_name, active, greatest(pg_wal_lsn_diff({_WAL_HERE}, restart_lsn), 0)::float8, wal_status
FROM pg_replication_slots
WHERE NOT temporary
ORDER BY wal_status IS NOT DISTINCT FROM 'lost' DESC, 3 DESC NULLS LAST
LIMIT {MAX_NAMED}
"""  # noqa: S608 - a constant
"""wal_status is NULL for a slot that nobody has used yet. One that is lost retains nothing."""

RECOVERY = f"""
SELECT (SELECT count(*) FROM pg_stat_wal_receiver)::int4,
       extract(epoch FROM pg_last_xact_replay_timestamp())::float8,
       pg_wal_lsn_diff({_RECEIVED}, pg_last_wal_replay_lsn())::float8
"""  # noqa: S608 - a constant

VACUUMS = """
SELECT coalesce(datname, ''), relid::int8, phase, heap_blks_total, heap_blks_scanned
FROM pg_stat_progress_vacuum
"""
"""Only columns that 17 left alone."""

ARCHIVE = """
SELECT archived_count, failed_count, extract(epoch FROM last_archived_time)::float8,
       extract(epoch FROM last_failed_time)::float8, waiting.files, waiting.since
FROM pg_stat_archiver, (
    SELECT count(*)::int4 AS files, extract(epoch FROM min(modification))::float8 AS since
    FROM pg_ls_archive_statusdir()
    WHERE name LIKE '%%.ready'
) AS waiting
WHERE current_setting('archive_mode') = CASE WHEN pg_is_in_recovery() THEN 'always' ELSE 'on' END
   OR current_setting('archive_mode') = 'always'
"""
"""No row where the server does not archive.

A command that hangs, or is not set, counts neither as archived nor as failed: only the files that wait tell of it.
"""

WAL = "SELECT coalesce(sum(size), 0)::int8 FROM pg_ls_waldir()"

SIZES = "SELECT datname, pg_database_size(oid)::int8 FROM pg_database WHERE datname = ANY(%s)"

DEFAULT_COLLATIONS = f"""
SELECT datname, coalesce(datcollversion <> pg_database_collation_actual_version(oid), false)
FROM pg_database
WHERE datallowconn
ORDER BY 2 DESC, oid
LIMIT {MAX_DATABASES}
"""  # noqa: S608 - a constant
"""From 15 on: databases, and whether their default collation has another version now than when they were made.

Templates too: from template1 no database can be made any more. template0 never has a version.
"""

COLLATIONS = """
SELECT count(*)::int4
FROM pg_collation AS c
WHERE c.collversion IS NOT NULL AND CASE
    WHEN EXISTS (SELECT FROM pg_depend AS d WHERE d.refclassid = 'pg_collation'::regclass AND d.refobjid = c.oid)
         OR c.oid IN (SELECT unnest(indcollation::oid[]) FROM pg_index)
    THEN c.collversion <> pg_collation_actual_version(c.oid)
    ELSE false
    END
"""
"""Of one database: collations with another version now than when they were made, as far as something uses them.

There are hundreds that nothing uses. Those that every database is born with have no entries in pg_depend.
"""

EXTENSIONS = "SELECT count(*)::int4 FROM pg_available_extensions WHERE installed_version <> default_version"
"""Of one database: extensions installed in another version than that which the server's files would install now."""

WIDTHS_VIEW = """
SELECT EXISTS (
    SELECT FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_roles AS r ON r.oid = c.relowner
    WHERE n.nspname = 'upkeeper' AND c.relname = 'column_width' AND r.rolsuper
          AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
)
"""
"""Whether there is the view of docs/how-to/postgres.md. Somebody else's of that name could run what it likes."""

_FROM_VIEW = "LEFT JOIN upkeeper.column_width AS w ON w.relid = a.attrelid AND w.attnum = a.attnum"
_FROM_STATS = """LEFT JOIN pg_stats AS w
                   ON w.schemaname = t.nspname AND w.tablename = t.relname AND w.attname = a.attname
                   AND NOT w.inherited"""


def tables(view: bool) -> str:
    """Of one database, the tables with the most dead rows, and the largest, with the widths of their columns.

    view: widths come from upkeeper.column_width; else from pg_stats, which shows only tables that the role may read.
    Two values, the same: how many of the tables with the most dead rows.
    Columns: oid, name as SQL takes it, pages, rows as of the last vacuum or analyze (-1 unknown), live rows, dead rows,
    last vacuum and last analyze (Unix seconds), fill factor, whether it is shown for its dead rows, and per column:
    length (negative: variable), alignment, mean width (NULL unknown), share of NULLs.
    """
    return f"""
WITH every AS (
    SELECT c.oid, n.nspname, c.relname, c.relpages, c.reltuples, c.reloptions,
           pg_stat_get_live_tuples(c.oid) AS live, pg_stat_get_dead_tuples(c.oid) AS dead,
           n.nspname IN ('pg_catalog', 'information_schema') AS catalog
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND NOT c.relisshared
), ranked AS (
    SELECT *, row_number() OVER (ORDER BY dead DESC, catalog, relpages DESC, oid) AS by_dead,
           row_number() OVER (ORDER BY relpages DESC, oid) AS by_size
    FROM every
), t AS (
    SELECT *, by_dead <= %s AND (dead > 0 OR NOT catalog) AS for_dead
    FROM ranked
    WHERE by_dead <= %s OR (by_size <= {_CANDIDATES} AND relpages >= {_SMALL_PAGES})
)
SELECT t.oid::int8, format('%%I.%%I', t.nspname, t.relname), t.relpages, t.reltuples::float8, t.live, t.dead,
       extract(epoch FROM greatest(pg_stat_get_last_vacuum_time(t.oid), pg_stat_get_last_autovacuum_time(t.oid)))
           ::float8,
       extract(epoch FROM greatest(pg_stat_get_last_analyze_time(t.oid), pg_stat_get_last_autoanalyze_time(t.oid)))
           ::float8,
       coalesce((SELECT option_value::int4 FROM pg_options_to_table(t.reloptions)
                 WHERE option_name = 'fillfactor'), 100),
       t.for_dead, columns.*
FROM t CROSS JOIN LATERAL (
    SELECT array_agg(a.attlen ORDER BY a.attnum), array_agg(a.attalign::text ORDER BY a.attnum),
           array_agg(w.avg_width ORDER BY a.attnum), array_agg(w.null_frac::float8 ORDER BY a.attnum)
    FROM pg_attribute AS a {_FROM_VIEW if view else _FROM_STATS}
    WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
) AS columns
"""  # noqa: S608 - constants


REAL_BYTES = """CASE WHEN c.oid IN (
        SELECT l.relation FROM pg_locks AS l
        WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) THEN 0 ELSE coalesce(pg_relation_size(c.oid), 0) END"""
"""Bytes of the relation c as they are on disk; 0 of one that is locked, so that nobody waits."""

STATISTICS_MIN_BYTES = 1024**2
"""Of a smaller table the planner knows enough without statistics."""


def without_statistics(view: bool) -> str:
    """Of one database, how many tables of 1 MiB or more the planner has no statistics of: a single number.

    As after pg_upgrade before 18, which brings neither statistics nor the counters by which autovacuum would notice.
    view: whether there are statistics is seen in upkeeper.column_width; else a table counts whose size the catalog
    does not know either, which vacuum, analyze and the making of an index all write down.
    """
    known = "NOT EXISTS (SELECT FROM upkeeper.column_width AS w WHERE w.relid = c.oid)" if view else "c.relpages = 0"
    return f"""
SELECT count(*)::int4
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND pg_stat_get_last_analyze_time(c.oid) IS NULL AND pg_stat_get_last_autoanalyze_time(c.oid) IS NULL AND {known}
  AND CASE WHEN c.relpages = 0 THEN {REAL_BYTES}
      ELSE c.relpages::int8 * current_setting('block_size')::int8 END >= {STATISTICS_MIN_BYTES}
"""  # noqa: S608 - constants


INDEXES = f"""
SELECT i.indexrelid::int8, format('%%I.%%I', n.nspname, c.relname), i.indisvalid, c.relpages::int8,
       row_number() OVER (PARTITION BY i.indisvalid ORDER BY c.relpages DESC, c.oid) AS place
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'i' AND c.relpersistence <> 't' AND CASE
    WHEN NOT i.indisvalid THEN
        NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = i.indexrelid)
    ELSE
        c.relpages >= {_SMALL_PAGES} AND pg_stat_get_numscans(i.indexrelid) = 0
        AND NOT (i.indisunique OR i.indisexclusion OR i.indisreplident)
        AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
    END
ORDER BY i.indisvalid, place
LIMIT {MAX_INDEXES} + %s
"""  # noqa: S608 - constants
"""Invalid indexes that nobody is building now, then unused ones that serve no constraint, the largest first."""
