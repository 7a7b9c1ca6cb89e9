"""What a server and its databases hold, as a restore is compared with it. Blocks; raises psycopg.Error."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import JsonValue

if TYPE_CHECKING:
    import psycopg

_SERVER = """
    SELECT current_setting('server_version_num')::int, current_setting('server_version'),
           (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
"""
_DATABASES = """
    SELECT datname, pg_database_size(oid) FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname
"""
_ROLES = "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY rolname"
_TABLES = """
    SELECT n.nspname, c.relname, format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1, 2
"""
_KINDS = """
    SELECT c.relkind::text, count(*)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'i', 'I', 'f') AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    GROUP BY 1
"""
_KIND_NAMES = {
    "r": "tables",
    "p": "partitioned_tables",
    "v": "views",
    "m": "materialized_views",
    "S": "sequences",
    "i": "indexes",
    "I": "partitioned_indexes",
    "f": "foreign_tables",
}
_SEQUENCES = "SELECT format('%I.%I', schemaname, sequencename), last_value FROM pg_sequences ORDER BY 1"
_EXTENSIONS = "SELECT extname, extversion FROM pg_extension ORDER BY 1"
_LARGE_OBJECTS = "SELECT count(*) FROM pg_largeobject_metadata"
_PROPERTIES = """
    SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = current_database()
"""


class ServerFacts(NamedTuple):
    """What a server is, and what is in it."""

    version_number: int
    version: str
    superuser: bool
    databases: dict[str, int]
    """Name and size on disk in bytes of those that can be connected to and are no templates."""
    roles: list[str]

    @property
    def major(self) -> int:
        return self.version_number // 10000


def server_facts(connection: "psycopg.Connection[Any]") -> ServerFacts:
    number, version, superuser = connection.execute(_SERVER).fetchone() or (0, "", False)
    databases = {str(name): int(size) for name, size in connection.execute(_DATABASES)}
    roles = [str(name) for (name,) in connection.execute(_ROLES)]
    return ServerFacts(number, str(version).split()[0], bool(superuser), databases, roles)


def database_facts(connection: "psycopg.Connection[Any]") -> dict[str, JsonValue]:
    """Of the connection's database, in its snapshot: ``rows`` of each table, ``objects`` by kind, and so on."""
    encoding, collate, ctype = connection.execute(_PROPERTIES).fetchone() or ("", "", "")
    return {
        "encoding": encoding,
        "collate": collate,
        "ctype": ctype,
        "objects": {_KIND_NAMES[kind]: count for kind, count in connection.execute(_KINDS)},
        "sequences": dict(connection.execute(_SEQUENCES).fetchall()),
        "extensions": dict(connection.execute(_EXTENSIONS).fetchall()),
        "large_objects": _one(connection, _LARGE_OBJECTS),
        "rows": {name: _count(connection, schema, table) for schema, table, name in _tables(connection)},
    }  # fmt: skip


def _tables(connection: "psycopg.Connection[Any]") -> Sequence[tuple[str, str, str]]:
    """Schema, table, and both as SQL writes them, of tables that hold rows of their own.

    So each partition, not their parents; and none that an extension fills, whose rows are not dumped.
    """
    return connection.execute(_TABLES).fetchall()


def _count(connection: "psycopg.Connection[Any]", schema: str, table: str) -> int:
    from psycopg import sql

    name = sql.Identifier(schema, table)
    row = connection.execute(sql.SQL("SELECT count(*) FROM ONLY {}").format(name)).fetchone()
    return int(row[0]) if row else 0


def _one(connection: "psycopg.Connection[Any]", query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0
