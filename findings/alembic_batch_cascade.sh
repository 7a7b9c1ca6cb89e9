#!/bin/sh
# Alembic's batch mode on SQLite makes a table anew: it copies the rows, drops the old table and renames the new one.
# With PRAGMA foreign_keys=ON, DROP TABLE deletes the parent's rows first (https://sqlite.org/foreignkeys.html#fk_schemacommands),
# so that ON DELETE CASCADE empties the tables that refer to it: a migration that widens a column of `alerts` would take
# every decision along, without an error. Adding a column in batch mode is safe, since nothing is made anew then.
# Upkeeper's migrations add columns by plain ALTER TABLE, or set all tables that refer to each other aside and fill them
# again (0003), and its upgrade test compares every row.
set -eu

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" install --quiet --disable-pip-version-check alembic==1.20.1 sqlalchemy==2.1.9

"$directory/venv/bin/python" - <<'PYTHON'
import sqlite3
import sys

import alembic
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations


def children_left(change):
    """How many of two child rows are left after a change of their parents' table."""
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(8) NOT NULL)",
            "CREATE TABLE child (id INTEGER PRIMARY KEY,"
            " parent_id INTEGER NOT NULL REFERENCES parent (id) ON DELETE CASCADE)",
            "INSERT INTO parent VALUES (1, 'a')",
            "INSERT INTO child VALUES (1, 1), (2, 1)",
        ):
            connection.exec_driver_sql(statement)
    with engine.begin() as connection:
        with Operations(MigrationContext.configure(connection)).batch_alter_table("parent") as batch:
            change(batch)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM parent").scalar() == 1
        return connection.exec_driver_sql("SELECT count(*) FROM child").scalar()


widened = children_left(lambda batch: batch.alter_column("name", type_=sa.String(16), existing_type=sa.String(8)))
added = children_left(lambda batch: batch.add_column(sa.Column("due_at", sa.Float())))
print(f"alembic {alembic.__version__}, SQLAlchemy {sa.__version__}, SQLite {sqlite3.sqlite_version}")
print(f"a column of the parent widened in batch mode: {widened} of 2 child rows left, no error")
print(f"a column added to the parent in batch mode:   {added} of 2 child rows left")
sys.exit(0 if (widened, added) == (0, 2) else 1)
PYTHON
