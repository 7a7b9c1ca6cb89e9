"""Where the services of the drill are."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from exporter.configfile.file import load
from exporter.configfile.find import find_config
from exporter.configfile.problem import ConfigError
from remediator import endpoints
from remediator.config.config import Config
from remediator.model.errors import EXIT_USAGE, ClientError
from remediator.statedir import StateDir
from upkeeper.drill.facts import SERVICES, ServiceName

DEFAULTS: Mapping[ServiceName, str] = {
    "exporter": "http://127.0.0.1:10746",
    "remediator": "http://127.0.0.1:10747",
    "prometheus": "http://127.0.0.1:10748",
    "alertmanager": "http://127.0.0.1:10749",
}


def addresses(
    options: Mapping[ServiceName, str | None], state: StateDir, config_option: Path | None, env: Mapping[str, str]
) -> dict[ServiceName, str]:
    """Each service's base URL: from the options, else what `upkeeper up` wrote, else the config, else the default port.

    Raises ClientError when the endpoints or the config cannot be read.
    """
    try:
        written = endpoints.read(state.root) or endpoints.Endpoints()
        config = load(find_config(config_option, env), Config).value
    except (OSError, ConfigError) as error:
        raise ClientError(str(error), EXIT_USAGE) from error
    configured: dict[ServiceName, str] = {}
    if config.prometheus is not None:
        configured["prometheus"] = config.prometheus.base_urls[0]
    if config.alertmanager is not None:
        configured["alertmanager"] = config.alertmanager.base_urls[0]
    known = asdict(written)
    return {
        name: (options.get(name) or known[name] or configured.get(name) or DEFAULTS[name]).rstrip("/")
        for name in SERVICES
    }
