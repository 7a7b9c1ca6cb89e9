"""INSERT ... ON CONFLICT, which SQLAlchemy has for each database by itself.

Each is imported where its database is used: PostgreSQL's takes megabytes.
"""

from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


def insert(table: sa.Table, dialect: str) -> "sqlite.Insert | postgresql.Insert":
    """An insertion that takes ``on_conflict_do_update`` and has ``excluded``. dialect: the name of a connection's."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)
