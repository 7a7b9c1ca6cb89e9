"""What is kept with a run of how things were when it began."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable


class Source(NamedTuple):
    """One kind of evidence.

    gather: the lines of it, for people. It may raise anything and take for ever: it is given a few seconds, and what
    it raises stands in place of the lines.
    """

    name: str
    gather: Callable[[], Awaitable[Sequence[str]]]


class Section(NamedTuple):
    """What a source gave, redacted and cut. problem: why it gave nothing; empty when it did."""

    name: str
    lines: Sequence[str]
    problem: str = ""


@runtime_checkable
class GivesEvidence(Protocol):
    """A task that knows what is worth keeping about its targets, beside what is kept for every run."""

    def evidence(self, target: str) -> Sequence[Source]:
        """Where to look. Does not look itself, and raises nothing."""
        ...
