"""Driving a rollout on a real database: each run once, whoever drives, and one driver at a time."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from remediator.model.caller import Caller
from remediator.model.rollout import Member, Rollout
from remediator.rollout.driver import Driver
from remediator.rollout.turn import Firing, Sight
from remediator.store import audit, fleet, rollouts, runs
from remediator.store.database import Database
from remediator.store.fleet import Arrived
from remediator.store.tables import rollouts as table
from tests.remediator.rollout.conftest import SHARED, Open

T0 = 1_700_000_000.0


class Clock:
    now = T0

    def __call__(self) -> float:
        return self.now


class Alerts:
    """A fake of what looks for alerts. looks: for which hosts it did."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.firing: list[Firing] = []
        self.looks: list[list[str]] = []

    def can(self) -> bool:
        return True

    async def look(self, hosts: list[str], since: float) -> Sight:
        self.looks.append(hosts)
        return Sight(self._clock(), self.firing)


class Desk:
    """A host's driver."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database, self.alerts, self.clock = database, Alerts(clock), clock
        self.called = 0
        self.driver = Driver(database, self.alerts, clock, self._call)  # type: ignore[arg-type]

    def _call(self) -> None:
        self.called += 1

    async def arrive(self) -> None:
        one = Arrived(self.database.host, "0", "node", None)
        await self.database.write(partial(fleet.arrive, one=one, now=self.clock()))

    async def begin(self, *hosts: str) -> int:
        return await self.database.write(partial(rollouts.create, rollout=of(self.database.host, *hosts), now=T0))

    async def seen(self, id: int) -> Rollout:
        return await self.database.read(partial(rollouts.get, rollout_id=id))

    async def asked(self) -> list[tuple[str, str, str]]:
        """Host, trigger and caller of each run."""
        select = sa.text('SELECT host, "trigger", caller FROM runs ORDER BY id')
        return [tuple(row) for row in await self.database.read(lambda connection: connection.execute(select).all())]

    async def end(self, run_id: int, outcome: Any = "effective") -> None:
        ended = partial(runs.finish, run_id=run_id, outcome=outcome, reason="so", now=self.clock())
        assert await self.database.write(ended)


def of(host: str, *hosts: str) -> Rollout:
    return Rollout(
        host=host, task="sweep", target="attic", params={"deep": "true"}, caller=Caller("cli", "anna"), label=None,
        wait=100.0, alerts=True, members=[Member(name, None, wave) for wave, name in enumerate(hosts, 1)],
        asked_at=T0, since=T0, driver=host,
    )  # fmt: skip


async def test_a_rollout_is_driven_to_its_end_on_every_database(database: Database) -> None:
    clock = Clock()
    desk = Desk(database, clock)
    await desk.arrive()
    id = await desk.begin("kitchen")
    assert await desk.driver.go_on() == 1.0
    assert await desk.driver.go_on() == 1.0
    assert (await desk.asked(), desk.called) == ([("kitchen", "cli", "anna")], 1)
    (member,) = (await desk.seen(id)).members
    assert (member.state, member.run_id, member.began_at) == ("running", 1, T0)
    await desk.end(1)
    clock.now = T0 + 5
    assert await desk.driver.go_on() == 10.0
    assert (await desk.seen(id)).quiet_since == T0 + 5
    clock.now = T0 + 105
    assert await desk.driver.go_on() is None
    done = await desk.seen(id)
    assert (done.state, done.finished_at, done.wave) == ("done", T0 + 105, 0)
    assert desk.alerts.looks[-1] == ["kitchen"]
    kinds = await database.read(
        lambda connection: [
            one.kind for one in audit.chain(connection, "kitchen") if one.kind.startswith(("rollout", "run.asked"))
        ]
    )
    assert kinds[-3:] == ["run.asked", "rollout.wave", "rollout.ended"]
    assert await desk.driver.go_on() is None
    assert len(await desk.asked()) == 1


async def test_an_alert_stops_it_and_nothing_more_begins(database: Database) -> None:
    clock = Clock()
    desk = Desk(database, clock)
    await desk.arrive()
    id = await desk.begin("kitchen", "kitchen-2")
    await desk.driver.go_on()
    await desk.end(1)
    clock.now = T0 + 20
    desk.alerts.firing = [Firing("kitchen", "Broken", T0 + 9)]
    assert await desk.driver.go_on() is None
    stopped = await desk.seen(id)
    assert (stopped.state, stopped.reason) == (
        "stopped",
        "the alert Broken fires on kitchen since 2023-11-14T22:13:29.000Z",
    )
    assert len(await desk.asked()) == 1
    assert await database.read(partial(rollouts.counted, host="kitchen")) == {"stopped": 1}


async def test_a_run_that_is_under_way_there_is_waited_for(database: Database) -> None:
    clock = Clock()
    desk = Desk(database, clock)
    await desk.arrive()
    other = partial(runs.create, request=_request("kitchen"), now=T0)
    number = await database.write(other)
    id = await desk.begin("kitchen")
    await desk.driver.go_on()
    assert (await desk.seen(id)).hitch == f"run {number} is under way on the target of kitchen"
    await desk.end(number)
    await desk.driver.go_on()
    (member,) = (await desk.seen(id)).members
    assert (member.state, member.run_id != number) == ("running", True)


@pytest.mark.parametrize("open_for", [SHARED], indirect=True)
async def test_many_drivers_at_once_ask_for_each_run_once_and_one_of_them_drives(open_for: Open) -> None:
    clock = Clock()
    desks = [Desk(await open_for(name), clock) for name in ("kitchen", "cellar", "roof")]
    for desk in desks:
        await desk.arrive()
    kitchen, cellar, roof = desks
    id = await kitchen.begin("kitchen", "cellar")
    assert await cellar.driver.go_on() is None  # it is not its own
    # Its driver has given no sign for too long, and all find that at once.
    await _orphan(roof.database, id)
    await asyncio.gather(*(desk.driver.go_on() for desk in (*desks, *desks)))
    assert await kitchen.asked() == [("kitchen", "cli", "anna")]
    first = (await kitchen.seen(id)).driver
    await kitchen.end(1)
    for _ in range(3):
        for desk in desks:
            await desk.driver.go_on()
    clock.now = T0 + 200
    await asyncio.gather(*(desk.driver.go_on() for desk in (*desks, *desks)))
    assert [host for host, *_ in await kitchen.asked()] == ["kitchen", "cellar"]
    assert (await kitchen.seen(id)).driver == first


@pytest.mark.parametrize("open_for", [SHARED], indirect=True)
async def test_what_has_not_begun_when_it_stops_does_not_begin_later(open_for: Open) -> None:
    clock = Clock()
    kitchen, cellar = Desk(await open_for("kitchen"), clock), Desk(await open_for("cellar"), clock)
    for desk in (kitchen, cellar):
        await desk.arrive()
    together = replace(of("kitchen"), members=[Member(name, name, 1) for name in ("cellar", "kitchen")])
    id = await kitchen.database.write(partial(rollouts.create, rollout=together, now=T0))
    await kitchen.driver.go_on()
    first, second = [one.run_id for one in (await kitchen.seen(id)).members]
    assert first is not None
    assert second is not None
    await kitchen.end(second, "failed")
    assert await kitchen.driver.go_on() == 5.0
    assert (await kitchen.seen(id)).state == "stopping"
    state = await kitchen.database.read(partial(rollouts.states, run_ids=[first]))
    assert state == {first: ("finished", "cancelled", f"rollout {id} stopped before it began; nothing had been done")}
    assert await kitchen.driver.go_on() is None
    assert [one.state for one in (await kitchen.seen(id)).members] == ["failed", "failed"]


async def _orphan(database: Database, id: int) -> None:
    await database.write(
        lambda connection: connection.execute(table.update().where(table.c.id == id).values(driven_until=0))
    )


def _request(host: str) -> Any:
    from remediator.model.run import Request

    return Request(host=host, task="sweep", target="attic", caller=Caller("schedule", "daily"), dry_run=False)
