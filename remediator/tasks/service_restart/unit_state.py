"""A systemd unit's state as plain values, and what a restart can do about it. Pure.

The properties: org.freedesktop.systemd1(5). ``systemctl show`` answers for units that do not exist, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from remediator.tasks.service_restart.container_state import Advice

PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus,NRestarts,InvocationID,MemoryMax,"
    "StateChangeTimestampMonotonic"
)
DIES_AFTER = 3
"""Restarts by systemd from which on a unit that waits for the next one dies over and over."""

_KILLED_BY = {9: "SIGKILL", 15: "SIGTERM", 6: "SIGABRT", 11: "SIGSEGV"}
_CLD_KILLED = frozenset({2, 3})
"""ExecMainCode of a process that a signal ended, or that dumped core: waitid(2)."""


@dataclass(frozen=True, slots=True)
class UnitState:
    """What systemd says of a unit."""

    name: str
    load: str = "loaded"
    active: str = "inactive"
    """active, reloading, inactive, failed, activating or deactivating."""
    sub: str = "dead"
    result: str = "success"
    """Why it failed: exit-code, signal, core-dump, oom-kill, timeout, watchdog, start-limit-hit, resources ..."""
    exit_code: int = 0
    """Of its main process; 128 and the signal's number where one ended it."""
    restarts: int = 0
    """By systemd itself, since a person or we started it."""
    invocation: str = ""
    """Another one with each start."""
    memory_max: int = 0
    """Bytes; 0 for no limit."""

    @property
    def running(self) -> bool:
        return self.active in ("active", "reloading")


def parse_unit(name: str, text: str) -> UnitState:
    """From ``systemctl show`` with PROPERTIES. What is missing gets a default: older versions have fewer."""
    given = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    status = _number(given.get("ExecMainStatus"))
    signalled = _number(given.get("ExecMainCode")) in _CLD_KILLED
    return UnitState(
        name=name,
        load=given.get("LoadState", "loaded"),
        active=given.get("ActiveState", "inactive"),
        sub=given.get("SubState", "dead"),
        result=given.get("Result", "success"),
        exit_code=128 + status if signalled else status,
        restarts=_number(given.get("NRestarts")),
        invocation=given.get("InvocationID", ""),
        memory_max=_number(given.get("MemoryMax")),
    )


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 19 else 0


def describe_unit(state: UnitState, failing: Sequence[str] = ()) -> str:
    """The state in words. failing: its probes that fail, in words."""
    words = f"{state.active} ({state.sub})"
    if state.result != "success":
        code = state.exit_code
        how = _KILLED_BY.get(code - 128, f"exit status {code}") if code > 128 else f"exit status {code}"
        words += f": {state.result}, {how}"
    if state.restarts:
        words += f", restarted by systemd {state.restarts} times"
    return "; ".join([words, *failing])


def dies_over_and_over(state: UnitState) -> bool:
    """Whether systemd restarts it time and again, or has given up doing so."""
    if state.result == "start-limit-hit":
        return True
    waiting = state.active == "activating" and state.sub == "auto-restart"
    return state.restarts >= DIES_AFTER and (waiting or state.active == "failed")


def judge_unit(state: UnitState, failing: Sequence[str], *, starting: bool = False) -> Advice:
    """What a restart may do for a unit. failing, starting: as of ``container_state.judge``."""
    if state.load != "loaded":
        return Advice(None, f"{state.name} is {state.load}")
    if dies_over_and_over(state):
        reason = f"{state.name} dies over and over: {describe_unit(state)}; another restart would not help"
        return Advice(None, reason, may_be_well=state.active == "activating")
    if state.active == "failed":
        return Advice("start", describe_unit(state))
    if state.active == "inactive":
        return Advice(None, f"{state.name} was stopped by someone, or has finished")
    if not state.running:
        return Advice(None, f"{state.name} is {state.active}", may_be_well=True)
    if starting:
        reason = f"{describe_unit(state, failing)}; after a restart it would have to start over"
        return Advice(None, reason, may_be_well=True)
    if failing:
        return Advice("restart", describe_unit(state, failing))
    return Advice(None, f"{state.name} is active, and no probe of it fails", may_be_well=True)


def params_of(state: UnitState) -> Mapping[str, str]:
    """By which an action finds the same start of a unit again."""
    return {"unit": state.name, "invocation": state.invocation}
