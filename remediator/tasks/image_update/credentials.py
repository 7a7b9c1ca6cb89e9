"""Credentials of registries, as ``docker login`` has kept them: in its config.json, or by a helper that this names."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from remediator.model.task import TaskError
from remediator.tasks.image_update.references import HUB

_HUB_KEY = "https://index.docker.io/v1/"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Of one registry. token: an identity token, in place of name and password."""

    username: str = field(repr=False)
    password: str = field(repr=False)
    token: str = field(default="", repr=False)


def place() -> Path:
    """The file: below DOCKER_CONFIG, else in the home directory."""
    named = os.environ.get("DOCKER_CONFIG")
    return (Path(named) if named else Path("~/.docker").expanduser()) / "config.json"


def read(registry: str) -> Credentials | None:
    """Those of a registry; None where there are none. Blocks, for as long as a helper takes. Raises TaskError."""
    from docker import auth, errors

    path = place()
    if not path.exists():
        return None
    try:
        found = auth.load_config(str(path)).resolve_authconfig(_HUB_KEY if registry == HUB else registry)
    except (errors.DockerException, OSError, ValueError) as error:
        raise TaskError(f"the credentials of {registry} in {path} cannot be read: {error}") from None
    if not found:
        return None
    known = {key.lower(): str(value or "") for key, value in found.items()}
    return Credentials(known.get("username", ""), known.get("password", ""), known.get("identitytoken", ""))
