"""Named tokens: made once, known by their hash, void at once when revoked."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from remediator.control.access import FRESH, USE_NOTED_EVERY, Access, Grant
from remediator.model.caller import Caller
from remediator.model.errors import RequestError
from remediator.store import audit, retention, tokens
from remediator.store.database import Database
from tests.remediator.stack import START, Clock

PAT = Caller("cli", "pat")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "upkeeper.db"


@pytest.fixture
async def database(place: Path):  # type: ignore[no-untyped-def]
    found = Database(place, host="kitchen")
    await found.migrate()
    yield found
    await found.close()


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def access(database: Database, clock: Clock) -> Access:
    return Access(database, clock, lambda: PAT)


async def made(access: Access, name: str = "grafana", role: Any = "viewer", seconds: float | None = None) -> bytes:
    return (await access.create_token(name, role, seconds))["token"].encode()


async def test_a_token_is_known_until_it_is_revoked(access: Access, database: Database) -> None:
    token = await made(access)
    assert token.startswith(b"upk_")
    assert len(token) == 47
    assert await access.grant(token) == Grant("grafana", "viewer")
    assert await access.grant(token[:-1]) is None
    assert await access.grant(b"") is None
    assert [one["state"] for one in (await access.revoke_token("grafana"))["items"]] == ["revoked"]
    assert await access.grant(token) is None
    again = await made(access)
    assert again != token
    assert await access.grant(again) == Grant("grafana", "viewer")
    assert await access.grant(token) is None
    kinds = [each.kind for each in await database.read(lambda connection: list(audit.chain(connection, "kitchen")))]
    assert kinds == ["chain.begun", "token.created", "token.revoked", "token.created"]


async def test_the_database_holds_no_token(access: Access, database: Database, place: Path) -> None:
    token = await made(access)
    await database.write(lambda connection: connection.execute(sa.text("SELECT 1")))
    held = b"".join(path.read_bytes() for path in place.parent.glob("upkeeper.db*"))
    assert b"grafana" in held
    assert token not in held
    assert token.removeprefix(b"upk_") not in held


async def test_a_token_expires(access: Access, clock: Clock) -> None:
    token = await made(access, seconds=60)
    clock.now += 59
    assert await access.grant(token) is not None
    clock.now += 1
    assert await access.grant(token) is None
    (view,) = (await access.tokens())["items"]
    assert (view["state"], view["expires_at"]) == ("expired", "2027-01-15T08:01:00.000Z")


async def test_its_use_is_noted_once_an_hour(access: Access, clock: Clock, database: Database) -> None:
    token = await made(access)
    writes: list[object] = []
    write = database.write

    async def counted(work):  # type: ignore[no-untyped-def]
        writes.append(work)
        return await write(work)

    database.write = counted  # type: ignore[method-assign]
    for _ in range(50):
        await access.grant(token)
        clock.now += 1
    assert len(writes) == 1
    clock.now += USE_NOTED_EVERY
    await access.grant(token)
    assert len(writes) == 2
    (view,) = (await access.tokens())["items"]
    assert view["last_used_at"] == "2027-01-15T09:00:50.000Z"


async def test_what_another_process_revokes_is_void_soon(access: Access, clock: Clock, database: Database) -> None:
    token = await made(access)
    assert await access.grant(token)
    await database.write(partial(tokens.revoke, host="kitchen", name="grafana", caller=PAT, now=START))
    clock.now += FRESH
    assert await access.grant(token) is None


async def test_the_tokens_in_files_are_known_and_their_names_taken(access: Access) -> None:
    access.add_file("operator", "o-token")
    access.add_file("alertmanager", "a-token")
    assert await access.grant(b"o-token") == Grant("operator", "operator")
    assert await access.grant(b"a-token") == Grant("alertmanager", "alertmanager")
    with pytest.raises(RequestError, match="the name of the token in the file tokens/operator"):
        await made(access, "operator")
    with pytest.raises(RequestError, match="delete the file tokens/operator"):
        await access.revoke_token("operator")


@pytest.mark.parametrize("name", ["", "a b", "../x", "-a", "caf\u00e9", "a" * 64, "a\n"])
async def test_a_name_is_one_word(access: Access, name: str) -> None:
    with pytest.raises(RequestError, match="cannot be the name of a token"):
        await made(access, name)


async def test_a_name_is_taken_while_its_token_is_in_force(access: Access) -> None:
    await made(access)
    with pytest.raises(RequestError, match="there is a token grafana already"):
        await made(access)
    with pytest.raises(RequestError, match="no token nobody is in force"):
        await access.revoke_token("nobody")


@pytest.mark.parametrize(
    ("role", "may"),
    [("viewer", {"viewer"}), ("operator", {"viewer", "operator"}), ("alertmanager", {"alertmanager"})],
)
def test_what_each_role_may(role: Any, may: set[str]) -> None:
    assert {each for each in ("viewer", "operator", "alertmanager") if Grant("x", role).may(each)} == may


async def test_tokens_that_are_void_for_long_are_forgotten(access: Access, database: Database) -> None:
    await made(access, "expired", seconds=5)
    await made(access, "revoked")
    await made(access, "valid")
    await access.revoke_token("revoked")
    await database.write(partial(retention.purge, host="kitchen", before=START + 10))
    assert [one["name"] for one in (await access.tokens())["items"]] == ["valid"]
