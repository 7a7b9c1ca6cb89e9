"""Where the running stack listens: ``<state-dir>/endpoints.json``, read by `upkeeper status`, `drill` and others.

``upkeeper up`` writes it when everything answers and removes it when it stops. It is a hint, never a lock: after a
``kill -9`` it may name what is gone, so a reader must bear a refused connection.
"""

import json
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

FILE = "endpoints.json"


@dataclass(frozen=True)
class Endpoints:
    """Base URLs without a trailing slash; None where that process was not started."""

    exporter: str | None = None
    remediator: str | None = None
    prometheus: str | None = None
    alertmanager: str | None = None
    config: str | None = None
    """No URL: the path of the config file that they run with; None for none, and where it is not known."""

    def urls(self) -> dict[str, str | None]:
        """The URL of each service, by its name."""
        return {name: value for name, value in asdict(self).items() if name != "config"}


def read(state_dir: Path) -> Endpoints | None:
    """The endpoints last written; None when there is no such file, or when it is not one of ours.

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
    path = state_dir / FILE
    draft = path.with_name(f".{FILE}.{secrets.token_hex(4)}")
    try:
        draft.write_text(json.dumps(asdict(endpoints), indent=2) + "\n")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def running_config(state_dir: Path) -> Path | None:
    """The config file of what runs on a state directory; None where it is not known, or is not there any more."""
    try:
        known = read(state_dir)
    except OSError:
        return None
    path = Path(known.config) if known is not None and known.config else None
    return path if path is not None and path.is_file() else None


def update(state_dir: Path, **urls: str | None) -> None:
    """Changes some of the endpoints and keeps the others, as a service that starts by itself does. Raises OSError."""
    current = read(state_dir) or Endpoints()
    write(state_dir, Endpoints(**(asdict(current) | urls)))


def remove(state_dir: Path) -> None:
    """Forgets the endpoints. Raises OSError."""
    (state_dir / FILE).unlink(missing_ok=True)


def url_of(listen: str, *, tls: bool = False) -> str:
    """The URL here of what listens on ``host:port``; one that listens on every address is asked on loopback."""
    host, _, port = listen.rpartition(":")
    return f"{'https' if tls else 'http'}://{'127.0.0.1' if host in ('', '0.0.0.0', '[::]', '::') else host}:{port}"  # noqa: S104
