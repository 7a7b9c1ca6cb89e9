"""Episodes of alerts, on every database."""

from dataclasses import replace
from functools import partial

from remediator.store import alerts, episodes, pages
from remediator.store.alerts import Looked
from remediator.store.database import Database
from tests.remediator.stack import START, alert


async def accept(database: Database, *received: object, at: float = 1.0) -> None:
    await database.write(partial(alerts.accept, received=[(each, at) for each in received]))  # type: ignore[misc]


async def rows(database: Database) -> list[dict[str, object]]:
    return (await database.read(partial(pages.list_alerts, limit=50)))["items"][::-1]  # type: ignore[return-value]


async def test_a_repeat_counts_and_an_end_is_for_good(database: Database) -> None:
    await accept(database, alert(), alert(room="cellar"), alert())
    await accept(database, alert(), at=2.0)
    attic, cellar = await rows(database)
    assert (attic["receptions"], attic["status"], cellar["receptions"]) == (3, "firing", 1)
    await accept(database, alert(status="resolved"), at=3.0)
    await accept(database, alert(), at=4.0)
    attic = (await rows(database))[0]
    assert (attic["receptions"], attic["status"]) == (5, "resolved")
    assert attic["ends_at"] is not None
    await accept(database, alert(starts_at=START + 9), at=5.0)
    assert [row["status"] for row in await rows(database)] == ["resolved", "firing", "firing"]


async def test_what_came_is_looked_at_before_what_is_due(database: Database) -> None:
    await accept(database, *(alert(room=room) for room in "abc"), alert(room="over", status="resolved"))
    found = await database.write(partial(alerts.waiting, now=2.0, limit=10))
    assert [each.labels["room"] for each in found] == ["a", "b", "c"]
    await database.write(partial(alerts.settle, looked=[Looked(each, 5.0) for each in found]))
    assert await database.write(partial(alerts.waiting, now=4.0, limit=10)) == []
    assert await database.read(alerts.next_due) == 5.0
    await accept(database, alert(room="c"), at=5.0)
    found = await database.write(partial(alerts.waiting, now=5.0, limit=10))
    assert [(each.labels["room"], each.came) for each in found] == [("c", True), ("a", False), ("b", False)]
    assert len(await database.write(partial(alerts.waiting, now=5.0, limit=2))) == 2
    ids = [each.id for each in found]
    assert await database.read(partial(alerts.firing, ids=ids)) == set(ids)


async def test_an_alert_may_say_anything(database: Database) -> None:
    """Prometheus takes every label value that is UTF-8, and an address may hold what a text of PostgreSQL may not."""
    odd = alert(room="\0 \x1f \N{SNOWMAN} \U0001f600 ' \" \\ %s :x", alertname="Watchdog")
    await accept(database, replace(odd, generator_url="http://a/\0"), at=7.0)
    (row,) = await rows(database)
    assert row["labels"] == odd.labels
    assert await database.read(pages.last_watchdog) is None
    await accept(database, alert(alertname="Watchdog", room="\\u000 plain"), at=8.0)
    assert await database.read(pages.last_watchdog) == 8.0
    assert await database.read(pages.last_alert) == 8.0


async def test_when_the_alerts_that_fire_began_newest_first_and_each_once(database: Database) -> None:
    for at, room in ((1.0, "a"), (2.0, "b"), (3.0, "c")):
        await accept(database, alert(room=room), at=at)
    await accept(database, alert(room="a"), at=4.0)  # a repeat
    await accept(database, alert(room="b", starts_at=START + 1), at=5.0)  # its end was lost: it began anew
    await accept(database, alert(room="c", status="resolved"), at=6.0)
    assert await database.read(partial(alerts.began, since=0.0, limit=9)) == [5.0, 1.0]
    assert await database.read(partial(alerts.began, since=0.0, limit=1)) == [5.0]
    assert await database.read(partial(alerts.began, since=1.0, limit=9)) == [5.0]
    # After a restart of Alertmanager the outage in b goes on under another start: that is no news.
    await accept(database, alert(room="b", starts_at=START + 2), at=7.0)
    before, after = [row["id"] for row in await rows(database) if row["labels"]["room"] == "b"][-2:]  # type: ignore[index]
    joined = partial(episodes.carry_over, host="kitchen", before=before, after=after, now=7.0)  # type: ignore[arg-type]
    await database.write(joined)
    assert await database.read(partial(alerts.began, since=0.0, limit=9)) == [1.0]
