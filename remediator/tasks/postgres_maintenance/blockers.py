"""Who is in the way of maintenance: queries, and what their rows say."""

from typing import NamedTuple

from exporter.base.text import format_time

BESIDE = """
SELECT true, w.pid, a.usename::text, a.state, extract(epoch FROM coalesce(a.xact_start, a.backend_start))::float8,
       a.application_name, a.backend_type
FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted AND pid IS NOT NULL) AS w
LEFT JOIN pg_stat_activity AS a ON a.pid = w.pid
WHERE w.pid <> %s AND %s = ANY(pg_blocking_pids(w.pid))
UNION ALL
SELECT false, b.pid, a.usename::text, a.state, extract(epoch FROM coalesce(a.xact_start, a.backend_start))::float8,
       a.application_name, a.backend_type
FROM unnest(pg_blocking_pids(%s)) AS b(pid) LEFT JOIN pg_stat_activity AS a ON a.pid = b.pid
"""
"""Beside the process that is given three times: who waits for it (true), and whom it waits for. A prepared transaction
has the process id 0.
"""

HOLDERS = """
SELECT * FROM (
    SELECT 'process ' || pid, usename::text, state, extract(epoch FROM xact_start)::float8, application_name,
           greatest(age(backend_xmin), age(backend_xid))::int8 AS age
    FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND (datname = current_database() OR datname IS NULL)
      AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
      AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)
    UNION ALL
    SELECT 'the prepared transaction ' || gid, owner::text, NULL, extract(epoch FROM prepared)::float8, NULL,
           age(transaction)::int8
    FROM pg_prepared_xacts WHERE database = current_database()
    UNION ALL
    SELECT 'the replication slot ' || slot_name, NULL, CASE WHEN active THEN 'active' ELSE 'inactive' END, NULL, NULL,
           age(xmin)::int8
    FROM pg_replication_slots WHERE xmin IS NOT NULL
) AS every
ORDER BY age DESC LIMIT 3
"""
"""What keeps dead rows from being removed in this database, the oldest first."""

LOCKERS = """
SELECT 'process ' || l.pid, a.usename::text, a.state,
       extract(epoch FROM coalesce(a.xact_start, a.backend_start))::float8,
       coalesce(nullif(a.backend_type, 'client backend'), a.application_name), 0
FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.relation = %s AND l.granted AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
                 'AccessExclusiveLock')
UNION ALL
SELECT 'a prepared transaction', NULL, NULL, NULL, NULL, 0
FROM pg_locks
WHERE locktype = 'relation' AND relation = %s AND granted AND pid IS NULL
  AND mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
               'AccessExclusiveLock')
LIMIT 3
"""
"""Who holds a lock on a table, given twice, beside which it can be neither vacuumed nor analyzed."""


class Blocker(NamedTuple):
    """A row of HOLDERS or LOCKERS."""

    what: str
    user: str | None
    state: str | None
    since: float | None
    """Unix seconds."""
    application: str | None
    age: int = 0
    """Transactions since the oldest one that it may still see."""

    def __str__(self) -> str:
        facts = [
            f"user {self.user}" if self.user else "",
            self.application or "",
            self.state or "",
            f"since {format_time(self.since)}" if self.since is not None else "",
        ]
        known = ", ".join(fact for fact in facts if fact)
        return f"{self.what} ({known})" if known else self.what


class Beside(NamedTuple):
    """A row of BESIDE."""

    waits: bool
    pid: int
    user: str | None
    state: str | None
    since: float | None
    application: str | None
    kind: str | None

    @property
    def blocker(self) -> Blocker:
        if self.pid == 0:
            return Blocker("a prepared transaction", None, None, None, None)
        application = self.application if self.kind in (None, "client backend") else self.kind
        return Blocker(f"process {self.pid}", self.user, self.state, self.since, application)
