"""What goes wrong for a while: a log line when it begins, changes and ends, none in between."""

from collections.abc import Container, Mapping
from typing import Any


class Complaints:
    """About things of one kind.

    log: a structlog logger, of the module that complains. begun, ended: what the lines say. key: of the thing's name in
    them. context: further keys of each line.
    """

    def __init__(self, log: Any, begun: str, ended: str, key: str, **context: object) -> None:
        self._log = log
        self._begun = begun
        self._ended = ended
        self._key = key
        self._context = context
        self._reasons: dict[str, str] = {}

    def reason(self, name: str) -> str:
        """What is wrong with a thing, as noted last; empty when nothing is."""
        return self._reasons.get(name, "")

    def continue_from(self, former: "Complaints", names: Container[str]) -> None:
        """Takes over what is wrong with the things of these names."""
        self._reasons |= {name: reason for name, reason in former._reasons.items() if name in names}

    def note(self, name: str, reason: str) -> None:
        """How it is with a thing now. reason: what is wrong, without a secret; empty when nothing is."""
        before = self._reasons.pop(name, "")
        if reason:
            self._reasons[name] = reason
        if reason and reason != before:
            self._log.warning(self._begun, **self._context, **{self._key: name}, reason=reason)
        elif before and not reason:
            self._log.info(self._ended, **self._context, **{self._key: name})

    def note_all(self, reasons: Mapping[str, str]) -> None:
        """How it is with all things now: nothing is wrong with those that are not named."""
        for name in {**reasons, **self._reasons}:
            self.note(name, reasons.get(name, ""))
