"""A backtest with the config and the Prometheus that a command means."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from exporter.base.errors import UpkeeperError
from exporter.configfile.find import find_config
from exporter.configfile.problem import ConfigError
from exporter.configfile.section import split_url
from remediator.backtest.backtest import backtest
from remediator.backtest.history import NoHistory
from remediator.backtest.remembered import remembered
from remediator.backtest.replay import Assume
from remediator.control.place import Place
from remediator.control.settings import Settings
from remediator.model.backtest import BacktestView
from remediator.model.errors import EXIT_UNREACHABLE, EXIT_USAGE, ClientError
from remediator.peers.places import Peers
from remediator.peers.prometheus import Prometheus
from remediator.statedir import StateDir
from remediator.store.hosts import this_host

SECONDS = 60.0
"""For an answer: a chunk of a month may be read from disk."""


async def run_backtest(
    config: Path | None,
    state: StateDir,
    *,
    since: float,
    step: float | None,
    assume: Assume,
    took: float,
    url: str | None,
    progress: Callable[[float], None],
) -> BacktestView:
    """since: seconds back from now. Raises ClientError."""
    given = _url(url)
    try:
        settings = Settings.load(find_config(config, os.environ), state)
    except ConfigError as error:
        raise ClientError(str(error), EXIT_USAGE) from error
    try:
        peers = Peers(lambda: settings.config, state.root)
        where = given or peers.url("prometheus")
        now = time.time()
        place = Place.of(settings.config, state)
        host = place.host or this_host()
        known = await remembered(place.database, host, settings.remedies, _alertmanager(peers), now)
        async with Prometheus(where, SECONDS) as prometheus:
            return await backtest(
                prometheus,
                settings.remedies,
                settings.tasks,
                host,
                since=now - since,
                until=now,
                interval=step,
                assume=assume,
                took=took,
                known=known,
                progress=progress,
            )
    except NoHistory as error:
        raise ClientError(str(error), EXIT_USAGE) from error
    except UpkeeperError as error:
        raise ClientError(str(error), EXIT_UNREACHABLE) from error
    finally:
        settings.close()


def _alertmanager(peers: Peers) -> str | None:
    try:
        return peers.url("alertmanager")
    except UpkeeperError:
        return None


def _url(given: str | None) -> str | None:
    if given is None:
        return None
    try:
        split_url(given, "http", "https")
    except ValueError as error:
        raise ClientError(f"--prometheus: {error}", EXIT_USAGE) from error
    return given.rstrip("/")
