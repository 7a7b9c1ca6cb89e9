"""Guards: reasons that can block a run. Each is small and pure; the facts, the time among them, are read beforehand.

Guards fail closed: one that cannot be evaluated blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from exporter.base.units import format_duration
from remediator.config.remedies import Breaker, Rate

log = structlog.get_logger(__name__)

HOUR = 3600.0
DAY = 86400.0


@dataclass(frozen=True)
class Pause:
    """Runs are held back: of one task, or of all when ``task`` is None. Times are Unix seconds."""

    task: str | None
    reason: str
    since: float
    until: float | None


@dataclass(frozen=True)
class PastRun:
    """A finished run of the same task on the same target that changed something or was to change something."""

    started_at: float
    finished_at: float
    helped: bool
    """It was effective, or the target was within its limit after it."""


@dataclass(frozen=True)
class Limits:
    """How often a task may run on one target: the guards' settings, from the remedy."""

    cooldown: float
    rate: Rate
    breaker: Breaker


@dataclass(frozen=True)
class Facts:
    """What the guards judge by, for one task and target."""

    now: float
    pauses: Sequence[Pause] = ()
    in_flight: int | None = None
    """The id of an unfinished run of this task on this target."""
    past: Sequence[PastRun] = ()
    """Newest first, at least those of the last day and as many as the breaker counts."""
    breaker_closed_at: float = field(default=0.0)
    """When a person last closed the breaker; runs before that do not count for it."""


@dataclass(frozen=True)
class Hold:
    """Why a run must not happen now, for people, and when that ends by itself (Unix seconds).

    until is None where no time ends it but an event: a run that finishes, a person who resumes.
    """

    reason: str
    until: float | None = None


class Guard(Protocol):
    """One reason that can block a run."""

    name: str

    def blocks(self, facts: Facts, limits: Limits) -> Hold | None:
        """What speaks against the run now; None when it may happen."""
        ...


class Paused:
    name = "paused"

    def blocks(self, facts: Facts, limits: Limits) -> Hold | None:
        for pause in facts.pauses:
            if pause.until is None or pause.until > facts.now:
                what = f"task {pause.task} is" if pause.task else "all tasks are"
                end = f" for another {format_duration(round(pause.until - facts.now))}" if pause.until else ""
                return Hold(f"{what} paused{end}: {pause.reason}", pause.until)
        return None


class InFlight:
    name = "in-flight"

    def blocks(self, facts: Facts, limits: Limits) -> Hold | None:
        if facts.in_flight is None:
            return None
        return Hold(f"run {facts.in_flight} of the same task on this target is under way")


class BreakerOpen:
    name = "breaker"

    def blocks(self, facts: Facts, limits: Limits) -> Hold | None:
        since = breaker_open_since(facts, limits.breaker)
        if since is None:
            return None
        until = since + limits.breaker.reset_after
        return Hold(
            f"the last {limits.breaker.failures} runs on this target did not help; a person should look"
            f" (closes by itself in {_left(until, facts.now)})",
            until,
        )


class Cooldown:
    name = "cooldown"

    def blocks(self, facts: Facts, limits: Limits) -> Hold | None:
        if not facts.past:
            return None
        until = facts.past[0].finished_at + limits.cooldown
        if until <= facts.now:
            return None
        return Hold(f"the last run on this target is too recent; {_left(until, facts.now)} of cooldown left", until)


class RateLimit:
    name = "rate"

    def blocks(self, facts: Facts, limits: Limits) -> Hold | None:
        holds = []
        for span, allowed, unit in ((HOUR, limits.rate.per_hour, "hour"), (DAY, limits.rate.per_day, "day")):
            started = sorted((run.started_at for run in facts.past if run.started_at + span > facts.now), reverse=True)
            if len(started) >= allowed:
                reason = f"{len(started)} runs on this target in the last {unit}, of {allowed} allowed"
                holds.append((started[allowed - 1] + span, reason))
        if not holds:
            return None
        until, reason = max(holds)
        return Hold(reason, until)


def _left(until: float, now: float) -> str:
    return format_duration(max(1, round(until - now)))


GUARDS: Sequence[Guard] = (Paused(), InFlight(), BreakerOpen(), Cooldown(), RateLimit())


def breaker_open_since(facts: Facts, breaker: Breaker) -> float | None:
    """When the breaker opened (Unix seconds), or None while it is closed.

    It is open when so many runs in a row, none before it was last closed by hand, did not help, and the last of them
    is not older than the reset time.
    """
    counted = [run for run in facts.past if run.finished_at > facts.breaker_closed_at][: breaker.failures]
    if len(counted) < breaker.failures or any(run.helped for run in counted):
        return None
    opened = counted[0].finished_at
    return opened if facts.now < opened + breaker.reset_after else None


@dataclass(frozen=True)
class Block:
    """A guard that blocks, with its reason for people, and when that ends by itself (Unix seconds), if it does."""

    guard: str
    reason: str
    until: float | None = None


UNKNOWN_FOR = 60.0
"""Seconds after which what could not be evaluated is tried again."""


def evaluate(facts: Facts, limits: Limits, guards: Sequence[Guard] = GUARDS) -> list[Block]:
    """Every guard that blocks, in order. Empty means that the run may happen."""
    blocks = []
    for guard in guards:
        try:
            hold = guard.blocks(facts, limits)
        except Exception as error:
            log.exception("guard failed", guard=guard.name)
            reason = f"the guard could not be evaluated: {type(error).__name__}"
            hold = Hold(reason, facts.now + UNKNOWN_FOR)
        if hold is not None:
            blocks.append(Block(guard.name, hold.reason, hold.until))
    return blocks


def over_at(blocks: Sequence[Block]) -> float | None:
    """When the last of the blocks ends by itself (Unix seconds); None when one of them needs an event."""
    ends = [block.until for block in blocks]
    return None if None in ends else max((end for end in ends if end is not None), default=None)
