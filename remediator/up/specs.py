"""The processes of `upkeeper up`: what each is started with. Pure."""

import sys
from pathlib import Path

from remediator.up.child import ProcessSpec
from remediator.up.layout import Layout
from remediator.up.ports import LOOPBACK, Ports, url

_OUR_CODE = Path(__file__).resolve().parents[2]
"""What holds the packages that run here, so that the children run the same, installed or not."""

RETENTION_TIME = "15d"
RETENTION_SIZE = "1GB"


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
        sys.executable,
        # Not from the directory that `up` is called in: it may hold an `exporter` of somebody else's.
        "-P",
        *("-m", "remediator.cli", name),
        f"--listen={LOOPBACK}:{port}",
        f"--state-dir={layout.state.root}",
        *([f"--config={config.absolute()}"] if config is not None else []),
        *(["--verbose"] if verbose else []),
        *([f"--log.format={log_format}"] if log_format is not None else []),
    ]
    return ProcessSpec(name, argv, f"{url(port)}/-/ready", env={"PYTHONPATH": str(_OUR_CODE)})
