"""The config in force, and what is wrong with its file."""

from typing import Literal

from typing_extensions import TypedDict


class ConfigProblemView(TypedDict):
    """One mistake in the file. ``line`` and ``column`` count from 1; null where it is of the file as a whole."""

    line: int | None
    column: int | None
    key: str
    message: str
    hint: str
    severity: Literal["error", "warning"]


class ConfigurationView(TypedDict):
    """``text``: the config in force as YAML with every default, and without secrets. ``path``: null without a file.

    ``problems``: what is wrong with the file as it is now; while there are any, it is not put in force. ``pending``:
    the file says something else than what is in force.
    """

    path: str | None
    text: str
    problems: list[ConfigProblemView]
    pending: bool
