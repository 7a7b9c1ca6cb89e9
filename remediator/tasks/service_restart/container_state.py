"""A container's state as plain values, and what a restart can do about it. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from exporter.docker.references import PROCESSES, joined_containers

Health = Literal["none", "starting", "healthy", "unhealthy"]
How = Literal["restart", "start"]

_NANOSECONDS = 1e9
_DEFAULT_HEALTH_SECONDS = 30.0
_DEFAULT_RETRIES = 3
_DEFAULT_STOP_SECONDS = 10
_MAX_STOP_SECONDS = 300
_KILLED = 137
_SIGNALLED = frozenset({130, _KILLED, 143})
"""Exit codes of a process ended by SIGINT, SIGKILL or SIGTERM, as ``docker stop`` and ``docker kill`` send them."""
_OUTPUT_LIMIT = 200
DIES_AFTER = 3
LIVES_SECONDS = 120.0
"""With so many restarts by Docker, and running for less than so long, it dies over and over."""
_FRACTION = re.compile(r"\.\d+")


@dataclass(frozen=True, slots=True)
class ContainerState:
    """What ``GET /containers/{id}/json`` says of a container.

    https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerInspect
    """

    id: str
    name: str
    status: str = "running"
    """created, running, paused, restarting, removing, exited or dead."""
    health: Health = "none"
    """The health check's verdict; kept by the engine after the container has stopped."""
    health_output: str = ""
    """The last output of a failing health check: one line, shortened."""
    health_seconds: float = 0.0
    """Seconds after a start within which the health check must have said healthy or unhealthy; 0 without one."""
    started_at: str = ""
    """As the engine writes it. It changes with every start, so it distinguishes one start from another."""
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    """Why the engine could not start it."""
    restarts: int = 0
    """Restarts by the engine's own policy since the last start by hand."""
    restart_policy: str = "no"
    stop_seconds: int = _DEFAULT_STOP_SECONDS
    """How long the engine waits for its process to end before it kills it: 300 at most, also for "never"."""
    labels: Mapping[str, str] = field(default_factory=dict)
    memory_limit: int = 0
    """Bytes; 0 for none."""
    joined: Mapping[str, str] = field(default_factory=dict)
    """What it shares with another container, in words, and that container's id; see exporter.docker.references."""

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def ends_with_parent(self) -> bool:
        """Whether the kernel ends its processes with those of the container that it joined."""
        return PROCESSES in self.joined


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether to restart or start a container, or why to leave it alone."""

    action: How | None
    reason: str
    may_be_well: bool = False
    """It runs or is being started, and nothing that checks it fails yet."""


def parse_state(inspected: Mapping[str, Any]) -> ContainerState:
    """The state in the engine's answer to an inspect call. What an engine leaves out or sets to null gets a default."""
    state = inspected["State"]
    config = inspected.get("Config") or {}
    host = inspected.get("HostConfig") or {}
    policy = host.get("RestartPolicy") or {}
    health = state.get("Health") or {}
    stop_seconds = config.get("StopTimeout")
    if stop_seconds is None:
        stop_seconds = _DEFAULT_STOP_SECONDS
    return ContainerState(
        id=inspected["Id"],
        name=inspected["Name"].removeprefix("/"),
        status=state["Status"],
        health=health.get("Status") or "none",
        health_output=_last_failure(health.get("Log") or ()),
        health_seconds=_health_seconds(config.get("Healthcheck") or {}) if health else 0.0,
        started_at=state.get("StartedAt") or "",
        exit_code=state.get("ExitCode") or 0,
        oom_killed=bool(state.get("OOMKilled")),
        error=one_line(state.get("Error") or ""),
        restarts=inspected.get("RestartCount") or 0,
        restart_policy=policy.get("Name") or "no",
        stop_seconds=min(stop_seconds, _MAX_STOP_SECONDS) if stop_seconds >= 0 else _MAX_STOP_SECONDS,
        labels=config.get("Labels") or {},
        memory_limit=host.get("Memory") or 0,
        joined=joined_containers(host),
    )


def one_line(text: str) -> str:
    """The text without control characters, on one line of at most 200 characters: it comes from inside a container."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(printable.split())
    return line if len(line) <= _OUTPUT_LIMIT else f"{line[: _OUTPUT_LIMIT - 1]}…"


def _last_failure(entries: Sequence[Mapping[str, Any]]) -> str:
    failed = [entry for entry in entries if entry.get("ExitCode") != 0]
    return one_line(failed[-1].get("Output") or f"exit code {failed[-1].get('ExitCode')}") if failed else ""


def _health_seconds(check: Mapping[str, Any]) -> float:
    """The start period, in which failures do not count, then all retries. 0 and absent mean the engine's default."""
    interval = (check.get("Interval") or 0) / _NANOSECONDS or _DEFAULT_HEALTH_SECONDS
    timeout = (check.get("Timeout") or 0) / _NANOSECONDS or _DEFAULT_HEALTH_SECONDS
    start_period = (check.get("StartPeriod") or 0) / _NANOSECONDS
    return start_period + ((check.get("Retries") or _DEFAULT_RETRIES) + 1) * (interval + timeout)


def describe(state: ContainerState, failing: Sequence[str] = ()) -> str:
    """The state in words, with the last exit code and the last output of its health check.

    failing: its probes that fail, in words.
    """
    if state.status == "exited":
        killed = ", out of memory" if state.oom_killed else ""
        words = f"exited with code {state.exit_code}{killed}"
    elif state.status == "restarting":
        words = f"restarted by Docker {state.restarts} times, last exit code {state.exit_code}"
    elif state.status == "running" and state.health != "none":
        words = state.health
    else:
        words = state.status
    if state.error:
        words += f": {state.error}"
    if state.running and state.health == "unhealthy" and state.health_output:
        words += f": {state.health_output}"
    return "; ".join([words, *failing])


def dies_over_and_over(state: ContainerState, now: float | None = None) -> bool:
    """Whether Docker restarts it time and again, also in the moments in which it runs. now: Unix seconds."""
    if state.status == "restarting":
        return True
    if not state.running or state.restarts < DIES_AFTER or now is None:
        return False
    try:
        started = datetime.fromisoformat(_FRACTION.sub("", state.started_at)).timestamp()
    except ValueError:
        return False
    return now - started < LIVES_SECONDS


def judge(
    state: ContainerState,
    failing: Sequence[str],
    keep_label: str,
    *,
    starting: bool = False,
    now: float | None = None,
) -> Advice:
    """What a restart may do for a container.

    failing: its probes that fail now, in words. Only a running container's probes count. starting: whether one of them
    says of itself that it is starting, recovering or shutting down. now: Unix seconds.
    """
    if keep_label in state.labels:
        return Advice(None, f"{state.name} has the label {keep_label}")
    if state.running and (failing or state.health == "unhealthy") and dies_over_and_over(state, now):
        reason = f"{describe(state, failing)}; it dies over and over, restarted by Docker {state.restarts} times"
        return Advice(None, f"{state.name}: {reason}; another restart would not help", may_be_well=True)
    if state.running:
        return _judge_running(state, failing, starting)
    if state.status == "exited":
        return _judge_exited(state)
    if state.status == "restarting":
        reason = f"{state.name} crashes over and over: {describe(state)}; another restart would not help"
        return Advice(None, reason, may_be_well=True)
    if state.status == "paused":
        return Advice(None, f"{state.name} was paused by someone")
    if state.status == "created":
        return Advice(None, f"{state.name} was never started")
    return Advice(None, f"{state.name} is {state.status}")


def _judge_running(state: ContainerState, failing: Sequence[str], starting: bool) -> Advice:
    if state.health == "starting":
        return Advice(None, f"{state.name} is still starting", may_be_well=True)
    if starting:
        reason = f"{describe(state, failing)}; after a restart it would have to start over"
        return Advice(None, reason, may_be_well=True)
    if state.health == "unhealthy" or failing:
        return Advice("restart", describe(state, failing))
    if state.health == "none":
        return Advice(None, f"{state.name} is running, and nothing that checks it fails", may_be_well=True)
    return Advice(None, f"{state.name} is healthy", may_be_well=True)


def _judge_exited(state: ContainerState) -> Advice:
    """Docker does not say whether a person stopped a container; its restart policy and exit code do.

    ``always`` and ``unless-stopped`` restart everything except what was stopped by hand or could not be started.
    """
    if state.error:
        return Advice("start", describe(state))
    if state.restart_policy in ("always", "unless-stopped"):
        return Advice(None, f"{state.name} was stopped by someone: its restart policy is {state.restart_policy}")
    if state.exit_code == 0:
        return Advice(None, f"{state.name} has finished or was stopped: exit code 0")
    killed_for_memory = state.oom_killed and state.exit_code == _KILLED  # else it was a child process, earlier
    if state.exit_code in _SIGNALLED and not killed_for_memory:
        return Advice(None, f"{state.name} was stopped by someone: exit code {state.exit_code}")
    return Advice("start", describe(state))
