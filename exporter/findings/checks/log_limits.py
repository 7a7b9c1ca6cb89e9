"""Containers whose logs may fill the disk."""

from collections.abc import Iterator

from exporter.findings.compose_tree import Node
from exporter.findings.finding import Finding, Group, Kind, word
from exporter.findings.inputs import KEEPS_ALL, DaemonLogs, Inputs


class LogLimits:
    """Docker's default driver, ``json-file``, keeps everything unless ``max-size`` is set.

    The other drivers rotate (``local``) or hand the lines on. https://docs.docker.com/engine/logging/configure/
    """

    name = "log-limits"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, inputs: Inputs) -> Iterator[Finding]:
        for project in inputs.projects:
            for name, service in project.services.items():
                logging = service.at("logging")
                if _limited(logging, inputs.daemon_logs):
                    continue
                node = logging or service
                yield Finding(
                    self.name,
                    "warning",
                    word(name),
                    node.place.printable(),
                    f"the log of {word(name)} grows without a limit",
                    "set logging.options.max-size and max-file, or log-opts in the daemon's daemon.json",
                    (Group("the logs of {count} services grow without a limit: {names}", len(project.services)),),
                )


def _limited(logging: Node | None, daemon: DaemonLogs) -> bool:
    """The daemon's own options hold for containers with the daemon's own driver, named or not."""
    named = logging.at("driver") if logging is not None else None
    size = logging.at("options", "max-size") if logging is not None else None
    if size is not None and size.text not in ("", "-1"):
        return True
    driver = (named.text if named is not None else "") or daemon.driver
    return driver != KEEPS_ALL or (daemon.driver == driver and daemon.limited)
