"""The Docker engine, and what may be removed from it."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from exporter.configfile.quantities import Bytes, Duration, Ratio
from exporter.configfile.section import Regex, Section, shown
from exporter.inventory.collector import CollectorSettings


def _engine(host: str) -> str:
    if not re.fullmatch(r"unix:///.+|(tcp|http|https)://[^/]+/?", host):
        raise ValueError(f"{shown(host)} must be unix:///path/to/docker.sock or tcp://host:port")
    return host


def _project(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise ValueError(
            f"{shown(name)} must be the name of a Compose project: lower-case letters, digits, _ and -, "
            "first a letter or digit; `docker compose ls` shows it"
        )
    return name


DockerHost = Annotated[str, AfterValidator(_engine)]

ComposeProject = Annotated[str, AfterValidator(_project)]


class CleanupPolicy(Section):
    """What docker-cleanup may remove, and from what age. A limit of 0s means any age."""

    containers_min_age: Duration = Field(default=86400.0, description="since the container stopped")
    images_min_age: Duration = Field(
        default=86400.0, description="since the image without a tag was pulled, built or last tagged"
    )
    tagged_images_min_unused: Duration | None = Field(
        default=None,
        gt=0,
        description="images with a tag go too, which no container has used for so long; null: they all stay",
    )
    keep_last: int = Field(
        default=1,
        ge=0,
        description="so many images of a repository, by when they were built, stay in any case; only with the former",
    )
    networks_min_age: Duration = Field(default=86400.0, description="since the network was made by Compose")
    build_cache_min_age: Duration = Field(default=86400.0, description="since the build cache record was last used")
    build_cache_max_bytes: Bytes | None = Field(
        default=None, description="build cache beyond this goes too, the longest unused first; null: only by age"
    )
    keep_label: str = Field(
        default="upkeeper.keep", min_length=1, description="objects with this label are never touched"
    )


class Docker(Section):
    """The Docker engine."""

    host: DockerHost | None = Field(
        default=None, description="`unix:///...` or `tcp://...`; default: `DOCKER_HOST`, or the local socket"
    )
    projects: list[ComposeProject] = Field(
        default=[], description="Compose projects whose containers are measured one by one; empty: all containers"
    )
    exclude_containers: Regex | None = Field(
        default=None, description="RE2 regular expression of names of containers that are not measured one by one"
    )
    container_log_warn_bytes: Bytes = Field(
        default=Bytes(1024**3), description="size from which the log of a container without `max-size` is a problem"
    )
    container_memory_warn_ratio: Ratio = Field(
        default=0.9, description="share of its memory limit from which a container is close to it"
    )
    container_restarts_max: int = Field(
        default=5, ge=1, description="restarts by Docker that a container may have within 15 minutes"
    )
    cleanable_max_bytes: Bytes = Field(
        default=Bytes(10 * 1024**3), description="space that docker-cleanup could free before it should run"
    )
    cleanup: CleanupPolicy = Field(default=CleanupPolicy(), description="what docker-cleanup may remove")


class DockerUsageSettings(CollectorSettings):
    """When the engine is asked for its disk usage, which costs it seconds of work."""

    interval: Duration = Field(default=60.0, gt=0, description="time between the starts of two collections")
    deadline: Duration = Field(default=55.0, gt=0, description="a collection that takes longer is aborted")
