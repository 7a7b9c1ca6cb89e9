"""The processes of `upkeeper up`: what each is started with. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from upkeeper.up.paths import Layout
from upkeeper.up.ports import LOOPBACK, Ports, url

RETENTION_TIME = "45d"
RETENTION_SIZE = "1GB"


@dataclass(frozen=True)
class ProcessSpec:
    """What to start, and how to tell that it is ready."""

    name: str
    argv: Sequence[str]
    """Of a program its absolute path and its arguments, of a service of ours the arguments of `upkeeper`."""
    ready: str
    """URL that answers 200 when the process does its work."""
    log: Path | None = None
    """Where its output goes; None: it writes to ours."""
    stop_within: float = 15.0
    """Seconds it may take to end after SIGTERM."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to our own environment."""

    def document(self) -> dict[str, Any]:
        """As the supervisor's plan has it."""
        return asdict(self) | {"argv": list(self.argv), "log": None if self.log is None else str(self.log)}


def exporter(
    layout: Layout, ports: Ports, config: Path | None, *, verbose: bool, log_format: str | None = None
) -> ProcessSpec:
    return _service("exporter", ports.exporter, layout, config, verbose, log_format)


def remediator(
    layout: Layout, ports: Ports, config: Path | None, *, verbose: bool, log_format: str | None = None
) -> ProcessSpec:
    return _service("remediator", ports.remediator, layout, config, verbose, log_format)


def prometheus(layout: Layout, ports: Ports, program: Path) -> ProcessSpec:
    argv = [
        str(program),
        f"--config.file={layout.prometheus_config}",
        f"--web.listen-address={LOOPBACK}:{ports.prometheus}",
        f"--web.external-url={url(ports.prometheus)}",
        f"--storage.tsdb.path={layout.prometheus_data}",
        f"--storage.tsdb.retention.time={RETENTION_TIME}",
        f"--storage.tsdb.retention.size={RETENTION_SIZE}",
        # So soon does an Alertmanager that was started later, or again, hear of alerts that fire already.
        "--rules.alert.resend-delay=30s",
    ]
    return ProcessSpec("prometheus", argv, f"{url(ports.prometheus)}/-/ready", layout.log("prometheus"))


def alertmanager(layout: Layout, ports: Ports, program: Path) -> ProcessSpec:
    argv = [
        str(program),
        f"--config.file={layout.alertmanager_config}",
        f"--web.listen-address={LOOPBACK}:{ports.alertmanager}",
        f"--web.external-url={url(ports.alertmanager)}",
        f"--storage.path={layout.alertmanager_data}",
        # Empty: one of its own. By default it would listen for peers on every address.
        "--cluster.listen-address=",
    ]
    return ProcessSpec("alertmanager", argv, f"{url(ports.alertmanager)}/-/ready", layout.log("alertmanager"))


def _service(
    name: str, port: int, layout: Layout, config: Path | None, verbose: bool, log_format: str | None
) -> ProcessSpec:
    argv = [
        name,
        f"--listen={LOOPBACK}:{port}",
        f"--state-dir={layout.state.root}",
        *([f"--config={config.absolute()}"] if config is not None else []),
        *(["--verbose"] if verbose else []),
        *([f"--log.format={log_format}"] if log_format is not None else []),
    ]
    return ProcessSpec(name, argv, f"{url(port)}/-/ready")
