"""Which images Compose files name: by digest, without a tag on the classic store, or by tag. Neither is rubbish."""

import asyncio
import os.path
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from exporter.base.threads import KeyedThreads, StillStuck
from exporter.docker import composelabels
from exporter.docker.objects import Container, Usage
from exporter.findings.compose import load_project
from exporter.findings.files import TextFile, Unreadable, read_file
from exporter.findings.paths import joined
from exporter.findings.project import Invocation

_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_READ_SECONDS = 10.0


class PinnedDigests:
    """Reads the Compose files of a config, and of the projects that containers belong to.

    Any digest in their text counts, in that of their override and env files too, whatever it stands for. A file
    that does not exist names nothing: a project may have been deployed from within another container. One that is there
    and cannot be read makes its project an unread one.

    compose_files: as ``configuration.compose_files``.
    """

    def __init__(self, compose_files: Sequence[str] = (), seconds: float = _READ_SECONDS) -> None:
        self._configured = [Invocation(tuple(text.split(":"))) for text in compose_files]
        self._seconds = seconds
        self._threads = KeyedThreads()
        self._turn = asyncio.Lock()

    async def add_to(self, usage: Usage) -> Usage:
        """The usage with the images that are named; nothing is read where there is no image that this could save."""
        if not any(image.origin for image in usage.images):
            return usage
        projects = list(dict.fromkeys([*self._configured, *projects_of(usage.containers)]))
        async with self._turn:  # the threads know one call for each project at a time
            found = await asyncio.gather(*(self._read(project) for project in projects))
        return replace(
            usage,
            named_digests=frozenset(digest for named in found if named for digest in named.digests),
            named_images=frozenset(image for named in found if named for image in named.images),
            unread_projects=tuple(
                project.files[0] for project, named in zip(projects, found, strict=True) if named is None
            ),
        )

    async def _read(self, project: Invocation) -> "Named | None":
        """None where the project could not be read as a whole."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._threads.run(project, partial(named_in, project))
        except (TimeoutError, StillStuck, Unreadable):
            return None


def projects_of(containers: Iterable[Container]) -> list[Invocation]:
    """The projects that Compose's labels name. Pure."""
    projects: dict[Invocation, None] = {}
    for container in containers:
        directory = container.labels.get(composelabels.DIRECTORY, "")
        files, env_files = (
            tuple(joined(directory, name) for name in container.labels.get(label, "").split(",") if name)
            for label in (composelabels.FILES, composelabels.ENV_FILES)
        )
        if files and all(path.startswith("/") for path in (*files, *env_files)):
            projects[Invocation(files, env_files)] = None
    return list(projects)


class Named(NamedTuple):
    """What a project names."""

    digests: frozenset[str]
    """In all of its files, as 64 digits."""
    images: frozenset[str]
    """Of its services, whatever their profiles, as ``REPOSITORY:TAG``."""


def with_tag(image: str) -> str:
    """An image's name as the engine lists it: with its tag, without the registry that is meant by none. Pure."""
    name = image.partition("@")[0].removeprefix("docker.io/").removeprefix("library/")
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def named_in(project: Invocation) -> Named:
    """Blocks. Raises Unreadable."""
    texts: dict[str, bytes] = {}

    def read(path: str) -> TextFile:
        try:
            file = read_file(path)
        except Unreadable as error:
            if not error.missing:
                refused.append(error)
            raise
        texts[path] = file.data
        return file

    refused: list[Unreadable] = []
    project = project.with_override(os.path.lexists)
    loaded = load_project(project, read)
    images = [node.text for service in loaded.services.values() if (node := service.at("image")) is not None]
    for path in (*project.files, *project.env_files):  # one with a mistake in it keeps the loader from those after it
        if path not in texts:
            try:
                read(path)
            except Unreadable:
                continue
    if refused:
        raise refused[0]
    digests = frozenset(found.decode() for data in texts.values() for found in _DIGEST.findall(data))
    return Named(digests, frozenset(with_tag(text) for text in images if text))
