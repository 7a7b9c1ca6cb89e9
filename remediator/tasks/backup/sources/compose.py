"""The files of a Compose project, and the images that it runs with: what is needed to bring it up elsewhere.

The files are found by the reader of the audit: overrides, ``include``, ``extends``, env files, secrets and configs.
"""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from exporter.docker import composelabels
from exporter.docker.engine import DockerEngine, is_gone
from exporter.findings.compose import load_project
from exporter.findings.files import read_file
from exporter.findings.paths import joined
from exporter.findings.project import Invocation, Project
from remediator.model.task import TaskError

if TYPE_CHECKING:
    from docker import APIClient

_VERSION = "org.opencontainers.image.version"


def read_compose(file: str) -> tuple[Project, list[str]]:
    """The project of a Compose file, and the paths of all its files that there are. Blocks.

    Raises TaskError where one that it needs cannot be read: the set would lack it.
    """
    project = load_project(Invocation((file,)).with_override(os.path.lexists), read_file)
    if project.unreadable or file not in project.read:
        why = (project.unreadable or project.unread or [f"{file} cannot be read"])[0]
        raise TaskError(f"a file of make.compose cannot be read: {why}")
    if not project.services:
        flaw = f": {project.flaws[0].message}" if project.flaws else ""
        raise TaskError(f"{file}, of make.compose, has no services that can be made out{flaw}")
    found = [*project.read, *_named(project)]
    real = [os.path.realpath(path) for path in found]
    return project, [path for path in dict.fromkeys([*found, *real]) if os.path.lexists(path)]


def _named(project: Project) -> list[str]:
    """Files of secrets and configs, as absolute paths."""
    sections = [project.top[name] for name in ("secrets", "configs") if name in project.top]
    files = [one.at("file") for section in sections for one in section.mapping.values()]
    return [file.text for file in files if file is not None and file.text.startswith("/")]


async def described(project: Project, engine: DockerEngine) -> dict[str, JsonValue]:
    """What a restore needs to know beside a project's files: images by digest, and versions. Raises UpkeeperError."""
    running, version = await engine.call(lambda client: _running(client, project))
    services: dict[str, JsonValue] = {}
    for name, service in project.services.items():
        image = service.at("image")
        services[name] = {"image": image.text if image is not None else "", **running.get(name, {})}
    return {"file": project.files[0], "files": list[JsonValue](project.read), "services": services, "engine": version}


def _running(client: "APIClient", project: Project) -> tuple[Mapping[str, dict[str, JsonValue]], str]:
    """The image of each service that has a container, and the engine's version."""
    images: dict[str, dict[str, JsonValue]] = {}
    found: dict[str, dict[str, JsonValue]] = {}
    for container in client.containers(all=True):
        labels: Mapping[str, str] = container.get("Labels") or {}
        if project.files[0] not in _files_of(labels) or labels.get(composelabels.ONEOFF) == "True":
            continue
        id_ = str(container["ImageID"])
        if id_ not in images:
            images[id_] = _image(client, id_)
        found[labels.get(composelabels.SERVICE, "")] = images[id_]
    return found, str(client.version().get("Version", ""))


def _image(client: "APIClient", id_: str) -> dict[str, JsonValue]:
    try:
        image: Mapping[str, Any] = client.inspect_image(id_)
    except OSError as error:  # the library's APIError is one
        if is_gone(error):
            return {"id": id_}
        raise
    labels: Mapping[str, str] = (image.get("Config") or {}).get("Labels") or {}
    return {
        "id": id_,
        "digests": sorted(image.get("RepoDigests") or []),
        "tags": sorted(image.get("RepoTags") or []),
        "version": labels.get(_VERSION, ""),
        "architecture": image.get("Architecture", ""),
    }


def _files_of(labels: Mapping[str, str]) -> Sequence[str]:
    directory = labels.get(composelabels.DIRECTORY, "")
    return [joined(directory, name) for name in labels.get(composelabels.FILES, "").split(",") if name]
