"""Figures of finished runs are those of the record, after whatever was written to it."""

from functools import partial
from random import Random

import sqlalchemy as sa

from remediator.model.caller import Caller
from remediator.store import pages, retention, runs
from remediator.store.database import Database
from remediator.store.finished import OfFinishedRuns
from tests.remediator.store.test_runs import create, request


async def test_a_kept_figure_is_never_another_than_one_counted_now(database: Database) -> None:
    counted = 0

    def count(connection: sa.Connection) -> tuple[object, object]:
        nonlocal counted
        counted += 1
        return pages.tracks(connection), pages.outcomes(connection)

    kept, random, unfinished, now = OfFinishedRuns(count), Random(11), list[int](), 10.0
    looks = 0
    for number in range(60):
        now += 1.0
        match random.choice(("begin", "finish", "finish", "delete", "nothing")):
            case "begin":
                asked = request(target=f"t{number}", caller=Caller("alert", random.choice(("a", "b"))))
                unfinished.append(await create(database, asked))
            case "finish" if unfinished:
                run_id = unfinished.pop(random.randrange(len(unfinished)))
                outcome = random.choice(("effective", "failed", "planned"))
                ended = now if random.random() < 0.8 else now - 5.0  # a clock that was set back
                await database.write(partial(runs.finish, run_id=run_id, outcome=outcome, reason="", now=ended))
            case "delete":
                await database.write(partial(retention.purge, host="kitchen", before=now - 12.0))
        for _ in range(2):
            looks += 1
            tracks, outcomes = await database.read(kept)
            assert tracks == await database.read(pages.tracks)
            assert outcomes == await database.read(pages.outcomes)
    assert counted < looks * 0.6, "it is counted each time, so this shows nothing"
