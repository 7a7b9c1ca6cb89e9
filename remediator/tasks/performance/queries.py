"""What database servers are busy with. Never the text of a running query, which holds data: its first word only."""

from collections.abc import Sequence
from typing import Any, LiteralString

from exporter.base.redact import redacted
from exporter.base.units import format_duration
from exporter.neo4j.driver import TRANSACTION_METADATA, Neo4jRefused
from exporter.postgres.session import QueryRefused
from remediator.servers.neo4j import Neo4jDoor
from remediator.servers.postgres import PostgresDoor
from remediator.tasks.performance.rows import UseRow

MOST = 5
LONGEST = 160
"""Characters of a statement that are shown."""
NEO4J_SECONDS = 15.0

_RUNNING = """
SELECT coalesce(datname, ''), pid, coalesce(usename, ''), coalesce(state, ''), coalesce(wait_event_type, ''),
       extract(epoch FROM clock_timestamp() - coalesce(query_start, backend_start))::float8,
       upper(coalesce(substring(ltrim(query) FROM '^[A-Za-z]+'), ''))
FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND datname IS NOT NULL AND state <> 'idle'
ORDER BY 6 DESC LIMIT %s
"""
_WHERE_STATEMENTS = """
SELECT n.nspname::text FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
"""
# Statements that are no queries keep their constants, such as the password of an ALTER ROLE.
_STATEMENTS = """
SELECT coalesce(d.datname, ''), s.calls::int8, s.{time}::float8 / 1000,
       s.{time}::float8 / nullif(sum(s.{time}) OVER (), 0),
       regexp_replace(s.query, '\\s+', ' ', 'g')
FROM {schema}.pg_stat_statements AS s LEFT JOIN pg_database AS d ON d.oid = s.dbid
WHERE s.query ~* '^\\s*(select|insert|update|delete|merge|with)\\M'
ORDER BY s.{time} DESC LIMIT %s
"""
_TRANSACTIONS: LiteralString = (
    "SHOW TRANSACTIONS YIELD database, transactionId, username, elapsedTime, status, currentQuery, metaData "
    "RETURN database, transactionId, username, elapsedTime.milliseconds AS ms, status, metaData, "
    'head(split(trim(coalesce(currentQuery, "")), " ")) AS word ORDER BY ms DESC'
)


async def postgres(name: str, door: PostgresDoor) -> tuple[list[UseRow], list[str]]:
    """What runs longest now on a server, and which statements took most of its time. Raises PostgresUnavailable."""
    notes: list[str] = []
    async with door.observing() as session:
        found = [_running(name, row) for row in await session.rows(_RUNNING, MOST)]
        schemas = await session.rows(_WHERE_STATEMENTS)
        if not schemas:
            notes.append(
                f"{name}: without the extension pg_stat_statements in {door.server.dbname} it is not known which "
                "statements take most of the time."
            )
            return found, notes
        schema = '"' + str(schemas[0][0]).replace('"', '""') + '"'
        time = "total_exec_time" if session.version_number >= 130000 else "total_time"
        query = _STATEMENTS.format(schema=schema.replace("%", "%%"), time=time)
        try:
            found += [_statement(name, row) for row in await session.rows(query, MOST)]
        except QueryRefused as error:  # as where the library is not preloaded
            notes.append(f"{name}: pg_stat_statements cannot be read: {error}.")
    return found, notes


def _running(name: str, row: Sequence[Any]) -> UseRow:
    datname, pid, user, state, wait, seconds, word = row
    waits = f", waits for {wait}" if wait and wait != "Client" else ""
    return UseRow(
        resource="queries",
        who=f"{name}/{datname}",
        unit="s",
        value=max(0.0, seconds),
        detail=f"{word or 'a statement'} of {user}, pid {pid}: {state}{waits}",
    )


def _statement(name: str, row: Sequence[Any]) -> UseRow:
    datname, calls, seconds, share, query = row
    text = redacted(str(query))
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return UseRow(
        resource="queries",
        who=f"{name}/{datname}",
        unit="s",
        value=seconds,
        share=share,
        detail=f"{calls} calls of {format_duration(seconds / max(1, calls))} since the statistics were reset: {text}",
    )


async def neo4j(name: str, door: Neo4jDoor) -> tuple[list[UseRow], list[str]]:
    """The transactions that have run longest. Raises Neo4jUnavailable and Neo4jTooSlow."""
    async with door.driver() as driver:
        try:
            rows = await driver.rows("system", _TRANSACTIONS, NEO4J_SECONDS)
        except Neo4jRefused as error:
            return [], [f"{name}: its transactions are not known: {error}."]
    others = [row for row in rows if (row["metaData"] or {}).get("app") != TRANSACTION_METADATA["app"]]
    return [
        UseRow(
            resource="queries",
            who=f"{name}/{row['database']}",
            unit="s",
            value=float(row["ms"]) / 1000,
            detail=f"{str(row['word']).upper()[:20] or 'a query'} of {row['username']}, {row['transactionId']}: "
            f"{str(row['status'])[:60]}",
        )
        for row in others[:MOST]
    ], []
