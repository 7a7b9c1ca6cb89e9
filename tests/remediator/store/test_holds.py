"""What holds runs back, on every database: of the one host only."""

from functools import partial

from remediator.model.caller import Caller
from remediator.model.hold import Pause
from remediator.store import holds, runs
from remediator.store.database import Database
from tests.remediator.store.test_runs import create, request

PAT = Caller("cli", "pat")


async def pause(database: Database, task: str | None, until: float | None = None, host: str = "kitchen") -> None:
    await database.write(partial(holds.pause, host=host, hold=Pause(task, "moving house", 1.0, until, PAT)))


async def in_force(database: Database, now: float, host: str = "kitchen") -> list[str | None]:
    return [hold.task for hold in await database.read(partial(holds.active_pauses, host=host, now=now))]


async def test_a_pause_is_of_one_host_and_ends(database: Database) -> None:
    await pause(database, None)
    await pause(database, "t", until=5.0)
    await pause(database, "t", host="cellar")
    assert await in_force(database, 4.0) == [None, "t"]
    assert await in_force(database, 5.0) == [None]
    await pause(database, "t", until=9.0)
    assert await in_force(database, 5.0) == [None, "t"]
    assert (
        await database.write(partial(holds.resume, host="kitchen", caller=Caller("cli", "pat"), now=9.0, task="t")) == 1
    )
    assert (
        await database.write(partial(holds.resume, host="kitchen", caller=Caller("cli", "pat"), now=9.0, task=None))
        == 1
    )
    assert await in_force(database, 4.0) == []
    assert await in_force(database, 4.0, "cellar") == ["t"]
    (hold,) = await database.read(partial(holds.active_pauses, host="cellar", now=4.0))
    assert hold.caller == PAT


async def test_guards_hear_of_their_own_host(database: Database) -> None:
    for number, host in enumerate(("kitchen", "cellar", "cellar")):
        run_id = await create(database, request(host=host, caller=Caller("alert", "tidy")))
        await database.write(partial(runs.begin, run_id=run_id, now=10.0 + number))
        ended = partial(runs.finish, run_id=run_id, outcome="ineffective", reason="", now=20.0 + number)
        await database.write(ended)
    mine = await create(database, request())
    for host, at in (("kitchen", 30.0), ("cellar", 31.0), ("cellar", 32.0)):
        reset = partial(holds.close_breaker, host=host, task="t", target="x", caller=PAT, now=at)
        await database.write(reset)
    for host, in_flight, ends, closed in (("kitchen", [mine], [20.0], 30.0), ("cellar", None, [22.0, 21.0], 32.0)):
        place = (host, "t", "x")
        assert (await database.read(holds.unfinished_runs)).get(place) == in_flight
        assert (await database.read(holds.breakers_closed))[place] == closed
        past = await database.read(partial(holds.past_runs, place=place))
        assert [run.finished_at for run in past] == ends
        assert list(await database.read(partial(holds.acted_on, host=host, since=0.0))) == [("t", "x")]
    assert list(await database.read(partial(holds.acted_on, host="attic", since=0.0))) == []
