"""The Docker engine, and what may be removed from it."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from exporter.section import Section, shown
from exporter.settings.collector import CollectorSettings
from exporter.units import Bytes, Duration


def _engine(host: str) -> str:
    if not re.fullmatch(r"unix:///.+|(tcp|http|https)://[^/]+/?", host):
        raise ValueError(f"{shown(host)} must be unix:///path/to/docker.sock or tcp://host:port")
    return host


DockerHost = Annotated[str, AfterValidator(_engine)]


class DockerCleanup(Section):
    """What docker-cleanup may remove, and from what age. A limit of 0s means any age."""

    containers_min_age: Duration = Field(default=86400.0, description="since the container stopped")
    images_min_age: Duration = Field(default=86400.0, description="since the dangling image was pulled or built")
    networks_min_age: Duration = Field(default=86400.0, description="since the network was made")
    build_cache_min_age: Duration = Field(default=86400.0, description="since the build cache record was last used")
    keep_label: str = Field(
        default="upkeeper.keep", min_length=1, description="objects with this label are never touched"
    )


class Docker(Section):
    """The Docker engine."""

    host: DockerHost | None = Field(
        default=None, description="`unix:///...` or `tcp://...`; default: `DOCKER_HOST`, or the local socket"
    )
    cleanable_max_bytes: Bytes = Field(
        default=Bytes(10 * 1024**3), description="space that docker-cleanup could free before it should run"
    )
    cleanup: DockerCleanup = Field(default=DockerCleanup(), description="what docker-cleanup may remove")


class DockerUsageSettings(CollectorSettings):
    """When the engine is asked for its disk usage, which costs it seconds of work."""

    interval: Duration = Field(default=60.0, gt=0, description="time between the starts of two collections")
    deadline: Duration = Field(default=55.0, gt=0, description="a collection that takes longer is given up")
