"""What to put into a Prometheus and an Alertmanager that are already there. Pure."""

from pathlib import Path

import yaml

from remediator.config.notify import Notify
from upkeeper.up.paths import Layout
from upkeeper.up.ports import Ports
from upkeeper.up.render import Document, alertmanager_config, prometheus_config


def prometheus_part(base: Document, layout: Layout, ports: Ports, rules: Path) -> str:
    """The scrape jobs and the rule files, as YAML for prometheus.yml. rules: the directory of the rules that ship."""
    jobs = prometheus_config(base, layout, ports)["scrape_configs"]
    return _yaml(
        {
            "rule_files": [f"{rules}/*.yml"],
            "scrape_configs": [
                job | {"scrape_interval": base["global"]["scrape_interval"]}
                for job in jobs
                if job["job_name"].startswith("upkeeper-")
            ],
        }
    )


def alertmanager_part(base: Document, layout: Layout, ports: Ports) -> str:
    """The receiver and its routes, as YAML for alertmanager.yml: first under the route that is there."""
    config = alertmanager_config(base, layout, ports, Notify())
    pace = {key: config["route"][key] for key in ("group_by", "group_wait", "group_interval", "repeat_interval")}
    routes = [pace | route for route in config["route"]["routes"]]
    return _yaml({"route": {"routes": routes}, "receivers": config["receivers"]})


def _yaml(document: Document) -> str:
    return yaml.dump(document, Dumper=_NoAliases, sort_keys=False, allow_unicode=True)


class _NoAliases(yaml.SafeDumper):
    """Writes a value that occurs twice twice: what is to be copied in parts cannot refer to another part."""

    def ignore_aliases(self, data: object) -> bool:
        return True
