"""Where peers are looked for, and in which order."""

from pathlib import Path

import pytest

from remediator import endpoints
from remediator.config.config import Config
from remediator.config.peers import Peer
from remediator.peers.places import Peers, PeerUnknown


def test_the_config_goes_before_what_was_started(tmp_path: Path) -> None:
    config = Config()
    peers = Peers(lambda: config, tmp_path)
    with pytest.raises(PeerUnknown, match=r"^no Prometheus is known: set `prometheus: \{url: \.\.\.\}` in the config$"):
        peers.url("prometheus")
    endpoints.write(tmp_path, endpoints.Endpoints(prometheus="http://127.0.0.1:1"))
    assert peers.url("prometheus") == "http://127.0.0.1:1"
    with pytest.raises(PeerUnknown, match="no Alertmanager"):
        peers.url("alertmanager")
    config = Config(prometheus=Peer(url="http://there/prometheus/"))  # as after a reload
    assert peers.url("prometheus") == "http://there/prometheus"
    assert peers.prometheus().url == "http://there/prometheus"
