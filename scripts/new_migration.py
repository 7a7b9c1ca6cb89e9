"""``python -m scripts.new_migration NAME``: a migration that brings the tables to those of the code, to be read first.

Compares with a database made by the migrations there are.
"""

import re
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config

from remediator.store.database import MIGRATIONS, newest_version
from remediator.store.sqlitefile import sqlite_engine
from remediator.store.tables import metadata


def main(name: str) -> int:
    """The exit status."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{2,40}", name):
        print(f"error: {name!r} must be words in lower case with _ between them", file=sys.stderr)
        return 2
    for table in metadata.tables.values():
        for index in table.indexes:
            options = index.dialect_options
            options["postgresql"]["where"] = options["sqlite"]["where"]
    number = f"{int(newest_version()) + 1:04d}"
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with tempfile.TemporaryDirectory() as directory:
        engine = sqlite_engine(Path(directory) / "now.db", "shared", begin="BEGIN IMMEDIATE")
        with engine.begin() as connection:
            config.attributes.update(connection=connection, target_metadata=metadata)
            command.upgrade(config, "head")
            command.revision(config, name, autogenerate=True, rev_id=number)
        engine.dispose()
    print(f"read it, and write a test of it: {MIGRATIONS.name}/versions/{number}_{name}.py")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else ""))
