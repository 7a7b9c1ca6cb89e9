"""The track of a remedy as text for people. Pure."""

from exporter.base.text import counted
from remediator.model.shapes.remedies import RemedyView


def track(remedy: RemedyView) -> str:
    """How often a remedy ran and how often that helped; how often it only planned, and had something to do."""
    its = remedy["track"]
    parts = []
    if its["runs"]:
        parts.append(f"{its['effective']} of {its['runs']} effective")
    if its["plans"]:
        parts.append(f"{counted(its['plans'], 'plan')}, {its['would_act'] or 'none'} with something to do")
    held = remedy.get("estimate_ratio")
    if held is not None:
        parts.append(f"estimates held to {held:.0%}")
    return "; ".join(parts) or "no runs yet"
