"""Where Prometheus and Alertmanager are: as the config says, else where `upkeeper up` started them."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from exporter.base.errors import UpkeeperError
from remediator import endpoints
from remediator.config.config import Config
from remediator.config.peers import AlertmanagerPeer, Peer

if TYPE_CHECKING:
    from remediator.peers.alertmanager import Alertmanager
    from remediator.peers.prometheus import Prometheus

PeerName = Literal["prometheus", "alertmanager"]


class PeerUnknown(UpkeeperError):
    """Nobody has said where it is."""


AWAY_FOR = 30.0
"""Seconds for which a peer that did not answer is not asked again by whoever cannot wait."""


class Peers:
    """The peers, found and opened anew at each use: both the config and what runs may change meanwhile.

    config: the one in force. root: the state directory. ticks: seconds that pass, whatever the clock is set to.
    """

    def __init__(self, config: Callable[[], Config], root: Path, ticks: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._root = root
        self._ticks = ticks
        self._away: dict[str, tuple[float, str]] = {}

    def away(self, url: str) -> str | None:
        """Why the peer there did not answer a moment ago; None where nobody has noted that."""
        until, why = self._away.get(url, (0.0, ""))
        return why if self._ticks() < until else None

    def note_away(self, url: str, why: str) -> None:
        """It does not answer: for a while, whoever cannot wait need not ask."""
        self._away[url] = self._ticks() + AWAY_FOR, why

    def url(self, name: PeerName) -> str:
        """Base URL without a trailing slash, of the first where there are several. Raises PeerUnknown."""
        return self.urls(name)[0]

    def urls(self, name: PeerName) -> Sequence[str]:
        """Base URLs without a trailing slash, of several where they share the work. Raises PeerUnknown."""
        peer: Peer | AlertmanagerPeer | None = getattr(self._config(), name)
        if peer is not None:
            return peer.base_urls
        try:
            known = endpoints.read(self._root)
        except OSError:
            known = None
        url: str | None = getattr(known, name, None)
        if url is None:
            raise PeerUnknown(f"no {name.capitalize()} is known: set `{name}: {{url: ...}}` in the config")
        return [url]

    def prometheus(self, seconds: float = 10.0) -> "Prometheus":
        """Prometheus, as an async context manager. seconds: for each answer. Raises PeerUnknown."""
        from remediator.peers.prometheus import Prometheus

        return Prometheus(self.url("prometheus"), seconds)

    def alertmanager(self, url: str) -> "Alertmanager":
        """The Alertmanager there, one of ``urls``, as an async context manager."""
        from remediator.peers.alertmanager import Alertmanager

        return Alertmanager(url)
