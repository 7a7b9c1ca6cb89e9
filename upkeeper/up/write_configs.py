"""Writes what `upkeeper up` gives Prometheus and Alertmanager to work with into the state directory."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from exporter.base.replace_file import replace_file
from exporter.configfile.problem import ConfigError, Problem
from remediator.config.notify import Notify
from remediator.monitoring.rules import Links, rules_with_links
from upkeeper.up.messages import UNKNOWN, Local, local_template
from upkeeper.up.paths import Layout
from upkeeper.up.ports import Ports
from upkeeper.up.render import alertmanager_config, prometheus_config, text


@dataclass(frozen=True)
class Written:
    """Whether anything that the program reads at its start has changed."""

    prometheus: bool
    alertmanager: bool


def write_configs(
    layout: Layout,
    ports: Ports,
    notify: Notify,
    share: Path,
    alertmanagers: Sequence[str] | None = None,
    local: Local = UNKNOWN,
    inhibit: Sequence[Mapping[str, Any]] = (),
) -> Written:
    """Writes configs, rules, templates and credentials, each file whole or not at all.

    alertmanagers: base URLs of those that are already there, which our Prometheus is to use. local: for the messages.
    inhibit: rules by which alerts mute others, beside those that ship.

    Raises ConfigError when a secret that ``notify`` names cannot be read, and then has written nothing;
    OSError when something cannot be written.
    """
    credentials = _credentials(layout, notify)
    # Alertmanager reads it from a file only from 0.26 on. It shows nobody what stands here, and neither does the file.
    bot = _secret(notify.telegram.bot_token_file, "notify.telegram.bot_token_file") if notify.telegram else b""
    for directory in (layout.own_rules, layout.prometheus_data, layout.alertmanager_data, layout.log("").parent):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    source = share / "prometheus" / "prometheus.yml"
    config = prometheus_config(yaml.safe_load(source.read_bytes()), layout, ports, alertmanagers)
    rules_or_config = [
        *_replace_all(
            layout.rules,
            rules_with_links(_read(share.glob("prometheus/rules/*.yml")), Links(notify.runbooks, notify.dashboards)),
        ),
        _replace(layout.prometheus_config, text(config, source.name)),
    ]

    source = share / "alertmanager" / "alertmanager.yml"
    config = alertmanager_config(
        yaml.safe_load(source.read_bytes()), layout, ports, notify, list(map(dict, inhibit)), bot.decode()
    )
    # Alertmanager reads the credentials at each notification; they must be there before a config that names them.
    for path, credential in credentials.items():
        _replace(path, credential)
    templates_or_config = [
        *_replace_all(
            layout.templates,
            _read(share.glob("alertmanager/templates/*.tmpl")) | {"local.tmpl": local_template(local, notify.host)},
        ),
        _replace(layout.alertmanager_config, text(config, f"{source.name} and `notify:` of upkeeper.yml")),
    ]
    return Written(any(rules_or_config), any(templates_or_config))


def _credentials(layout: Layout, notify: Notify) -> dict[Path, bytes]:
    """Copies without the line end, which Alertmanager before 0.27 would take for a part of the SMTP password."""
    files: dict[Path, bytes] = {}
    if notify.email is not None and notify.email.password_file is not None:
        files[layout.smtp_password] = _secret(notify.email.password_file, "notify.email.password_file")
    if notify.slack is not None:
        files[layout.slack_url] = _secret(notify.slack.webhook_url_file, "notify.slack.webhook_url_file")
    if notify.ntfy is not None and notify.ntfy.token_file is not None:
        files[layout.ntfy_token] = _secret(notify.ntfy.token_file, "notify.ntfy.token_file")
    return files


def _secret(path: str, key: str) -> bytes:
    try:
        content = Path(path).read_bytes().strip()
    except OSError as error:
        raise _refused(path, key, f"cannot be read: {error.strerror}") from error
    if not content:
        raise _refused(path, key, "is empty")
    return content


def _refused(path: str, key: str, message: str) -> ConfigError:
    return ConfigError([Problem(path, None, None, key, message)])


def _read(paths: Iterable[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


def _replace_all(directory: Path, files: Mapping[str, bytes]) -> list[bool]:
    """Makes these the directory's only files: a rule that no longer ships must not go on firing."""
    stale = [path for path in directory.glob("*") if path.name not in files]
    for path in stale:
        path.unlink()
    return [bool(stale), *(_replace(directory / name, content) for name, content in files.items())]


def _replace(path: Path, content: bytes) -> bool:
    """Replaces the file by one that only its owner may read. Returns whether it was another before."""
    if path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, content)
    return True
