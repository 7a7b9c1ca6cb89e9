"""Which containers are measured one by one."""

from collections.abc import Callable, Mapping

from exporter.configfile.section import regex_search
from exporter.docker import composelabels
from exporter.inventory.docker import Docker

IGNORE_LABEL = "upkeeper.ignore"
"""A container with this label is not measured by itself, whatever the label's value."""


def selector(docker: Docker) -> Callable[[str, Mapping[str, str]], bool]:
    """Whether a container is measured, by its name and labels."""
    excluded = regex_search(docker.exclude_containers) if docker.exclude_containers is not None else None
    projects = frozenset(docker.projects)

    def wanted(name: str, labels: Mapping[str, str]) -> bool:
        if IGNORE_LABEL in labels or (projects and labels.get(composelabels.PROJECT) not in projects):
            return False
        return excluded is None or not excluded(name.encode())

    return wanted
