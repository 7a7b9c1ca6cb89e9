"""Which host an alert belongs to. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from remediator.config.fleet import Fleet
from remediator.config.matchers import whole_match


class Route(NamedTuple):
    """The host that decides about an alert, and where its labels name none, why: then the host records only that."""

    host: str
    no_host: str | None = None


class Routing:
    """own: the host that receives alerts. fleet: how they name their host; None: they are all its own."""

    def __init__(self, own: str, fleet: Fleet | None) -> None:
        self.own = own
        self._label = None if fleet is None else fleet.host_label
        mapping = None if fleet is None else fleet.hosts
        self._ways: Sequence[tuple[Callable[[str], bool], str]] | None = (
            None if mapping is None else [(whole_match(pattern), host) for pattern, host in mapping.items()]
        )

    @property
    def maps(self) -> bool:
        """Whether an alert's labels tell its host at all."""
        return self._label is not None

    def of(self, labels: Mapping[str, str]) -> Route:
        """By its labels alone: whether there is such a host is not known here."""
        if self._label is None:
            return Route(self.own)
        value = labels.get(self._label)
        if not value:
            return self._none(f"the alert has no label {self._label}")
        if self._ways is None:
            return Route(value)
        host = next((host for matches, host in self._ways if matches(value)), None)
        if host is None:
            return self._none(f"the alert's label {self._label}={value!r} matches none of the fleet's `hosts:`")
        return Route(host)

    def unknown(self, host: str) -> Route:
        """The labels name a host that there is not."""
        return self._none(
            f"there is no such host: the alert's label {self._label} names {host!r}, where no remediator works on this "
            "database"
        )

    def _none(self, why: str) -> Route:
        return Route(self.own, why)
