"""What holds runs back, on every database: of the one host only."""

from functools import partial
from random import Random

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


async def test_a_pause_of_somebody_else_is_not_cut_short(database: Database) -> None:
    await pause(database, None, until=50.0)
    await pause(database, "t")
    ann = Caller("api", "ann")
    for task, until, longer in (
        (None, 49.0, "moving house"),
        (None, 50.0, None),
        (None, None, None),
        ("t", 1e9, "moving house"),
        ("t", None, None),
        ("u", 2.0, None),
    ):
        look = partial(holds.cut_short, host="kitchen", hold=Pause(task, "r", 2.0, until, ann))
        found = await database.read(look)
        assert (found and found.reason) == longer, (task, until)
        assert (
            await database.read(partial(holds.cut_short, host="cellar", hold=Pause(task, "r", 2.0, until, ann))) is None
        )
        own = Pause(task, "r", 2.0, until, Caller("console", "pat"))
        assert await database.read(partial(holds.cut_short, host="kitchen", hold=own)) is None
    later = Pause(None, "r", 50.0, 51.0, ann)
    assert await database.read(partial(holds.cut_short, host="kitchen", hold=later)) is None, "that one is over"


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
        assert list(await database.read(partial(holds.not_helped, host=host, since=0.0))) == [("t", "x")]
    assert list(await database.read(partial(holds.not_helped, host="attic", since=0.0))) == []


async def test_no_target_whose_breaker_can_be_open_is_passed_over(database: Database) -> None:
    """On generated histories: whoever's newest counted run did not help is among those that are asked about."""
    random = Random(7)
    targets = [f"target-{number}" for number in range(40)]
    for number in range(160):
        trigger = random.choice(("alert", "cli"))
        asked = request(target=random.choice(targets), caller=Caller(trigger, "tidy"), dry_run=random.random() < 0.1)
        run_id = await create(database, asked)
        await database.write(partial(runs.begin, run_id=run_id, now=float(number)))
        outcome = random.choice(("effective", "ineffective", "failed", "nothing-to-do"))
        await database.write(partial(runs.finish, run_id=run_id, outcome=outcome, reason="", now=number + 0.5))
    asked_about = set(await database.read(partial(holds.not_helped, host="kitchen", since=0.0)))
    broken = set()
    for target in targets:
        past = await database.read(partial(holds.past_runs, place=("kitchen", "t", target)))
        if past and not past[0].helped:
            broken.add(("t", target))
    assert broken <= asked_about
    assert len(broken) > 5
    assert len(asked_about) < len(targets), "all are asked about, so this shows nothing"
