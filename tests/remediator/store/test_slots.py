"""Slots of a host, on every database: as many runs take one as there are, however many try."""

import asyncio
from functools import partial

from remediator.store import runs, slots
from remediator.store.database import Database
from remediator.store.slots import Rival
from tests.remediator.store.conftest import Open
from tests.remediator.store.test_runs import create, request


async def take(database: Database, run_id: int, allowed: int = 1, host: str = "kitchen") -> bool:
    return await database.write(partial(slots.take, run_id=run_id, host=host, allowed=allowed))


async def test_a_slot_is_one_runs_until_that_is_finished(database: Database) -> None:
    one, two, three = [await create(database, request(target=target)) for target in ("x", "y", "z")]
    elsewhere = await create(database, request(host="cellar"))
    assert await take(database, one)
    assert await take(database, one), "a step may be done again after a crash"
    assert not await take(database, two)
    assert await take(database, elsewhere, host="cellar")
    assert await take(database, two, allowed=2)
    assert not await take(database, three, allowed=2)
    assert not await take(database, three, allowed=1), "fewer are allowed since"
    ended = partial(runs.finish, run_id=one, outcome="effective", reason="", now=9.0)
    assert await database.write(ended)
    assert await take(database, three, allowed=2)


async def test_those_in_the_way_are_of_the_host_and_are_to_change_something(database: Database) -> None:
    acting = await create(database, request())
    coming = await create(database, request(target="y"))
    waiting = await create(database, request(target="z"))
    await create(database, request(target="w", dry_run=True))
    await create(database, request(host="cellar"))
    assert await take(database, acting)
    await database.write(partial(runs.set_state, run_id=waiting, state="waiting"))
    assert await database.read(partial(slots.rivals, host="kitchen")) == [
        Rival(acting, "t", "x", acting=True),
        Rival(coming, "t", "y", acting=False),
    ]


async def test_of_many_that_race_as_many_win_as_there_are_slots(open_for: Open) -> None:
    databases = [await open_for("kitchen") for _ in range(3)]
    run_ids = [await create(databases[0], request(target=f"t{number}")) for number in range(12)]
    tries = [take(databases[number % 3], run_id, allowed=2) for number, run_id in enumerate(run_ids)]
    assert sum(await asyncio.gather(*tries)) == 2
