"""What to add to a Prometheus and an Alertmanager that belong to a person, made from the files that ship."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from remediator.monitoring.fastyaml import parse
from remediator.monitoring.prometheus import JOBS


def scrape_jobs(share: Path, ports: Mapping[str, int]) -> dict[str, Any]:
    """Of the shipped prometheus.yml, the jobs about us. ports: by job. Raises OSError."""
    base = parse((share / "prometheus" / "prometheus.yml").read_bytes())
    interval = base["global"]["scrape_interval"]
    return {
        "scrape_configs": [
            {
                "job_name": job,
                "scrape_interval": interval,
                "static_configs": [{"targets": [f"127.0.0.1:{ports[job]}"]}],
            }
            for job in JOBS
        ]
    }


def routes(share: Path, port: int, token: Path) -> dict[str, Any]:
    """Of the shipped alertmanager.yml, the receiver of the remediator and the routes to it. Raises OSError."""
    base = parse((share / "alertmanager" / "alertmanager.yml").read_bytes())
    top = base["route"]
    pace = {key: top[key] for key in ("group_by", "group_wait", "group_interval", "repeat_interval")}
    ours = [one for one in base["receivers"] if one["name"] == top["receiver"]]
    hook = ours[0]["webhook_configs"][0]
    hook["url"] = f"http://127.0.0.1:{port}/api/v1/alertmanager"
    hook["http_config"]["authorization"]["credentials_file"] = str(token)
    below = [pace | route for route in top["routes"] if route["receiver"] == top["receiver"]]
    return {"route": {"routes": below}, "receivers": ours}


def text(document: Mapping[str, Any], *above: str) -> bytes:
    """As YAML, below lines that say what to do with it."""
    head = "".join(f"# {line}\n" for line in above)
    return (head + yaml.dump(document, Dumper=_NoAliases, sort_keys=False, allow_unicode=True)).encode()


class _NoAliases(yaml.SafeDumper):
    """Writes a value that occurs twice twice: what is to be copied in parts cannot refer to another part."""

    def ignore_aliases(self, data: object) -> bool:
        return True
