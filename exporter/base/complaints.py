"""What goes wrong for a while: a log line when it begins, changes and ends, and none in between."""

from collections.abc import Container, Mapping
from typing import Any

Name = str | tuple[str, ...]
"""What a thing is called: a text, or one for each of the keys; ``()`` where there is only one thing."""


class Complaints:
    """About things of one kind.

    log: a structlog logger, of the module that complains. begun, ended: the events of the lines. keys: under which the
    thing's name stands in them. changes: whether a line is due when the reason becomes another; not where reasons hold
    figures that differ from round to round. context: further keys of each line.
    """

    def __init__(self, log: Any, begun: str, ended: str, *keys: str, changes: bool = True, **context: object) -> None:
        self._log = log
        self._begun = begun
        self._ended = ended
        self._keys = keys
        self._changes = changes
        self._context = context
        self._reasons: dict[Name, str] = {}

    def reason(self, name: Name) -> str:
        """What is wrong with a thing, as noted last; empty when nothing is."""
        return self._reasons.get(name, "")

    def continue_from(self, former: "Complaints", names: Container[Name] | None = None) -> None:
        """Takes over what is wrong with the things of these names; None for all."""
        self._reasons |= {name: why for name, why in former._reasons.items() if names is None or name in names}

    def note(self, name: Name, reason: str) -> None:
        """How a thing is now. reason: what is wrong, without a secret; empty when nothing is."""
        before = self._reasons.pop(name, "")
        if reason:
            self._reasons[name] = reason
        if reason and (not before or (self._changes and reason != before)):
            self._log.warning(self._begun, **self._context, **self._named(name), reason=reason)
        elif before and not reason:
            self._log.info(self._ended, **self._context, **self._named(name))

    def note_all(self, reasons: Mapping[Any, str]) -> None:
        """How all things are now, by their names: nothing is wrong with those that are not named."""
        for name in {**reasons, **self._reasons}:
            self.note(name, reasons.get(name, ""))

    def keep(self, names: Container[Name]) -> None:
        """Forgets the things of other names without a line: they no longer exist."""
        self._reasons = {name: reason for name, reason in self._reasons.items() if name in names}

    def _named(self, name: Name) -> dict[str, str]:
        return dict(zip(self._keys, (name,) if isinstance(name, str) else name, strict=True))
