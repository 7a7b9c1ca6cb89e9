"""Figures of finished runs are those of the record, after whatever was written to it."""

from collections.abc import Collection
from functools import partial
from operator import add
from random import Random

import sqlalchemy as sa

from remediator.model.caller import Caller
from remediator.model.task import Action, Plan
from remediator.model.words import Outcome
from remediator.store import finished, holds, levels, pages, retention, runs
from remediator.store.database import Database
from remediator.store.finished import OfFinishedRuns, Tracks
from remediator.store.tables import runs as table
from tests.remediator.store.test_runs import create, request


async def test_a_kept_figure_is_never_another_than_one_counted_now(database: Database) -> None:
    anew = looks = 0

    def count(connection: sa.Connection, only: Collection[int] | None = None) -> pages.Tracks:
        nonlocal anew
        anew += only is None
        return pages.tracks(connection, only)

    kept, outcomes = OfFinishedRuns(count, pages.add_tracks), OfFinishedRuns(pages.outcomes, add)
    shown, since = Tracks("kitchen"), [("a", 0.0), ("b", 12.0)]
    random, unfinished, now = Random(11), list[int](), 10.0
    for number in range(90):
        now += 1.0
        match random.choice(("begin", "begin", "finish", "finish", "delete", "close", "level", "nothing")):
            case "begin":
                for part in range(random.randrange(1, 3)):
                    by = Caller(*random.choice((("alert", "a"), ("alert", "b"), ("cli", "a"))))
                    asked = request(target=f"t{number}-{part}", caller=by, dry_run=random.random() < 0.3)
                    unfinished.append(await create(database, asked))
                    if random.random() < 0.5:
                        await database.write(partial(runs.planned, run_id=unfinished[-1], plan=PLAN, now=now))
            case "finish" if unfinished:
                run_id = unfinished.pop(random.randrange(len(unfinished)))
                outcome = random.choice(OUTCOMES)
                ended = now if random.random() < 0.8 else now - 5.0  # a clock that was set back
                await database.write(partial(runs.finish, run_id=run_id, outcome=outcome, reason="", now=ended))
            case "delete":
                await database.write(partial(retention.purge, host="kitchen", before=now - 25.0))
            case "close":
                by_hand = partial(holds.close_breaker, host="kitchen", task="t", target=f"t{number - 2}-0", now=now)
                await database.write(partial(by_hand, caller=Caller("cli")))
            case "level":
                since = [("a", random.choice((0.0, now - 9.0))), ("b", 12.0)]
        for _ in range(2):
            looks += 1
            assert await database.read(kept) == await database.read(pages.tracks)
            assert await database.read(outcomes) == await database.read(pages.outcomes)
            for (remedy, start), found in zip(since, await database.read(partial(shown, since=since)), strict=True):
                track = partial(levels.track, host="kitchen", remedy=remedy, since=start)
                assert found == await database.read(track), (number, remedy)
    assert anew < looks * 0.2, "all are counted each time, so this shows nothing"


async def test_an_earlier_view_than_the_last_is_counted_for_itself(database: Database) -> None:
    """Two threads read at once, and the one whose view is older may come last."""
    first, second = await create(database, request(target="one")), await create(database, request(target="two"))
    await database.write(partial(runs.finish, run_id=first, outcome="failed", reason="", now=1.0))
    before, _ = await database.read(partial(finished.look, before=None))
    await database.write(partial(runs.finish, run_id=second, outcome="effective", reason="", now=2.0))
    after, ended = await database.read(partial(finished.look, before=before))
    assert ended == frozenset({second})
    backwards = finished.Seen(after.newest, after.total, frozenset())
    await database.write(lambda connection: connection.execute(table.update().values(state="queued")))
    _, ended = await database.read(partial(finished.look, before=backwards))
    assert ended is None
    await database.write(lambda connection: connection.execute(table.delete().where(table.c.id == second)))
    _, ended = await database.read(partial(finished.look, before=after))
    assert ended is None


OUTCOMES: list[Outcome] = ["effective", "failed", "planned"]
PLAN = Plan(actions=[Action(kind="delete", object="f", reason="old")])
