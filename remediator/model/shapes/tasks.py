"""Tasks."""

from typing import Literal

from typing_extensions import TypedDict


class TaskView(TypedDict):
    """A task and the targets that it can work on now."""

    name: str
    summary: str
    never: list[str]
    disruption: Literal["none", "brief", "outage"]
    targets: list[str]
