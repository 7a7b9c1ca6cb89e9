"""The hosts as what Prometheus scrapes: the answer of its HTTP service discovery. Pure.

Its form: https://prometheus.io/docs/prometheus/latest/http_sd/
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from exporter.base.listen import is_loopback
from remediator.model.shapes.hosts import HostView, TargetGroup

_NO_LABEL = re.compile("[^a-zA-Z0-9_]")
EXPORTER_PORT = 10746
_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not listened on


def groups(hosts: Iterable[HostView], service: str, port: int | None) -> list[TargetGroup]:
    """A group for each host, also for those that are down: that is to be seen, and alerted on.

    service: ``exporter`` or ``remediator``. port: of that service on every host; None is the one by default, of a
    remediator the one where it said that it listens. One that listens on loopback alone is named all the same, by the
    name of its machine: that it cannot be scraped is to be seen too.
    """
    return [_group(host, service, port) for host in hosts]


def _group(host: HostView, service: str, port: int | None) -> TargetGroup:
    parts = urlsplit(host["address"] or "")
    name = parts.hostname or ""
    if name in _EVERYWHERE or is_loopback(f"{_bracketed(name)}:1"):
        name = host["node"]
    told = parts.port or EXPORTER_PORT + 1
    at = port or (told if service == "remediator" else EXPORTER_PORT)
    return {
        "targets": [f"{_bracketed(name)}:{at}"],
        "labels": {
            "host": host["host"],
            "__meta_upkeeper_up": "true" if host["up"] else "false",
            "__meta_upkeeper_version": host["version"],
            "__meta_upkeeper_last_seen": host["last_seen_at"],
            **{f"__meta_upkeeper_label_{_NO_LABEL.sub('_', name)}": value for name, value in host["labels"].items()},
            **({"__scheme__": parts.scheme} if service == "remediator" and parts.scheme == "https" else {}),
        },
    }


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name
