"""What runs make for people, on every database."""

import hashlib
from functools import partial

import pytest
import sqlalchemy as sa

from remediator.store import artefacts, pages, retention
from remediator.store.artefacts import MAX_BYTES
from remediator.store.database import Database
from remediator.store.tables import artefacts as table
from tests.remediator.store.test_runs import create, finish, request

BYTES = bytes(range(256)) * 4096
REPORT = partial(artefacts.keep, name="report.html", media_type="text/html; charset=utf-8", now=3.0)


async def test_what_is_read_is_what_was_stored(database: Database) -> None:
    run_id = await create(database, request())
    kept = await database.write(partial(REPORT, run_id=run_id, content=BYTES))
    assert (kept.size, kept.sha256) == (len(BYTES), hashlib.sha256(BYTES).hexdigest())
    assert await database.read(partial(artefacts.read, artefact_id=kept.id)) == (kept, BYTES)
    assert await database.read(partial(artefacts.of_run, run_id=run_id)) == [kept]
    view = await database.read(partial(pages.one_run, run_id=run_id))
    assert [(one["id"], one["name"], one["size"]) for one in view["artefacts"]] == [
        (kept.id, "report.html", len(BYTES))
    ]
    with pytest.raises(LookupError, match="no artefact 99"):
        await database.read(partial(artefacts.read, artefact_id=99))


async def test_made_again_after_a_crash_it_takes_the_place_of_the_former(database: Database) -> None:
    run_id = await create(database, request())
    for content in (b"half", b"whole"):
        kept = await database.write(partial(REPORT, run_id=run_id, content=content))
    await database.write(
        partial(artefacts.keep, run_id=run_id, name="a.zip", media_type="application/zip", content=b"", now=4.0)
    )
    found = await database.read(partial(artefacts.of_run, run_id=run_id))
    assert [(one.name, one.size) for one in found] == [("report.html", 5), ("a.zip", 0)]
    assert (await database.read(partial(artefacts.read, artefact_id=kept.id)))[1] == b"whole"


async def test_one_that_is_not_what_was_stored_is_not_handed_out(database: Database) -> None:
    kept = await database.write(partial(REPORT, run_id=await create(database, request()), content=BYTES))
    tampered = sa.update(table).where(table.c.id == kept.id).values(content=BYTES[:-1] + b"!")
    await database.write(lambda connection: connection.execute(tampered))
    with pytest.raises(ValueError, match="damaged"):
        await database.read(partial(artefacts.read, artefact_id=kept.id))


async def test_artefacts_go_with_their_run(database: Database) -> None:
    old, young = await create(database, request()), await create(database, request(task="other"))
    kept = [await database.write(partial(REPORT, run_id=run_id, content=b"x")) for run_id in (old, young)]
    await finish(database, old, 9.0)
    await database.write(partial(retention.purge, host="kitchen", before=10.0))
    with pytest.raises(LookupError):
        await database.read(partial(artefacts.read, artefact_id=kept[0].id))
    assert (await database.read(partial(artefacts.read, artefact_id=kept[1].id)))[1] == b"x"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"name": "../x"}, "cannot be the name"),
        ({"name": "a/b"}, "cannot be the name"),
        ({"name": ".hidden"}, "cannot be the name"),
        ({"name": "a\nb"}, "cannot be the name"),
        ({"name": ""}, "cannot be the name"),
        ({"name": "x" * 256}, "cannot be the name"),
        ({"media_type": "html"}, "not a media type"),
        ({"media_type": "text/html\nX: y"}, "not a media type"),
        ({"content": bytes(MAX_BYTES + 1)}, "more than the 33554432"),
    ],
)
def test_what_is_none_is_refused(wrong: dict[str, object], reason: str) -> None:
    given = {"name": "report.html", "media_type": "text/html", "content": b"", **wrong}
    with pytest.raises(ValueError, match=reason):
        artefacts.keep(None, 1, now=1.0, **given)  # type: ignore[arg-type]
