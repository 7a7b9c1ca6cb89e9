"""What running containers tell the audit about their Compose projects."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exporter.docker import composelabels
from exporter.docker.containers import ListedContainer
from exporter.findings.paths import joined, parent
from exporter.findings.project import Invocation


@dataclass(frozen=True)
class RunningProjects:
    """What running containers tell of the projects that they belong to."""

    projects: Sequence[Invocation] = ()
    """How each project was started."""
    health_checked: frozenset[tuple[str, str]] = frozenset()
    """Services of which a container has a health check, or whose image has: the project's first file, the name."""
    running: frozenset[tuple[str, str]] = frozenset()
    """Services of which a container runs, likewise: their profiles are in use."""


def running_projects(containers: Iterable[ListedContainer]) -> RunningProjects:
    """What the labels that Compose gives to containers tell. Pure.

    Compose 1.29 writes the paths as they were given, so relative ones are below the working directory.
    """
    projects: dict[tuple[str, ...], Invocation] = {}
    checked: set[tuple[str, str]] = set()
    running: set[tuple[str, str]] = set()
    for container in containers:
        directory = container.labels.get(composelabels.DIRECTORY, "")
        files, env_files = (
            tuple(joined(directory, name) for name in container.labels.get(label, "").split(",") if name)
            for label in (composelabels.FILES, composelabels.ENV_FILES)
        )
        if not files or not all(path.startswith("/") for path in (*files, *env_files)):
            continue
        own = directory if directory.startswith("/") and directory != parent(files[0]) else ""
        projects[files] = Invocation(files, env_files, own)
        if container.state == "running":
            service = (files[0], container.labels.get(composelabels.SERVICE, ""))
            running.add(service)
            if container.health != "none":
                checked.add(service)
    return RunningProjects(list(projects.values()), frozenset(checked), frozenset(running))
