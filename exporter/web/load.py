"""Reads a web config file, and the files that it names, into what can be put in force."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.configfile.file import Loaded, parse
from exporter.configfile.problem import ConfigError, Problem
from exporter.web.tls import Pem, ServerContext, TlsProblem, build_context, certificate_validity
from exporter.web.web_config import RateLimit, TlsServerConfig, WebConfig

Seen = dict[Path, bytes | None]
"""Digests of files as they were read; None of one that could not be read."""

RENEW_BY_RATIO = 0.2
"""The part of its life that a certificate has left when it should have been renewed: ACME clients do so at a third."""


@dataclass(frozen=True)
class Certificate:
    """The times of the server's certificate, in Unix seconds."""

    not_before: float
    not_after: float

    @property
    def renew_by(self) -> float:
        return self.not_after - RENEW_BY_RATIO * (self.not_after - self.not_before)


@dataclass(frozen=True)
class WebSettings:
    """A web config that can be put in force. Immutable, and so exchanged as a whole."""

    loaded: Loaded[WebConfig] = field(repr=False)
    tls: ServerContext | None
    certificate: Certificate | None
    users: Mapping[bytes, bytes] = field(repr=False)
    """bcrypt hashes by name; empty when nobody needs to say who they are."""
    headers: Mapping[str, str]
    rate_limit: RateLimit | None


def load(path: Path, seen: Seen) -> WebSettings:
    """The settings of a file. Raises ConfigError with every mistake.

    seen: filled, also where it raises, with what was read, so that ``changed`` can tell whether to read again.
    Blocking: to be called in a thread once the event loop runs.
    """
    try:
        text = _read(path, seen)
    except OSError as error:
        hint = "check the path given with --web.config.file" if isinstance(error, FileNotFoundError) else ""
        raise ConfigError([Problem(str(path), None, None, "", f"cannot be read: {error.strerror}", hint)]) from error
    loaded = parse(path, text, WebConfig, env=None)
    config = loaded.value
    context, certificate = _tls(loaded, config.tls_server_config, seen) if config.tls_server_config else (None, None)
    headers = config.http_server_config.headers if config.http_server_config else None
    limit = config.rate_limit
    return WebSettings(
        loaded,
        context,
        certificate,
        {name.encode(): hashed.get_secret_value().encode() for name, hashed in (config.basic_auth_users or {}).items()},
        headers.given() if headers else {},
        limit if limit is not None and limit.interval > 0 else None,
    )


def changed(seen: Seen) -> bool:
    """Whether one of the files is another than it was. Blocking.

    By content and not by its times, which a file system may keep too coarsely: these files are few and small.
    """
    now: Seen = {}
    for path in seen:
        try:
            _read(path, now)
        except OSError:
            continue
    return now != seen


def _read(path: Path, seen: Seen) -> bytes:
    seen[path] = None
    content = path.read_bytes()
    seen[path] = hashlib.sha256(content).digest()
    return content


def _tls(loaded: Loaded[WebConfig], settings: TlsServerConfig, seen: Seen) -> tuple[ServerContext, Certificate]:
    """Raises ConfigError, with the key of the file that is to blame."""
    problems: list[Problem] = []
    inline = {
        "cert": settings.cert,
        "key": settings.key.get_secret_value() if settings.key else None,
        "client_ca": settings.client_ca,
    }
    files = {"cert": settings.cert_file, "key": settings.key_file, "client_ca": settings.client_ca_file}
    content: dict[str, bytes | None] = {}
    for key, text in inline.items():
        name = files[key]
        if text or not name:
            content[key] = text.encode() if text else None
            continue
        try:
            content[key] = _read(named(loaded, name), seen)
        except OSError as error:
            where = ("tls_server_config", f"{key}_file")
            problems.append(loaded.problem(where, f"{str(named(loaded, name))!r} cannot be read: {error.strerror}"))
    if problems:
        raise ConfigError(problems)
    cert, secret_key = content["cert"], content["key"]
    assert cert is not None, "the model asks for it"
    assert secret_key is not None, "the model asks for it"
    try:
        context = build_context(settings, Pem(cert, secret_key, content["client_ca"]))
        return context, Certificate(*certificate_validity(cert))
    except TlsProblem as problem:
        name = None if inline[problem.key] else files[problem.key]
        key, what = (f"{problem.key}_file", repr(str(named(loaded, name)))) if name else (problem.key, "this")
        raise ConfigError([loaded.problem(("tls_server_config", key), f"{what} {problem}", problem.hint)]) from None


def named(loaded: Loaded[WebConfig], name: str) -> Path:
    """A file that the config names: a relative path starts at the config's own directory."""
    assert loaded.path is not None
    return loaded.path.parent / name


def expiry_problem(certificate: Certificate, now: float) -> str:
    """What is wrong with a certificate's times, as the end of a sentence; empty if nothing is. Pure."""
    if now < certificate.not_before:
        return f"is not valid before {_day(certificate.not_before)}"
    if now >= certificate.not_after:
        return f"expired on {_day(certificate.not_after)}"
    return f"expires on {_day(certificate.not_after)}" if now >= certificate.renew_by else ""


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))
