"""What `upkeeper check-web` says of a web config: first of the file itself, then of how it fits this machine."""

import stat
import time
from collections.abc import Iterator
from pathlib import Path

from exporter.configfile.problem import ConfigError, Problem, in_order
from exporter.web.load import WebSettings, expiry_problem, load, named


def check(path: Path, now: float | None = None) -> list[Problem]:
    """Every problem of a web config, errors and warnings, in the order of the file. now: Unix seconds."""
    try:
        settings = load(path, {})
    except ConfigError as error:
        return error.problems
    return in_order(list(_warnings(settings, path, time.time() if now is None else now)))


def _warnings(settings: WebSettings, path: Path, now: float) -> Iterator[Problem]:
    loaded, config = settings.loaded, settings.loaded.value
    tls, http = config.tls_server_config, config.http_server_config
    if config.basic_auth_users and tls is None:
        message = "passwords are sent in clear text without tls_server_config"
        yield loaded.problem(("basic_auth_users",), message, "whoever can read the traffic can read them", "warning")
    if http is not None and http.http2:
        message = "HTTP/2 is not served; clients use HTTP/1.1"
        yield loaded.problem(("http_server_config", "http2"), message, severity="warning")
    if settings.certificate is not None and (problem := expiry_problem(settings.certificate, now)):
        key = "cert" if tls is not None and tls.cert else "cert_file"
        yield loaded.problem(("tls_server_config", key), f"the certificate {problem}", "renew it", "warning")
    if tls is not None and tls.key_file and _open_to_all(named(loaded, tls.key_file)):
        where, message = ("tls_server_config", "key_file"), f"{tls.key_file!r} may be read by everybody"
        yield loaded.problem(where, message, "chmod 600 it", "warning")
    if tls is not None and tls.key and _open_to_all(path):
        message = "this file holds a key and may be read by everybody"
        yield loaded.problem(("tls_server_config", "key"), message, "chmod 600 it", "warning")


def _open_to_all(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IROTH)
