"""What mutes what: while something that a service needs is down, people hear only of that. Pure.

An alert that is muted so does not reach the remediator either: a restart of the service would not help.
"""

from collections.abc import Iterator
from typing import Any

from remediator.config.config import Config


def inhibit_rules(config: Config) -> list[dict[str, Any]]:
    """Alertmanager's ``inhibit_rules``, by the ``needs:`` of services. Only alerts of one exporter mute each other."""
    return [
        {"source_matchers": source, "target_matchers": target, "equal": ["instance"]}
        for service in config.services
        for target in _about(service.name, service.container)
        for need in service.needs
        for source in _down(need, config)
    ]


def _about(service: str, container: str | None) -> Iterator[list[str]]:
    """The alerts that follow when a service cannot work."""
    yield ['alertname="UpkeeperServiceDown"', f'target="{service}"']
    if container is not None:
        yield ['alertname=~"UpkeeperContainer(Unhealthy|RestartLoop)"', f"container={_quoted(container)}"]


def _down(name: str, config: Config) -> Iterator[list[str]]:
    """The alerts that tell that a service or server of this name is down."""
    if any(service.name == name for service in config.services):
        yield ['alertname="UpkeeperServiceDown"', f'target="{name}"']
    if any(server.name == name for server in config.postgres):
        yield ['alertname="UpkeeperPostgresDown"', f'server="{name}"']
    if any(server.name == name for server in config.neo4j):
        yield ['alertname="UpkeeperNeo4jDown"', f'server="{name}"']


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
