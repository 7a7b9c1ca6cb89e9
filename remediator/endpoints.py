"""Where the running stack listens: ``<state-dir>/endpoints.json``, read by `upkeeper status`, `drill` and others.

``upkeeper up`` writes it when everything answers and removes it when it stops. It is a hint, never a lock: after a
``kill -9`` it may name what is gone, so a reader must expect a refused connection.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from exporter.base.replace_file import replace_file

FILE = "endpoints.json"
CONFIG_FILE = "config-path"


@dataclass(frozen=True)
class Endpoints:
    """Base URLs without a trailing slash; None where that process was not started."""

    exporter: str | None = None
    remediator: str | None = None
    prometheus: str | None = None
    alertmanager: str | None = None


def read(state_dir: Path) -> Endpoints | None:
    """The endpoints last written; None if the file does not exist or is not valid.

    Keys that it does not know are left out, so that an older command reads a newer file. Raises OSError, but not
    FileNotFoundError.
    """
    try:
        document = json.loads((state_dir / FILE).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    known = {field.name: document.get(field.name) for field in fields(Endpoints)}
    return Endpoints(**{name: url.rstrip("/") for name, url in known.items() if isinstance(url, str)})


def write(state_dir: Path, endpoints: Endpoints) -> None:
    """Replaces the file whole, so that a reader sees the old or the new one. Raises OSError."""
    _replace(state_dir / FILE, json.dumps(asdict(endpoints), indent=2) + "\n")


def write_config(state_dir: Path, config: Path | None) -> None:
    """Records the config file that the running stack was started with, if any. Raises OSError."""
    if config is None:
        (state_dir / CONFIG_FILE).unlink(missing_ok=True)
    else:
        _replace(state_dir / CONFIG_FILE, f"{config.absolute()}\n")


def running_config(state_dir: Path) -> Path | None:
    """The config file of what is running, or ran last; None if it had none, or the file is gone."""
    try:
        path = Path((state_dir / CONFIG_FILE).read_text().removesuffix("\n"))
    except (OSError, UnicodeError):
        return None
    return path if path.is_file() else None


def _replace(path: Path, text: str) -> None:
    """Replaces a file whole, on a full disk with what its ballast gives."""
    with suppress(OSError, UnicodeError):
        if path.read_text() == text:
            return
    try:
        replace_file(path, text.encode(), mode=0o644)
    except OSError:
        from remediator.store.ballast import Ballast  # only here: commands that read the endpoints need no store

        Ballast(path.parent).with_room(lambda: replace_file(path, text.encode(), mode=0o644))


def update(state_dir: Path, **urls: str | None) -> None:
    """Changes some of the endpoints and keeps the others, as a service that starts by itself does. Raises OSError."""
    current = read(state_dir) or Endpoints()
    write(state_dir, Endpoints(**(asdict(current) | urls)))


def remove(state_dir: Path) -> None:
    """Removes the endpoints. Raises OSError."""
    (state_dir / FILE).unlink(missing_ok=True)


def url_of(listen: str, *, tls: bool = False) -> str:
    """The URL, on this machine, of a server that listens on ``host:port``: loopback if it listens on every address."""
    host, _, port = listen.rpartition(":")
    return f"{'https' if tls else 'http'}://{'127.0.0.1' if host in ('', '0.0.0.0', '[::]', '::') else host}:{port}"  # noqa: S104
