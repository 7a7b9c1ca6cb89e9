"""When a remedy may do more by itself, and when less. Pure.

Upwards a level at a time, observe to approve to auto, and only without a denial: from ``observe`` after enough plans
that had something to do; from ``approve`` after enough runs of which enough helped, and whose estimates held. Downwards
a level at a time, after enough runs in a row that did not help.
"""

from remediator.config.autonomy import Autonomy
from remediator.config.remedies import Remedy
from remediator.model.level import Track

Change = tuple[Autonomy, str]
"""The level that follows, and why."""


def demotion(remedy: Remedy, track: Track) -> Change | None:
    """What a remedy may do after too many runs in a row that did not help."""
    if track.failures < remedy.trust.demote_after:
        return None
    reason = f"its last {track.failures} runs in a row failed or did not help"
    match remedy.autonomy:
        case "auto":
            return "approve", reason
        case "approve":
            return "observe", reason
        case _:
            return None


def promotion(remedy: Remedy, track: Track) -> Change | None:
    """What a remedy may do that has done well."""
    if track.denied or track.failures:
        return None
    match remedy.autonomy:
        case "observe":
            if track.would_act < remedy.trust.plans:
                return None
            return "approve", f"{track.would_act} of its plans had something to do"
        case "approve":
            return _to_auto(remedy, track)
        case _:
            return None


def _to_auto(remedy: Remedy, track: Track) -> Change | None:
    wanted = remedy.trust
    if track.runs < wanted.runs or track.effective < wanted.effective_ratio * track.runs:
        return None
    if track.estimates is not None and track.estimates < wanted.estimate_ratio:
        return None
    held = "" if track.estimates is None else f", and its estimates held to {track.estimates:.0%}"
    return "auto", f"{track.effective} of its {track.runs} approved runs were effective{held}"
