"""Users and passwords, and what they cost."""

import asyncio
import base64
import threading

import bcrypt
import pytest

from exporter.web.passwords import MAX_WAITING, REMEMBERED, Credentials, Passwords, TooBusy, check_bcrypt, parse_basic
from tests.helpers import wait_until

ALICE = bcrypt.hashpw(b"alice-password", bcrypt.gensalt(4))
USERS = {b"alice": ALICE, b"bob": bcrypt.hashpw(b"bob-password", bcrypt.gensalt(6))}


class Checks:
    """Counts what is hashed, and answers in its own time."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes]] = []
        self.at_once = self.most_at_once = 0
        self.go = threading.Event()
        self.go.set()

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.asked.append((password, hashed))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        assert self.go.wait(30)
        self.at_once -= 1
        return (password, hashed) == (b"alice-password", ALICE)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "credentials"),
    [
        (basic("alice:secret"), Credentials(b"alice", b"secret")),
        (basic("alice:se:cret").replace("Basic", "bAsIc"), Credentials(b"alice", b"se:cret")),
        (basic("josé:pässwörd"), Credentials("josé".encode(), "pässwörd".encode())),
        (basic(":"), Credentials(b"", b"")),
        (basic("alice"), None),
        ("Basic", None),
        ("Basic !!!", None),
        ("Basic ü", None),
        ("Bearer " + basic("alice:secret")[6:], None),
        ("", None),
    ],
)
def test_the_header(header: str, credentials: Credentials | None) -> None:
    assert parse_basic(header) == credentials


def test_a_password_is_not_in_the_repr() -> None:
    assert "secret" not in repr(parse_basic(basic("alice:secret")))


@pytest.mark.parametrize("prefix", [b"$2a$", b"$2b$", b"$2y$"])
def test_all_three_prefixes_mean_the_same(prefix: bytes) -> None:
    assert check_bcrypt(b"alice-password", prefix + ALICE[4:])
    assert not check_bcrypt(b"alice-passwort", prefix + ALICE[4:])


def test_what_is_beyond_72_bytes_does_not_count_as_with_htpasswd_and_go() -> None:
    hashed = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4))
    assert check_bcrypt(b"x" * 100, hashed)
    assert not check_bcrypt(b"x" * 71, hashed)


@pytest.mark.parametrize("password", [b"", b"\0", b"alice\0password", b"\xff\xfe", b"y" * 8000])
async def test_any_password_is_answered(password: bytes) -> None:
    assert not await Passwords().right(USERS, Credentials(b"alice", password))


async def test_a_user_needs_the_password_that_is_hers() -> None:
    passwords = Passwords()
    assert await passwords.right(USERS, Credentials(b"alice", b"alice-password"))
    assert not await passwords.right(USERS, Credentials(b"alice", b"bob-password"))
    assert not await passwords.right(USERS, Credentials(b"bob", b"alice-password"))
    assert not await passwords.right(USERS, Credentials(b"carol", b"alice-password"))
    assert not await passwords.right(USERS, Credentials(b"Alice", b"alice-password"))


async def test_a_stranger_costs_a_hash_with_the_cost_of_a_user() -> None:
    checks = Checks()
    passwords = Passwords(checks)
    costs = set()
    for number in range(40):
        assert not await passwords.right(USERS, Credentials(b"stranger%d" % number, b"x"))
        password, hashed = checks.asked[-1]
        assert hashed not in USERS.values()
        assert bcrypt.hashpw(password, hashed)[:7] == hashed[:7], "a hash that bcrypt takes"
        costs.add(hashed[:7])
    assert costs == {b"$2b$04$", b"$2b$06$"}
    asked = len(checks.asked)
    for number in range(40):
        await passwords.right(USERS, Credentials(b"stranger%d" % number, b"x"))
    assert len(checks.asked) == asked, "remembered, as those of users are"


async def test_a_stand_in_is_never_right_even_if_its_hash_were() -> None:
    assert not await Passwords(lambda _, __: True).right(USERS, Credentials(b"stranger", b"x"))


async def test_answers_are_remembered_and_no_flood_of_wrong_ones_makes_a_right_one_be_forgotten() -> None:
    checks = Checks()
    passwords = Passwords(checks)
    alice = Credentials(b"alice", b"alice-password")
    assert await passwords.right(USERS, alice)
    for number in range(REMEMBERED + 10):
        assert not await passwords.right(USERS, Credentials(b"alice", b"%d" % number))
    asked = len(checks.asked)
    assert await passwords.right(USERS, alice)
    assert not await passwords.right(USERS, Credentials(b"alice", b"%d" % (REMEMBERED + 9)))
    assert len(checks.asked) == asked
    assert not await passwords.right(USERS, Credentials(b"alice", b"0"))
    assert len(checks.asked) == asked + 1, "the oldest is forgotten"


async def test_a_new_hash_makes_the_old_answer_worthless() -> None:
    passwords = Passwords()
    alice = Credentials(b"alice", b"alice-password")
    assert await passwords.right(USERS, alice)
    assert not await passwords.right({b"alice": bcrypt.hashpw(b"other", bcrypt.gensalt(4))}, alice)
    assert not await passwords.right({b"bob": ALICE}, alice)


async def test_nothing_of_a_password_is_kept() -> None:
    passwords = Passwords()
    await passwords.right(USERS, Credentials(b"alice", b"alice-password"))
    assert b"alice-password" not in b"".join([*passwords._right, *passwords._wrong])


async def test_a_flood_is_hashed_one_at_a_time_and_what_is_too_much_is_turned_away() -> None:
    checks = Checks()
    passwords = Passwords(checks)
    checks.go.clear()
    waiting = [asyncio.create_task(passwords.right(USERS, Credentials(b"a", b"%d" % n))) for n in range(MAX_WAITING)]
    await wait_until(lambda: checks.asked)
    with pytest.raises(TooBusy):
        await passwords.right(USERS, Credentials(b"a", b"one more"))
    same = asyncio.create_task(passwords.right(USERS, Credentials(b"a", b"0")))  # waits with the first
    checks.go.set()
    assert await asyncio.gather(*waiting, same) == [False] * (MAX_WAITING + 1)
    assert (len(checks.asked), checks.most_at_once) == (MAX_WAITING, 1)
    assert await passwords.right(USERS, Credentials(b"alice", b"alice-password"))


async def test_a_machine_without_a_thread_to_spare_turns_away_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords, alice = Passwords(), Credentials(b"alice", b"alice-password")

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(TooBusy):
            await passwords.right(USERS, alice)
    assert await passwords.right(USERS, alice)


async def test_one_who_hangs_up_does_not_end_it_for_others() -> None:
    checks = Checks()
    passwords = Passwords(checks)
    checks.go.clear()
    alice = Credentials(b"alice", b"alice-password")
    gone, waiting = (asyncio.create_task(passwords.right(USERS, alice)) for _ in range(2))
    await wait_until(lambda: checks.asked)
    gone.cancel()
    await asyncio.sleep(0)
    checks.go.set()
    assert await waiting
    assert len(checks.asked) == 1
