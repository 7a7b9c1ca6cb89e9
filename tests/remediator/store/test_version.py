"""Tables that a newer program has made: one that is older goes on with what it knows of, or changes nothing."""

from functools import partial

import pytest
import sqlalchemy as sa

from remediator.model.caller import Caller
from remediator.model.errors import ClientError
from remediator.model.run import Request
from remediator.store import runs
from remediator.store.database import Database, newest_version
from tests.remediator.store.conftest import Open, Place

REQUEST = Request(host="kitchen", task="sweep", target="attic", caller=Caller("cli"), dry_run=False)


async def newer(database: Database, works_since: str | None) -> None:
    """A newer program, on another host, brings the tables along."""

    def work(connection: sa.Connection) -> None:
        connection.execute(sa.text("ALTER TABLE runs ADD COLUMN colour TEXT DEFAULT 'blue'"))
        connection.execute(sa.text("CREATE TABLE colours (id INTEGER PRIMARY KEY)"))
        values = {"since": works_since}
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0999', works_since = :since"), values)

    await database.write(work)


async def version(database: Database) -> str:
    return str(
        await database.read(lambda connection: connection.scalar(sa.text("SELECT version_num FROM alembic_version")))
    )


async def test_an_older_program_goes_on_where_the_newer_one_says_that_it_can(open_for: Open) -> None:
    first = await open_for("attic")
    await newer(first, works_since=newest_version())
    database = await open_for("kitchen")
    run_id = await database.write(partial(runs.create, request=REQUEST, now=1.0))
    assert (await database.read(partial(runs.get, run_id=run_id))).task == "sweep"
    assert await version(database) == "0999"


@pytest.mark.parametrize("works_since", ["0998", None])
async def test_else_it_says_so_and_changes_nothing(open_for: Open, place: Place, works_since: str | None) -> None:
    first = await open_for("attic")
    await newer(first, works_since)
    database = Database(place, host="kitchen")
    with pytest.raises(
        ClientError, match=r"are of version 0999, made by a newer Upkeeper: this one, .* knows them up to"
    ):
        await database.migrate()
    await database.close()
    assert await version(first) == "0999"
