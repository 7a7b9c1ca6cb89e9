"""A state moved into PostgreSQL and back: every row is there, with its number, and the audit is whole."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from remediator.control.moving import migrate
from remediator.control.place import Place
from remediator.model.caller import Caller
from remediator.model.errors import ClientError
from remediator.statedir import StateDir
from remediator.store.tables import hosts, metadata
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer

pytestmark = pytest.mark.servers

ANNA = Caller("cli", "anna")
RELEASES = Path(__file__).parents[1] / "store" / "releases"
NEWEST = max(RELEASES.glob("*.sql.gz"), key=lambda path: path.stat().st_size)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    """A record with a row in almost every table."""
    state = StateDir(tmp_path / "state")
    state.ensure()
    with closing(sqlite3.connect(state.database)) as connection:
        connection.executescript(gzip.decompress(NEWEST.read_bytes()).decode())
    return state


@pytest.fixture
def place(postgres15: PostgresServer) -> Place:
    postgres15.sql("DROP DATABASE IF EXISTS moved", "CREATE DATABASE moved")
    return Place(f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{postgres15.port}/moved", "host")


def rows(url: str) -> dict[str, list[dict[str, Any]]]:
    """All rows of each table but of the hosts, without whose an alert is."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: [dict(row) for row in connection.execute(select).mappings()]
            for table in metadata.sorted_tables
            if table is not hosts
            for select in [sa.select(table).order_by(*table.primary_key.columns)]
        }
    engine.dispose()
    for row in found["alerts"]:
        del row["host"], row["no_host"]
    return found


def end_runs(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        ended = connection.execute(
            "UPDATE runs SET state = 'finished', outcome = 'failed', finished_at = 1.0, slot = NULL"
            " WHERE state NOT IN ('finished', 'waiting', 'queued', 'running')"
        ).rowcount
        connection.commit()
    return ended


async def test_there_and_back_nothing_is_lost(state: StateDir, place: Place) -> None:
    with pytest.raises(ClientError, match="under way"):
        await migrate(state, place, "postgres", ANNA)
    assert end_runs(state.database) > 0
    there = await migrate(state, place, "postgres", ANNA)
    assert there.aside is not None
    assert not state.database.exists()
    before, after = rows(f"sqlite:///{there.aside}"), rows(str(place.database).replace("ql:", "ql+psycopg:"))
    assert len(before["runs"]) > 3
    assert len(before["audit"]) > 10
    last = after["audit"].pop()
    assert (last["kind"], last["number"]) == ("state.migrated", before["audit_heads"][0]["number"] + 1)
    del before["audit_heads"], after["audit_heads"]
    assert after == before

    there.aside.rename(state.database)
    with pytest.raises(ClientError, match=r"the database has a record already \(of host\)"):
        await migrate(state, place, "postgres", ANNA)
    assert rows(f"sqlite:///{state.database}")["runs"] == before["runs"], "which is as it was"
    state.database.rename(there.aside)

    back = await migrate(state, place, "sqlite", ANNA)
    assert back.rows["runs"] == len(before["runs"])
    again = rows(f"sqlite:///{state.database}")
    assert [row["kind"] for row in again["audit"][-2:]] == ["state.migrated"] * 2
    again["audit"] = again["audit"][:-2]
    del again["audit_heads"]
    assert again == before
    with closing(sqlite3.connect(state.database)) as one, closing(sqlite3.connect(there.aside)) as other:
        numbers = "SELECT name, seq FROM sqlite_sequence WHERE seq > 0 AND name <> 'audit' ORDER BY name"
        assert one.execute(numbers).fetchall() == other.execute(numbers).fetchall(), "no number comes twice"


async def test_a_record_that_is_not_whole_is_not_moved(state: StateDir, place: Place) -> None:
    end_runs(state.database)
    with closing(sqlite3.connect(state.database)) as connection:
        connection.execute("DROP TRIGGER audit_forbidden_1")
        connection.execute("UPDATE audit SET body = '{}' WHERE number = 3")
        connection.commit()
    with pytest.raises(ClientError, match="nothing was moved: the audit that has arrived is broken: record 3 is not"):
        await migrate(state, place, "postgres", ANNA)
    assert state.database.exists()
    assert rows(str(place.database).replace("ql:", "ql+psycopg:"))["runs"] == []
