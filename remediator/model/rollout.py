"""A rollout: a task that is to be run on many hosts, and how far it has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from pydantic import JsonValue

from remediator.model.caller import Caller

RolloutState = Literal["running", "stopping", "cancelling", "stopped", "cancelled", "done"]
"""``stopping``, ``cancelling``: no other run begins, and those under way are followed to their end. ``stopped``:
something was not well; ``cancelled``: a person has ended it. Both can be resumed.
"""
MemberState = Literal["pending", "running", "well", "failed", "left-out"]
OPEN: Sequence[RolloutState] = ("running", "stopping", "cancelling")
"""A driver goes on with it."""
STATES: Sequence[str] = get_args(RolloutState)


@dataclass(frozen=True)
class Member:
    """A host of a rollout. domain: its failure domain; None: not known. wave: counts from 1; 0: left out.

    reason: why it is left out, failed, or has not begun. run_id: of its last run. began_at: when that was asked for
    (Unix seconds): an alert of the host that began since may be the change's.
    """

    host: str
    domain: str | None
    wave: int
    state: MemberState = "pending"
    reason: str = ""
    run_id: int | None = None
    began_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """Times are Unix seconds.

    host: where it was asked for. label: of hosts, whose value is the failure domain; None: all hosts are one. wait:
    seconds after a wave. alerts: whether new alerts stop it. since: alerts that began before do not count; when a
    person last let it go on. quiet_since: when the wave's runs had ended well; None before that. hitch: why it does
    not go on now, and hitch_since: since when. driver: the host that drives it.
    """

    host: str
    task: str
    target: str
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    caller: Caller
    label: str | None
    wait: float
    alerts: bool
    members: Sequence[Member]
    state: RolloutState = "running"
    reason: str = ""
    asked_at: float
    since: float
    quiet_since: float | None = None
    hitch: str = ""
    hitch_since: float | None = None
    finished_at: float | None = None
    driver: str
    id: int = 0

    @property
    def wave(self) -> int:
        """The first wave that is not over; 0 when all are."""
        left = [one.wave for one in self.members if one.state in ("pending", "running", "failed")]
        return min(left, default=0)

    @property
    def touched(self) -> Sequence[Member]:
        """The hosts where a run was asked for."""
        return [one for one in self.members if one.began_at is not None]
