"""Tasks."""

from typing import Any, Literal

from typing_extensions import TypedDict

ParameterKind = Literal["text", "number", "flag", "choice", "words"]
"""``flag``: true or false; ``choice``: one of its choices; ``words``: a list of texts."""


class ParameterView(TypedDict):
    """A parameter of a task. ``default`` is null where it has none, or none that is a value. ``description`` may be
    empty.
    """

    name: str
    kind: ParameterKind
    required: bool
    default: Any
    choices: list[str]
    description: str


class TaskView(TypedDict):
    """A task, the targets that it can work on now, and what it takes beside one."""

    name: str
    summary: str
    never: list[str]
    disruption: Literal["none", "brief", "outage"]
    targets: list[str]
    parameters: list[ParameterView]
