"""What the audit looks at beside its own section of the config: projects of running containers, secrets of the rest."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.docker import composelabels
from exporter.docker.containers import ListedContainer
from exporter.findings.paths import joined

_SECRET_FILE = re.compile(r"_file$")
_PUBLIC_FILE = re.compile(r"(^|_)(ca|cert|certificate|chain|env|config)s?_file$")


@dataclass(frozen=True)
class Found:
    """What running containers tell of the projects that they belong to."""

    projects: Sequence[Sequence[str]] = ()
    """The Compose files of each project, as they were given to Compose."""
    health_checked: frozenset[tuple[str, str]] = frozenset()
    """Services of which a container has a health check, be it that of its image: the project's first file, the name."""


def found_in(containers: Iterable[ListedContainer]) -> Found:
    """What the labels that Compose gives to containers tell. Pure.

    Compose 1.29 writes the paths as they were given, so relative ones are below the working directory.
    """
    projects: dict[tuple[str, ...], None] = {}
    checked: set[tuple[str, str]] = set()
    for container in containers:
        directory = container.labels.get(composelabels.DIRECTORY, "")
        names = [name for name in container.labels.get(composelabels.FILES, "").split(",") if name]
        paths = tuple(joined(directory, name) for name in names)
        if not paths or not all(path.startswith("/") for path in paths):
            continue
        projects[paths] = None
        if container.state == "running" and container.health != "none":
            checked.add((paths[0], container.labels.get(composelabels.SERVICE, "")))
    return Found(list(projects), frozenset(checked))


def secret_files(document: object) -> list[str]:
    """The paths under keys that name a file with a secret (``password_file``), anywhere in a config. Pure."""
    return list(dict.fromkeys(_secret_files(document)))


def _secret_files(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            if isinstance(part, str) and part.startswith("/"):
                if _SECRET_FILE.search(str(key)) and not _PUBLIC_FILE.search(str(key)):
                    yield part
            else:
                yield from _secret_files(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _secret_files(part)
