"""Writes out again what follows from a changed config. ``main`` runs in a process of its own that then ends."""

import json
import sys
from collections.abc import Sequence

import structlog

from exporter.base.log_setup import configure
from exporter.configfile.problem import ConfigError, in_one_line
from remediator.model.errors import ClientError
from upkeeper.up.prepare import Prepared

log = structlog.get_logger(__name__)


def main(arguments: Sequence[str]) -> None:
    """Prints for each program whether its files changed, as JSON. Ends with 1 when the old config stays in force.

    arguments: the document of Prepared.
    """
    document = json.loads(arguments[0])
    log_format = document["log_format"]
    configure(None if log_format is None else log_format == "json")
    try:
        written = Prepared.from_document(document).write_configs()
    except (ConfigError, ClientError, OSError) as error:
        log.error("config not reloaded, the old one stays in force", error=in_one_line(error))
        sys.exit(1)
    print(json.dumps({"alertmanager": written.alertmanager, "prometheus": written.prometheus}))
