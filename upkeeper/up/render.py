"""The configs of Prometheus and Alertmanager, made from the files that ship and from upkeeper.yml. Pure.

What ships is itself a complete, valid config; the addresses, paths and receivers of one state directory are put in as
values of a document that a YAML dumper writes, so nothing in them can become part of its structure.
"""

import copy
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import yaml

from remediator.config.notify import Email, Notify, Ntfy, Slack
from upkeeper.up.paths import Layout
from upkeeper.up.ports import LOOPBACK, Ports, url

Document = dict[str, Any]
"""A YAML document as plain Python values."""


def prometheus_config(
    base: Document, layout: Layout, ports: Ports, alertmanagers: Sequence[str] | None = None
) -> Document:
    """The shipped prometheus.yml with this state directory's rule files and these ports.

    alertmanagers: base URLs of those that are already there and take the place of ours.
    """
    config = copy.deepcopy(base)
    config["rule_files"] = [f"{_glob_literal(str(rules))}/*.yml" for rules in (layout.rules, layout.own_rules)]
    config["alerting"]["alertmanagers"] = [_alertmanager_at(one) for one in alertmanagers or [url(ports.alertmanager)]]
    config["scrape_configs"] = [
        job | {"static_configs": _at(f"{LOOPBACK}:{port}")}
        for job in config["scrape_configs"]
        if (port := _port(job["job_name"], ports, own_alertmanager=alertmanagers is None)) is not None
    ]
    return config


def alertmanager_config(
    base: Document, layout: Layout, ports: Ports, notify: Notify, inhibit: Sequence[Document] = (), bot: str = ""
) -> Document:
    """The shipped alertmanager.yml with the remediator's address and credential, and the people that ``notify`` names.

    Without any, neither the receiver of people nor a route to it is left: nothing that could only fail.
    inhibit: rules beside those that ship. bot: the token of ``notify.telegram``.
    """
    config = copy.deepcopy(base)
    config["templates"] = [f"{_glob_literal(str(layout.templates))}/*.tmpl"]
    remediator, people = config["receivers"]
    webhook = remediator["webhook_configs"][0]
    webhook["url"] = f"{url(ports.remediator)}/api/v1/alertmanager"
    webhook["http_config"]["authorization"]["credentials_file"] = str(layout.state.alertmanager_token)

    config["inhibit_rules"] += inhibit

    email, slack = people.pop("email_configs")[0], people.pop("slack_configs")[0]
    telegram, ntfy = people.pop("telegram_configs")[0], people.pop("webhook_configs")[0]
    if notify.email is not None:
        people["email_configs"] = [_email(email, notify.email, layout)]
    if notify.slack is not None:
        people["slack_configs"] = [_slack(slack, notify.slack, layout)]
    if notify.telegram is not None:
        people["telegram_configs"] = [
            telegram
            | {"bot_token": bot, "chat_id": notify.telegram.chat_id, "api_url": notify.telegram.api.rstrip("/")}
        ]
    if notify.ntfy is not None:
        people["webhook_configs"] = [_ntfy(ntfy, notify.ntfy, layout)]
    if notify.tells_nobody:
        config["receivers"] = [remediator]
        config["route"]["routes"] = [
            route for route in config["route"]["routes"] if route["receiver"] != people["name"]
        ]
    return config


def text(document: Document, source: str) -> bytes:
    """The document as YAML, under a line that says where it comes from."""
    body = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    return f"# Written by `upkeeper up` from {source}; changes will be overwritten.\n{body}".encode()


def _port(job: str, ports: Ports, *, own_alertmanager: bool) -> int | None:
    """The port that a shipped scrape job reads; None for what is not ours to scrape."""
    return {
        "upkeeper-exporter": ports.exporter,
        "upkeeper-remediator": ports.remediator,
        "prometheus": ports.prometheus,
        "alertmanager": ports.alertmanager if own_alertmanager else None,
    }[job]


def _alertmanager_at(base_url: str) -> Document:
    parts = urlsplit(base_url)
    return {"scheme": parts.scheme, "path_prefix": parts.path or "/", "static_configs": _at(parts.netloc)}


def _at(address: str) -> list[Document]:
    return [{"targets": [address]}]


def _email(base: Document, email: Email, layout: Layout) -> Document:
    config = base | {
        "to": _template_literal(email.to),
        "from": _template_literal(email.sender),
        "smarthost": email.smarthost,
        "require_tls": email.require_tls,
    }
    del config["auth_username"], config["auth_password_file"]
    if email.username is not None and email.password_file is not None:
        config["auth_username"] = email.username
        config["auth_password_file"] = str(layout.smtp_password)
    return config


def _slack(base: Document, slack: Slack, layout: Layout) -> Document:
    return base | {"api_url_file": str(layout.slack_url), "channel": _template_literal(slack.channel)}


def _ntfy(base: Document, ntfy: Ntfy, layout: Layout) -> Document:
    config = copy.deepcopy(base) | {"url": f"{ntfy.server.rstrip('/')}/{ntfy.topic}?template=alertmanager"}
    if ntfy.token_file is None:
        del config["http_config"]["authorization"]
    else:
        config["http_config"]["authorization"]["credentials_file"] = str(layout.ntfy_token)
    return config


def _template_literal(value: str) -> str:
    """The value for a field that Alertmanager expands as a Go template: ``{{`` in it stays ``{{``."""
    return value.replace("{{", '{{ "{{" }}')


def _glob_literal(path: str) -> str:
    """The path for a field that is a Go file pattern (path/filepath.Match): it means itself only."""
    return re.sub(r"([\\\[?*])", r"\\\1", path)
