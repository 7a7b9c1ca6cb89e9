"""What a check is."""

from collections.abc import Iterable
from typing import Protocol

from exporter.findings.finding import Finding, Kind
from exporter.findings.inputs import Inputs


class Check(Protocol):
    """Looks for one kind of mistake. Pure: the same inputs give the same findings."""

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> frozenset[Kind]:
        """What it looks at. Where none of that is configured, it does not run; where some cannot be read, it fails."""
        ...

    def find(self, inputs: Inputs) -> Iterable[Finding]: ...
