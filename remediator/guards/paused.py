"""A person has paused a task, or everything."""

from exporter.base.units import format_duration
from remediator.model.hold import Facts, Hold, Limits


class Paused:
    name = "paused"

    def blocks(self, facts: Facts, limits: Limits) -> Hold | None:
        for pause in facts.pauses:
            if pause.until is None or pause.until > facts.now:
                what = f"task {pause.task} is" if pause.task else "all tasks are"
                end = f" for another {format_duration(round(pause.until - facts.now))}" if pause.until else ""
                return Hold(f"{what} paused{end}: {pause.reason}", pause.until)
        return None
