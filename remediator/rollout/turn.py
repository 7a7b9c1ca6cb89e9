"""What a rollout does next: pure, from what is stored of it, of its runs and hosts, and from the alerts that fire."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.base.text import format_time_ms
from exporter.base.units import format_duration
from remediator.model.rollout import OPEN, Member, Rollout

WELL = ("effective", "nothing-to-do")
"""Outcomes after which a rollout goes on."""
HITCH_FOR = 600.0
"""Seconds for which something that passes may hold a rollout up: a host that is away, another run, no Alertmanager."""
AWAY_FOR = 600.0
"""Seconds that a host with a run under way may give no sign of life, as while it is restarted."""


@dataclass(frozen=True)
class RunState:
    """A run as the record has it. outcome: empty until it is finished."""

    state: str
    outcome: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Firing:
    """An alert on a host: which, and when it began (Unix seconds)."""

    host: str
    name: str
    starts_at: float


@dataclass(frozen=True)
class Sight:
    """What was seen of alerts, at a time (Unix seconds). unknown: why not all that fire can be told; empty where they
    can.
    """

    at: float
    firing: Sequence[Firing] = ()
    unknown: str = ""


@dataclass(frozen=True)
class Facts:
    """runs: by their numbers. away: seconds since the last sign of life of each host, by its name; None of one that has
    ended in order. sight: None where nobody has looked.
    """

    runs: Mapping[int, RunState]
    away: Mapping[str, float | None]
    up_within: float
    sight: Sight | None
    now: float

    def is_up(self, host: str) -> bool:
        age = self.away.get(host)
        return age is not None and age <= self.up_within


@dataclass(frozen=True)
class Turn:
    """The rollout as it is from now on, and the hosts whose runs are to begin."""

    rollout: Rollout
    begin: Sequence[str] = ()


def next_turn(rollout: Rollout, facts: Facts) -> Turn:
    """What follows from the facts. The same again, from the same facts, changes nothing."""
    if rollout.state not in OPEN:
        return Turn(rollout)
    followed = replace(rollout, members=[_follow(one, facts) for one in rollout.members])
    if followed.state != "running":
        return Turn(_ended(followed, facts.now))
    why = _stops(followed, facts.sight)
    if why:
        return Turn(_ended(stopping(followed, why), facts.now))
    turn = _go_on(followed, facts)
    return turn if turn.rollout.state == "running" else Turn(_ended(turn.rollout, facts.now), turn.begin)


def stopping(rollout: Rollout, why: str) -> Rollout:
    """No other run of it begins, because of something that is not well."""
    return replace(rollout, state="stopping", reason=why, hitch="", hitch_since=None)


def _follow(one: Member, facts: Facts) -> Member:
    """What became of the run of a host."""
    if one.state != "running" or one.run_id is None:
        return one
    run = facts.runs.get(one.run_id)
    if run is None:
        return replace(one, state="failed", reason=f"run {one.run_id} is no longer in the record")
    if run.state != "finished":
        waits = f"run {one.run_id} waits for a person" if run.state == "waiting" else ""
        return replace(one, reason=waits)
    if run.outcome in WELL:
        return replace(one, state="well", reason=run.outcome)
    return replace(one, state="failed", reason=f"run {one.run_id} ended {run.outcome}: {run.reason}")


def _stops(rollout: Rollout, sight: Sight | None) -> str:
    """Why no other run may begin."""
    failed = [f"{one.host}: {one.reason}" for one in rollout.members if one.state == "failed"]
    if failed:
        return "; ".join(failed)
    new = [] if sight is None or not rollout.alerts else new_alerts(rollout, sight)
    return "; ".join(f"the alert {one.name} fires on {one.host} since {format_time_ms(one.starts_at)}" for one in new)


def new_alerts(rollout: Rollout, sight: Sight) -> Sequence[Firing]:
    """Those that the change could have caused: of a host that has had its turn, begun since that and since a person
    last let the rollout go on.
    """
    began = {one.host: max(one.began_at or 0.0, rollout.since) for one in rollout.touched}
    return [one for one in sight.firing if one.host in began and one.starts_at >= began[one.host]]


def _ended(rollout: Rollout, now: float) -> Rollout:
    """Stopped or cancelled once nothing of it is under way."""
    if rollout.state == "done" or any(one.state == "running" for one in rollout.members):
        return rollout
    state = "stopped" if rollout.state == "stopping" else "cancelled"
    return replace(rollout, state=state, finished_at=now, quiet_since=None, hitch="", hitch_since=None)  # type: ignore[arg-type]


def _go_on(rollout: Rollout, facts: Facts) -> Turn:
    under_way = [one for one in rollout.members if one.state == "running"]
    pending = [one for one in rollout.members if one.state == "pending"]
    wave = rollout.wave
    begun = any(one.began_at is not None for one in rollout.members if one.wave == wave)
    if not begun and not under_way:
        held = _held(rollout, facts)
        if held is not None:
            return Turn(held)
        if not pending:
            return Turn(replace(_free(rollout), state="done", finished_at=facts.now))
        unknown = _unknown(rollout, facts.sight)
        if unknown:
            return Turn(_hitch(rollout, unknown, HITCH_FOR, facts.now))
    due = [one for one in pending if one.wave == wave]
    away = [one.host for one in due if not facts.is_up(one.host)]
    lost = [one for one in under_way if not facts.is_up(one.host)]
    if lost:
        why = f"{lost[0].host} is down, and its run {lost[0].run_id} is not over"
        rollout = _hitch(rollout, why, AWAY_FOR, facts.now)
    elif away:
        rollout = _hitch(rollout, f"{away[0]} is down, whose turn it is", HITCH_FOR, facts.now)
    elif not due:
        rollout = _free(rollout)
    if rollout.state != "running":
        return Turn(rollout)
    return Turn(rollout, [one.host for one in due if one.host not in away])


def _held(rollout: Rollout, facts: Facts) -> Rollout | None:
    """While the wait after the last wave is not over; None when it is, or there was none yet."""
    if not rollout.touched:
        return None
    since = facts.now if rollout.quiet_since is None else rollout.quiet_since
    rollout = replace(rollout, quiet_since=since)
    until = since + rollout.wait
    if facts.now < until:
        unknown = _unknown(rollout, facts.sight)
        return _hitch(rollout, unknown, HITCH_FOR, facts.now) if unknown else _free(rollout)
    if not rollout.alerts:
        return None
    unknown = _unknown(rollout, facts.sight)
    if unknown:
        return _hitch(rollout, unknown, HITCH_FOR, facts.now)
    assert facts.sight is not None
    # The look that decides is one from after the wait.
    return None if facts.sight.at >= until else rollout


def _unknown(rollout: Rollout, sight: Sight | None) -> str:
    if not rollout.alerts:
        return ""
    return "nobody has looked for alerts yet" if sight is None else sight.unknown


def _hitch(rollout: Rollout, why: str, patience: float, now: float) -> Rollout:
    """It is held up; for too long, and it stops."""
    since = now if rollout.hitch_since is None else rollout.hitch_since
    if now - since > patience:
        return stopping(rollout, f"{why}, for {format_duration(round(now - since))}")
    return replace(rollout, hitch=why, hitch_since=since)


def _free(rollout: Rollout) -> Rollout:
    return replace(rollout, hitch="", hitch_since=None)


def began(rollout: Rollout, host: str, run_id: int, now: float) -> Rollout:
    """A host has its turn."""
    members = [
        replace(one, state="running", reason="", run_id=run_id, began_at=now) if one.host == host else one
        for one in rollout.members
    ]
    return _free(replace(rollout, members=members, quiet_since=None))


def in_flight(rollout: Rollout, host: str, run_id: int, now: float) -> Rollout:
    """The run of a host cannot begin: another one works on its target."""
    return _hitch(rollout, f"run {run_id} is under way on the target of {host}", HITCH_FOR, now)


def resumed(rollout: Rollout, without: Collection[str], by: str, now: float) -> Rollout:
    """It goes on: hosts that failed have another turn, but for those that are left out from now on.

    What stopped it was looked at by a person: alerts count anew. Where a run had failed its host has its turn at once;
    else the wait begins again.
    """
    failed = any(one.state == "failed" for one in rollout.members)
    members = []
    for one in rollout.members:
        if one.host in without and one.state != "well":
            one = replace(one, state="left-out", reason=f"left out by {by}")
        elif one.state == "failed":
            one = replace(one, state="pending", reason="", run_id=None, began_at=None)
        members.append(one)
    return replace(
        _free(rollout),
        members=members,
        state="running",
        reason="",
        since=now,
        quiet_since=now - rollout.wait if failed else None,
        finished_at=None,
    )


def cancelled(rollout: Rollout, why: str) -> Rollout:
    """A person ends it. What is under way goes on to its end."""
    return replace(_free(rollout), state="cancelling", reason=why)
