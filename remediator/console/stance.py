"""What Upkeeper does about an alert, in the four words that matter to whoever was woken by it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from remediator.model.shapes.alerts import DecisionView, LastDecision, LastRun
from remediator.model.shapes.runs import RunView

Word = Literal["doing", "done", "waits for you", "will not"]
LAST_LINES = 12
"""Of the evidence, of each source: the end of a log says most."""
_WAITED: Mapping[str, str] = {"expired": "nobody answered in time", "denied": "a person has said no"}


@dataclass(frozen=True)
class Stance:
    """word: None while nothing has been decided. run: the id of the run that it speaks of."""

    word: Word | None
    text: str
    run: int | None = None


def stance(decision: LastDecision | DecisionView | None, run: LastRun | RunView | None) -> Stance:
    """By the last decision about an episode, and the newest run for it.

    A run counts for as long as it goes on; once it has ended, only while nothing else was decided since: an alert that
    still fires after a run is decided about anew, and that may be to leave it.
    """
    if run is not None and run["state"] != "finished":
        said = f"{run['task']} on {run['target']}"
        if run["state"] == "waiting":
            return Stance("waits for you", f"{said} has a plan and does nothing before it is approved.", run["id"])
        return Stance("doing", f"{said} is {run['state']}.", run["id"])
    if run is not None and (decision is None or decision["run_id"] == run["id"]):
        return _ended(run)
    if decision is None:
        return Stance(None, "Nothing has been decided yet.")
    before = "" if run is None else f" Before that, {_ended(run).text}"
    ran = decision["run_id"] if run is None else run["id"]
    return Stance("will not", f"{decision['reason'].rstrip('.')}.{before}", ran)


def _ended(run: LastRun | RunView) -> Stance:
    outcome = run["outcome"] or ""
    said = f"{run['task']} on {run['target']} ended {outcome}"
    why = run["reason"] or _WAITED.get(outcome, "")
    text = f"{said}: {why}" if why else said
    done = outcome not in ("planned", "blocked", "denied", "expired", "cancelled")
    return Stance("done" if done else "will not", text if text.endswith(".") else f"{text}.", run["id"])
