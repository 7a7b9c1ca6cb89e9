"""What systemd says of a unit, and what a restart can do. The texts are recorded from systemd 252."""

import pytest

from remediator.tasks.service_restart.unit_state import (
    UnitState,
    describe_unit,
    dies_over_and_over,
    judge_unit,
    parse_unit,
)

GAVE_UP = """Restart=always
Result=start-limit-hit
NRestarts=5
ExecMainCode=1
ExecMainStatus=3
MemoryMax=infinity
LoadState=loaded
ActiveState=failed
SubState=failed
InvocationID=8f89d4c6f3b54b3aba46310219cc9d25
"""
KILLED = """Result=oom-kill
NRestarts=0
ExecMainCode=2
ExecMainStatus=9
MemoryMax=536870912
LoadState=loaded
ActiveState=failed
SubState=failed
"""


def test_what_is_read() -> None:
    gave_up = parse_unit("a.service", GAVE_UP)
    assert (gave_up.active, gave_up.exit_code, gave_up.restarts, gave_up.memory_max) == ("failed", 3, 5, 0)
    assert gave_up.invocation == "8f89d4c6f3b54b3aba46310219cc9d25"
    killed = parse_unit("b.service", KILLED)
    assert (killed.exit_code, killed.memory_max) == (137, 512 * 1024**2)
    assert describe_unit(killed) == "failed (failed): oom-kill, SIGKILL"
    assert parse_unit("c.service", "") == UnitState("c.service")


RUNS = UnitState("u.service", active="active", sub="running")


@pytest.mark.parametrize(
    ("state", "failing", "action", "reason"),
    [
        (RUNS, [], None, "no probe of it fails"),
        (RUNS, ["probe u/live: refused"], "restart", "active (running); probe u/live: refused"),
        (UnitState("u.service", active="failed", sub="failed", result="exit-code", exit_code=1), [], "start",
         "failed (failed): exit-code, exit status 1"),
        (UnitState("u.service"), [], None, "u.service was stopped by someone, or has finished"),
        (UnitState("u.service", load="masked"), [], None, "u.service is masked"),
        (UnitState("u.service", active="activating", sub="start"), [], None, "u.service is activating"),
        (UnitState("u.service", active="activating", sub="auto-restart", restarts=1), [], None, "is activating"),
        (UnitState("u.service", active="activating", sub="auto-restart", restarts=9, result="signal", exit_code=139),
         [], None, "dies over and over: activating (auto-restart): signal, SIGSEGV, restarted by systemd 9 times"),
        (UnitState("u.service", active="failed", sub="failed", result="start-limit-hit"), [], None, "over and over"),
    ],
)  # fmt: skip
def test_what_a_restart_may_do(state: UnitState, failing: list[str], action: str | None, reason: str) -> None:
    advice = judge_unit(state, failing)
    assert advice.action == action
    assert reason in advice.reason


def test_a_database_that_starts_is_left_to_it() -> None:
    assert judge_unit(RUNS, ["probe u/live: starting up"], starting=True).action is None


def test_once_or_twice_is_not_over_and_over() -> None:
    assert not dies_over_and_over(UnitState("u", active="failed", restarts=2, result="exit-code"))
    assert dies_over_and_over(UnitState("u", active="failed", restarts=3, result="exit-code"))
    assert not dies_over_and_over(UnitState("u", active="active", restarts=50)), "it runs now"
