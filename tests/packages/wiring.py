"""A Prometheus and an Alertmanager of the test's own, wired to services that something else has started."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import yaml

from remediator.statedir import StateDir
from tests import servers
from upkeeper.share import share_path
from upkeeper.up import existing
from upkeeper.up.paths import Layout
from upkeeper.up.ports import Ports


@asynccontextmanager
async def wired(directory: Path, ports: Ports, token: str) -> AsyncIterator[Sequence[str]]:
    """As docs/how-to/existing-prometheus.md says; the options of `upkeeper drill` by which it finds them all."""
    layout, share = Layout(StateDir(Path("/var/lib/upkeeper"))), share_path()
    bases = {
        name: yaml.safe_load((share / name / f"{name}.yml").read_bytes()) for name in ("prometheus", "alertmanager")
    }
    credential = directory / "token"
    credential.write_text(token)
    receiving = existing.alertmanager_part(bases["alertmanager"], layout, ports)
    document = yaml.safe_load(re.sub(r"credentials_file: .*", f"credentials_file: {credential}", receiving))
    document["route"]["receiver"] = "remediator"
    (directory / "alertmanager.yml").write_text(yaml.safe_dump(document))
    async with servers.alertmanager(directory / "alertmanager", directory / "alertmanager.yml") as alertmanager:
        document = yaml.safe_load(
            existing.prometheus_part(bases["prometheus"], layout, ports, share / "prometheus/rules")
        )
        address = alertmanager.url.removeprefix("http://")
        document["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [address]}]}]}
        async with servers.prometheus(directory / "prometheus", document) as prometheus:
            yield (
                *("--url", f"http://127.0.0.1:{ports.remediator}"),
                *("--exporter-url", f"http://127.0.0.1:{ports.exporter}"),
                *("--prometheus-url", prometheus.url, "--alertmanager-url", alertmanager.url),
            )
