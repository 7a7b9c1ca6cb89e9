"""Sessions: how they begin, go on and end."""

import pytest

from remediator.console.sessions import IDLE, LASTS, MOST, MOST_OF_ONE, Sessions, same
from tests.remediator.stack import START, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(clock)


def begin(sessions: Sessions) -> str:
    return sessions.begin("hash", "laptop", "browser", "127.0.0.1")


def test_a_session_is_known_by_its_secret_alone(sessions: Sessions) -> None:
    first, second = begin(sessions), begin(sessions)
    assert first != second
    assert sessions.of("") is None
    assert sessions.of("1") is None
    found = sessions.of(first)
    assert found is not None
    assert found.name == "laptop"
    assert first not in repr(found)
    assert len({each.csrf for each in sessions.all()}) == 2


@pytest.mark.parametrize("seconds", [IDLE, LASTS, -1.0])
def test_it_ends_when_it_was_not_used_or_the_clock_was_set_back(
    sessions: Sessions, clock: Clock, seconds: float
) -> None:
    secret = begin(sessions)
    clock.now += seconds
    assert sessions.of(secret) is None
    clock.now = START
    assert sessions.of(secret) is None


def test_use_keeps_it_but_not_for_ever(sessions: Sessions, clock: Clock) -> None:
    secret = begin(sessions)
    while clock.now + IDLE / 2 < START + LASTS:
        clock.now += IDLE / 2
        assert sessions.of(secret) is not None
    clock.now = START + LASTS
    assert sessions.of(secret) is None
    assert not sessions.all()


def test_what_a_page_asks_for_by_itself_is_no_use(sessions: Sessions, clock: Clock) -> None:
    secret = begin(sessions)
    clock.now += IDLE - 1
    assert sessions.of(secret, used=False) is not None
    clock.now += 1
    assert sessions.of(secret, used=False) is None


def test_the_one_that_was_idle_longest_ends_for_a_new_one(sessions: Sessions, clock: Clock) -> None:
    first = begin(sessions)
    second = begin(sessions)
    clock.now += 1
    assert sessions.of(first) is not None
    for number in range(MOST - 1):
        sessions.begin(f"hash of {number}", "viewer", "", "")
    assert len(sessions.all()) == MOST
    assert sessions.of(second) is None
    assert sessions.of(first) is not None


def test_one_is_ended_by_its_number(sessions: Sessions) -> None:
    secret = begin(sessions)
    other = begin(sessions)
    found = sessions.of(secret)
    assert found is not None
    assert sessions.end(found.number)
    assert not sessions.end(found.number)
    assert sessions.of(secret) is None
    assert sessions.of(other) is not None


@pytest.mark.parametrize("given", ["", "b", "A", "a\udcff", "ä"])
def test_secrets_are_compared_whatever_they_are(given: str) -> None:
    assert not same(given, "a")
    assert same("a", "a")


def test_nobodys_logins_end_those_of_others(sessions: Sessions) -> None:
    operator = sessions.begin("hash of one", "operator", "", "")
    for _ in range(300):
        newest = sessions.begin("hash of another", "viewer", "", "")
    assert sessions.of(operator) is not None
    assert sessions.of(newest) is not None
    assert len([one for one in sessions.all() if one.name == "viewer"]) == MOST_OF_ONE
