"""Where an Alertmanager sends an alert, by its own config. Pure.

https://prometheus.io/docs/alerting/latest/configuration/#route
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from remediator.config.matchers import parse_matchers, whole_match
from remediator.webhook.routes import SHIPPED

WEBHOOK = "webhook_configs"
PATH = "/api/v1/alertmanager"
"""Of the remediator's webhook."""
_HIDDEN = "<secret>"


@dataclass(frozen=True)
class Receiver:
    """ours: it leads to the remediator of this machine. ways: what else it notifies by, as in ``email``."""

    name: str
    ours: bool
    ways: Sequence[str]


def receivers(document: Mapping[str, Any], port: int) -> Mapping[str, Receiver]:
    """By name. port: of the remediator. Alertmanager hides the URLs of webhooks from 0.26 on: then the name tells."""
    found: dict[str, Receiver] = {}
    for entry in document.get("receivers") or ():
        name, ways, ours = str(entry["name"]), [], False
        for key, configs in entry.items():
            if not key.endswith("_configs"):
                continue
            for config in configs or ():
                if key == WEBHOOK and _is_ours(str(config.get("url", "")), port, name):
                    ours = True
                else:
                    ways.append(key.removesuffix("_configs"))
        found[name] = Receiver(name, ours, list(dict.fromkeys(ways)))
    return found


def _is_ours(url: str, port: int, name: str) -> bool:
    if url == _HIDDEN:
        return name == SHIPPED
    parts = urlsplit(url)
    return parts.path == PATH and parts.port == port


def reached(document: Mapping[str, Any], labels: Mapping[str, str]) -> Sequence[str]:
    """The names of the receivers of an alert with these labels. Raises what reading a config of another form does."""
    return list(dict.fromkeys(_reached(document["route"], labels, "")))


def _reached(route: Mapping[str, Any], labels: Mapping[str, str], above: str) -> Iterator[str]:
    own = str(route.get("receiver") or above)
    below = False
    for child in route.get("routes") or ():
        if _matches(child, labels):
            below = True
            yield from _reached(child, labels, own)
            if not child.get("continue"):
                break
    if not below:
        yield own


def _matches(route: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return (
        all(labels.get(name, "") == str(value) for name, value in (route.get("match") or {}).items())
        and all(
            whole_match(str(pattern))(labels.get(name, "")) for name, pattern in (route.get("match_re") or {}).items()
        )
        and all(
            matcher.matches(labels) for text in route.get("matchers") or () for matcher in parse_matchers(str(text))
        )
    )
