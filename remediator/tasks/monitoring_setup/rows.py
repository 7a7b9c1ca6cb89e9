"""What was looked at, as rows."""

from remediator.model.task import Row
from remediator.monitoring.check import Check, State


class CheckRow(Row):
    """One thing that was looked at."""

    area: str
    name: str
    state: State
    detail: str
    remedy: str


def row(check: Check) -> CheckRow:
    return CheckRow(area=check.area, name=check.name, state=check.state, detail=check.detail, remedy=check.remedy)
