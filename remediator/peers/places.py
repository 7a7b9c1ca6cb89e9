"""Where Prometheus and Alertmanager are: as the config says, else where `upkeeper up` started them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from exporter.base.errors import UpkeeperError
from remediator import endpoints
from remediator.config.config import Config
from remediator.config.peers import Peer

if TYPE_CHECKING:
    from remediator.peers.prometheus import Prometheus

PeerName = Literal["prometheus", "alertmanager"]


class PeerUnknown(UpkeeperError):
    """Nobody has said where it is."""


class Peers:
    """The peers, found and opened anew at each use: both the config and what runs may change meanwhile.

    config: the one in force. root: the state directory.
    """

    def __init__(self, config: Callable[[], Config], root: Path) -> None:
        self._config = config
        self._root = root

    def url(self, name: PeerName) -> str:
        """Base URL without a trailing slash. Raises PeerUnknown."""
        peer: Peer | None = getattr(self._config(), name)
        if peer is not None:
            return peer.url.rstrip("/")
        try:
            known = endpoints.read(self._root)
        except OSError:
            known = None
        url: str | None = getattr(known, name, None)
        if url is None:
            raise PeerUnknown(f"no {name.capitalize()} is known: set `{name}: {{url: ...}}` in the config")
        return url

    def prometheus(self) -> "Prometheus":
        """Prometheus, as an async context manager. Raises PeerUnknown."""
        from remediator.peers.prometheus import Prometheus

        return Prometheus(self.url("prometheus"))
