"""Locks of restic: only what is provably dead goes, and never another host's."""

import json
import os
import random
import subprocess
import time

import pytest

from remediator.model.task import TaskError
from remediator.tasks.backup.copies.locks import Here, Lock, Process, fate, hindering, parse, to_unlock
from remediator.tasks.backup.copies.processes import here

NOW = 1795510800.0


def lock(pid: int = 7, host: str = "kitchen", age: float = 60.0, *, exclusive: bool = False) -> Lock:
    return Lock(f"{pid:08}", NOW - age, exclusive, host, "root", pid)


def machine(*processes: Process, sees_all: bool = True) -> Here:
    return Here("kitchen", processes, sees_all, NOW)


def test_a_lock_is_read_as_restic_tells_it() -> None:
    text = json.dumps(
        {"time": "2026-11-24T09:00:00.5+01:00", "exclusive": True, "hostname": "kitchen", "username": "root", "pid": 7}
    )
    assert parse("ab12", text) == Lock("ab12", 1795507200.5, True, "kitchen", "root", 7)
    with pytest.raises(TaskError, match="the lock ab12 of the repository is not understood"):
        parse("ab12", "{}")


def test_dead_is_only_what_is_seen_to_be_gone_on_this_host() -> None:
    assert fate(lock(), machine()) == "dead"
    assert fate(lock(), machine(sees_all=False)) == "unknown"
    assert fate(lock(host="cellar"), machine()) == "unknown"
    assert fate(lock(), machine(Process([7], NOW - 100))) == "alive"
    assert fate(lock(), machine(Process([4711, 7], NOW - 100))) == "alive"  # in a container with the host's name
    assert fate(lock(), machine(Process([7], NOW - 10))) == "dead"  # another process that got the number later


def test_unlock_is_called_only_where_it_takes_the_dead_and_nothing_else() -> None:
    dead, living = lock(7), lock(8)
    alive = Process([8], NOW - 100)
    assert to_unlock([dead, living], machine(alive)) == [dead]
    assert to_unlock([living], machine(alive)) == []
    assert to_unlock([dead, lock(9, "cellar")], machine()) == [dead]
    assert to_unlock([dead, lock(9, "cellar", age=3600)], machine()) == []  # restic would take that for stale
    assert to_unlock([dead, lock(8, age=3600)], machine(Process([8], NOW - 7200))) == []
    assert to_unlock([dead], machine(sees_all=False)) == []


def test_whatever_the_locks_another_hosts_and_a_living_one_stay() -> None:
    """What restic's own rule would take, of 3,000 generated repositories, is always only what is dead."""
    dice = random.Random(20261128)
    for _ in range(3000):
        found = [
            lock(number, dice.choice(["kitchen", "cellar"]), dice.choice([10.0, 900.0, 1700.0, 1900.0, 90000.0]))
            for number in range(dice.randint(0, 4))
        ]
        alive = [Process([each.pid], NOW - 1e6) for each in found if dice.random() < 0.4]
        one = machine(*alive, sees_all=dice.random() < 0.8)
        if to_unlock(found, one):
            living = {pid for each in alive for pid in each.pids}
            for each in found:
                stale = NOW - each.time > 1800
                not_seen = each.host == "kitchen" and each.pid not in living
                if stale or not_seen:  # as restic's Lock.Stale
                    assert fate(each, one) == "dead"
                    assert each.host == "kitchen"


def test_only_an_exclusive_lock_is_in_the_way() -> None:
    assert hindering([lock()]) is None
    assert hindering([lock(), lock(8, exclusive=True)]) == lock(8, exclusive=True)


def test_the_processes_of_this_machine_are_seen_with_their_start() -> None:
    before = time.time()
    child = subprocess.Popen(["sleep", "60"])
    try:
        found = here("kitchen")
        mine = [each for each in found.processes if child.pid in each.pids]
        assert any(abs(each.started - before) < 3 for each in mine)
        assert any(os.getpid() in each.pids for each in found.processes)
    finally:
        child.kill()
        child.wait()
    assert not [each for each in here("kitchen").processes if child.pid in each.pids and each.started > before - 3]
