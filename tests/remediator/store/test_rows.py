"""The table that a run's task leaves, on every database."""

from collections.abc import Sequence
from functools import partial

from remediator.model.task import Plan, Row
from remediator.store import pages, retention, rows, runs
from remediator.store.database import Database
from tests.remediator.store.test_runs import HUGE, create, finish, request


class Slow(Row):
    query: str
    calls: int
    share: float
    tables: Sequence[str] = ()


TABLE = [
    Slow(query="SELECT | \N{SNOWMAN}", calls=HUGE, share=0.5, tables=["a", "b"]),
    Slow(query="", calls=0, share=0.0),
]


async def test_rows_are_kept_with_their_types_and_in_their_order(database: Database) -> None:
    run_id = await create(database, request())
    for table in (TABLE[::-1], TABLE):  # planned again after a crash
        await database.write(partial(runs.planned, run_id=run_id, plan=Plan(rows=table), now=2.0))
    view = await database.read(partial(pages.one_run, run_id=run_id))
    assert view["rows"] == [
        {"query": "SELECT | \N{SNOWMAN}", "calls": HUGE, "share": 0.5, "tables": ["a", "b"]},
        {"query": "", "calls": 0, "share": 0.0, "tables": []},
    ]
    assert [Slow.model_validate(row).model_dump(mode="json") for row in view["rows"]] == view["rows"]
    (listed,) = (await database.read(partial(pages.list_runs, limit=1)))["items"]
    assert "rows" not in listed, "a page of runs is read often, and their tables are long"


async def test_rows_go_with_their_run(database: Database) -> None:
    old, young = await create(database, request()), await create(database, request(task="other"))
    for run_id in (old, young):
        await database.write(partial(rows.replace, run_id=run_id, rows=TABLE))
    await finish(database, old, 9.0)
    await database.write(partial(retention.purge, host="kitchen", before=10.0))
    assert await database.read(partial(rows.of_run, run_id=old)) == []
    assert len(await database.read(partial(rows.of_run, run_id=young))) == 2
