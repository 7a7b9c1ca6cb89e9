"""A silence, as Alertmanager has it, and which of them are Upkeeper's own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Matcher(NamedTuple):
    """A condition on one label. regex: of the whole value. equal: false for ``!=`` and ``!~``."""

    name: str
    value: str
    regex: bool = False
    equal: bool = True


@dataclass(frozen=True)
class Silence:
    """Alerts that match all matchers are told to nobody. Times are Unix seconds.

    id: empty for one to be made. starts_text: its beginning exactly as it was read back. state: ``active``, ``pending``
    or ``expired``.
    """

    matchers: Sequence[Matcher]
    starts_at: float
    ends_at: float
    created_by: str
    comment: str
    id: str = ""
    starts_text: str = ""
    state: str = "active"


INHIBITED = "inhibited by another alert"
"""Why people are not told of an alert that no silence mutes."""

_OURS = re.compile(r"Upkeeper (?:run [0-9]+|pause)\b")
_LONGEST_NAME = 60


def creator(host: str) -> str:
    """Who made a silence, as Alertmanager shows it."""
    return f"upkeeper@{host}"


def is_ours(silence: Silence, host: str) -> bool:
    """Whether this host's remediator made it, and nobody has taken it over since by editing it."""
    return silence.created_by == creator(host) and _OURS.match(silence.comment) is not None


def exactly(labels: Mapping[str, str]) -> Sequence[Matcher]:
    """Matchers of the alert with these labels. One that has more beside them matches too: no matcher excludes it."""
    return [Matcher(name, value) for name, value in sorted(labels.items())]


def in_words(silence: Silence) -> str:
    """Who made it and why, on one line, for the record."""
    comment = " ".join(silence.comment.split())
    who = " ".join(silence.created_by.split())[:_LONGEST_NAME] or "somebody"
    return f"silenced by {who}" + (f": {comment[:120]}" if comment else "")
