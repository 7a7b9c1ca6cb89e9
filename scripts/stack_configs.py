"""Writes the configs of the stack in compose.yaml, which are those that ship with the names of its services.

``make docs`` runs it; tests/packages/test_compose.py notices when they are out of date.
"""

from collections.abc import Mapping
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
STACK = ROOT / "packaging" / "compose"
_NAMES = ("exporter:10746", "remediator:10747", "prometheus:9090", "alertmanager:9093")
"""In the order of the ports of `upkeeper up`."""


def texts() -> Mapping[str, str]:
    """Contents by name of the file."""
    return {"prometheus.yml": _prometheus(), "alertmanager.yml": _alertmanager(), "datasource.yml": _datasource()}


def _prometheus() -> str:
    text = (ROOT / "prometheus/prometheus.yml").read_text()
    head = "# The Prometheus of compose.yaml, made by `make docs` of prometheus/prometheus.yml.\n"
    return head + _named(text[text.index("global:") :])


def _alertmanager() -> str:
    document = yaml.safe_load((ROOT / "alertmanager/alertmanager.yml").read_text())
    (receiver,) = (each for each in document["receivers"] if each["name"] == "remediator")
    (webhook,) = receiver["webhook_configs"]
    webhook["url"] = "http://remediator:10747/api/v1/alertmanager"
    webhook["http_config"]["authorization"]["credentials_file"] = "/run/secrets/alertmanager-token"
    document["receivers"] = [receiver]
    document["route"]["routes"] = [each for each in document["route"]["routes"] if each["receiver"] == "remediator"]
    del document["templates"]
    head = (
        "# The Alertmanager of compose.yaml, made by `make docs` of alertmanager.yml, without people. Add\n"
        "# them below the last route of a copy of yours: docs/how-to/messages.md\n"
    )
    return head + yaml.safe_dump(document, sort_keys=False)


def _datasource() -> str:
    text = (ROOT / "grafana/provisioning/datasources/upkeeper.yml").read_text()
    named = text[text.index("apiVersion:") :].replace("127.0.0.1:10748", "prometheus:9090")
    return f"# The Prometheus of compose.yaml, for its Grafana; made by `make docs`.\n{named}"


def _named(text: str) -> str:
    for port, name in enumerate(_NAMES, start=10746):
        text = text.replace(f"127.0.0.1:{port}", name)
    return text


def main() -> None:
    """Writes them."""
    for name, text in texts().items():
        (STACK / name).write_text(text)


if __name__ == "__main__":
    main()
