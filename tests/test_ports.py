"""The ports that test servers are given."""

import os
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.ports import FIRST, LAST, SIZE, Ports, free_port


def test_two_that_choose_at_the_same_time_never_choose_the_same(tmp_path: Path) -> None:
    first, second = Ports(tmp_path), Ports(tmp_path)
    assert {first.take(1) for _ in range(2 * SIZE)}.isdisjoint(second.take(1) for _ in range(2 * SIZE))


def test_a_port_comes_again_only_when_all_others_had_their_turn(tmp_path: Path) -> None:
    ports = Ports(tmp_path)
    given = [ports.take(1) for _ in range(SIZE // 2)]
    assert len(set(given)) == len(given)


def listens(port: int, stack: ExitStack) -> bool:
    """Whether we took it; a server of another worker may have it."""
    taken = stack.enter_context(socket.socket())
    with suppress(OSError):
        taken.bind(("127.0.0.1", port))
        return True
    return False


def test_a_range_has_no_port_that_somebody_listens_on(tmp_path: Path) -> None:
    ports = Ports(tmp_path)
    with ExitStack() as stack:
        at = next(port + 3 for port in iter(lambda: ports.take(1), None) if listens(port + 3, stack))
        assert all(at not in range(base, base + 4) for base in (ports.take(4) for _ in range(SIZE)))


def test_a_block_is_another_s_once_its_process_has_ended(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0 if Ports(tmp_path).take(1) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert Ports(tmp_path).take(1) in range(FIRST, FIRST + SIZE)


def test_one_that_was_forked_has_a_block_of_its_own() -> None:
    ours = free_port()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(free_port()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = int(os.read(reading, 16))
    os.close(reading)
    os.close(writing)
    assert theirs // SIZE != ours // SIZE


def test_when_all_blocks_are_taken_it_says_so(tmp_path: Path) -> None:
    held = [Ports(tmp_path) for _ in range(FIRST, LAST - SIZE + 1, SIZE)]
    with pytest.raises(AssertionError, match="have all blocks"):
        Ports(tmp_path)
    assert len({ports.take(1) for ports in held}) == len(held)
