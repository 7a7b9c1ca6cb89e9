"""Where the parts of the stack are that a command looks at apart from the remediator."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from exporter.configfile.file import load
from exporter.configfile.find import find_config
from exporter.configfile.problem import ConfigError
from remediator import endpoints
from remediator.config.config import Config
from remediator.statedir import StateDir

EXPORTER = "http://127.0.0.1:10746"
"""Where the exporter listens unless told otherwise."""


def stack_urls(
    state: StateDir, config: Path | None, env: Mapping[str, str] = os.environ
) -> tuple[dict[str, str | None], str | None]:
    """Base URLs by the name of the service, None where it is not known to have been started; and where else an exporter
    may be, without anybody having said so.

    What was written at the start goes first, then the config. Raises OSError.
    """
    urls = asdict(endpoints.read(state.root) or endpoints.Endpoints())
    try:
        configured = load(find_config(config, env), Config).value
    except ConfigError:
        configured = Config()  # whoever needs it says what is wrong with it
    for name, peer in (("prometheus", configured.prometheus), ("alertmanager", configured.alertmanager)):
        if urls[name] is None and peer is not None:
            urls[name] = peer.base_urls[0]
    usual = state.root == StateDir.find(None, {}).root and urls["exporter"] is None
    return urls, EXPORTER if usual else None
