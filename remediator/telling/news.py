"""From what the record says of an alert to what people should hear about it, and when. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from remediator.model.story import Story

Kind = Literal["mended", "helped", "failed", "waits", "blocked", "ended"]
"""mended: a run did, and the alert has ended. helped: by its own measurement, and the alert still fires. failed: a run
did not help. waits: for a person. blocked: nothing is done. ended: without our help.
"""

FRESH = 3600.0
"""Seconds after which nobody is told any more: a mail server that was away for a day brings no flood of old news."""
PEOPLE_FIRST = 35.0
"""Seconds after an alert came in until ours may follow: Alertmanager's message, of which ours is the sequel, waits for
half a minute."""
HEARD_AFTER: Mapping[str, float] = {"critical": 10.0}
HEARD_AFTER_ELSE = 30.0
"""Seconds that an alert must fire until people are told of it, by its severity: group_wait of alertmanager.yml."""
SETTLES = 120.0
"""Seconds that an alert has for ending after a run that helped: then one message tells of both."""
LASTS = 90.0
"""Seconds for which an alert is held back until that is told: most of what holds back is over sooner."""
SOON = 15.0
"""Seconds for which anything is kept, so that what belongs together is told together."""
PASSING = frozenset({"in-flight", "concurrency", "cooldown", "silenced"})
"""Guards that only say: not yet."""
_NOT_DONE = frozenset({"cancelled", "denied", "expired", "blocked", "nothing-to-do"})


@dataclass(frozen=True)
class News:
    """Something to be told. key: another one tells something else. ripe_at: when, in Unix seconds."""

    story: Story
    kind: Kind
    key: str
    at: float
    ripe_at: float


def news(story: Story, way: str, now: float) -> News | None:
    """What is to be told of it this way, now or later; None where that is nothing."""
    found = _ended(story, story.said.get(way)) if story.ends_at is not None else _firing(story)
    if found is None or found.key == story.said.get(way) or now - found.at > FRESH or not _heard(story):
        return None
    return found


def ripe(stories: Sequence[Story], way: str, now: float) -> tuple[Sequence[News], float | None]:
    """What is to be told this way now, oldest first, and when more will be, if that is known."""
    found = [one for story in stories if (one := news(story, way, now)) is not None]
    due = sorted((one for one in found if one.ripe_at <= now), key=lambda one: one.at)
    return due, min((one.ripe_at for one in found if one.ripe_at > now), default=None)


def _heard(story: Story) -> bool:
    """Whether people know of the alert: else its sequel would be the first word."""
    if story.muted is not None:
        return False
    end, held = story.ends_at, None if story.run is None else story.run.held_until
    if end is None:
        return held is None or held < float("inf")
    if held is not None and held >= end:
        return False
    return end - story.starts_at > HEARD_AFTER.get(story.labels.get("severity", ""), HEARD_AFTER_ELSE)


def _made(story: Story, kind: Kind, key: str, at: float, after: float) -> News:
    return News(story, kind, key, at, max(at + after, story.first_received_at + PEOPLE_FIRST))


def _firing(story: Story) -> News | None:
    run, decision = story.run, story.decision
    if run is not None and run.outcome is None:
        if run.state == "waiting" and run.waits_since is not None:
            return _made(story, "waits", f"run {run.id} waits {run.approval}", run.waits_since, SOON)
        return None  # it is at work: what comes of it is told then
    over = run is not None and run.finished_at is not None
    if decision is not None and decision.verdict in ("blocked", "no-target"):
        later = run is None or run.finished_at is None or decision.at > run.finished_at
        # After a run was told of, only that no other follows is new.
        if later and (decision.guard == "breaker" if over else decision.guard not in PASSING):
            key = f"{decision.verdict} {decision.guard or ''}".strip()
            return _made(story, "blocked", key, decision.at, LASTS)
    if run is None or run.finished_at is None or run.outcome == "planned":
        return None
    if run.outcome == "effective":
        return _made(story, "helped", f"run {run.id}", run.finished_at, SETTLES)
    kind: Kind = "blocked" if run.outcome in ("blocked", "denied", "expired", "cancelled") else "failed"
    return _made(story, kind, f"run {run.id}", run.finished_at, SOON)


def _ended(story: Story, said: str | None) -> News | None:
    run, end = story.run, story.ends_at
    if run is None or end is None or run.finished_at is None or run.outcome in (None, "planned"):
        return None
    key, at = f"ended after run {run.id}", max(end, run.finished_at)
    if run.outcome == "effective":
        return _made(story, "mended", key, at, SOON)
    if run.outcome in _NOT_DONE and said is None:
        return None  # nothing was done, and nothing was said: the message that it has ended is enough
    return _made(story, "ended", key, at, SOON)
