"""Finds the Prometheus and Alertmanager to start."""

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from remediator.model.errors import EXIT_USAGE, ClientError


@dataclass(frozen=True)
class Wanted:
    """A program: the variable that names its file, what it is called on PATH, and the Debian package that has it."""

    title: str
    variable: str
    names: tuple[str, ...]
    package: str


PROMETHEUS = Wanted("Prometheus", "UPKEEPER_PROMETHEUS", ("prometheus",), "prometheus")
ALERTMANAGER = Wanted(
    # Debian and Ubuntu have given it the longer name.
    "Alertmanager", "UPKEEPER_ALERTMANAGER", ("alertmanager", "prometheus-alertmanager"), "prometheus-alertmanager"
)  # fmt: skip


def find_programs(wanted: Collection[Wanted], env: Mapping[str, str]) -> Mapping[Wanted, Path]:
    """The absolute path of each. Raises ClientError that says for every missing one what to install."""
    found = {one: path for one in wanted if (path := locate(one, env))}
    missing = [one for one in wanted if one not in found]
    if missing:
        raise ClientError(_advice(missing), EXIT_USAGE)
    return found


def locate(wanted: Wanted, env: Mapping[str, str]) -> Path | None:
    """The program that its variable names, else the one on PATH; None when there is none.

    Raises ClientError when the variable names what cannot be run.
    """
    chosen = env.get(wanted.variable)
    if chosen:
        path = Path(chosen).absolute()
        if not (path.is_file() and os.access(path, os.X_OK)):
            raise ClientError(f"{wanted.variable}={chosen} is not a program that can be run", EXIT_USAGE)
        return path
    for name in wanted.names:
        path_text = shutil.which(name, path=env.get("PATH"))
        if path_text:
            return Path(path_text).absolute()
    return None


def _advice(missing: Sequence[Wanted]) -> str:
    titles = " and ".join(wanted.title for wanted in missing)
    packages = " ".join(wanted.package for wanted in missing)
    variables = " and ".join(wanted.variable for wanted in missing)
    return "\n".join(
        [
            f"{titles} not found on PATH",
            f"On Debian and Ubuntu: apt install --no-install-recommends {packages}",
            f"Or name the file: {variables}=/path/to/it",
            "Or use the ones that you already run: upkeeper up --no-prometheus",
        ]
    )
