"""Which image digests Compose files name: such an image has no tag on Docker's classic store, and is no rubbish."""

import asyncio
import os.path
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

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
        """The usage with the digests that are named; nothing is read where there is no image that they could save."""
        if not any(image.origin and not image.tags for image in usage.images):
            return usage
        projects = list(dict.fromkeys([*self._configured, *projects_of(usage.containers)]))
        async with self._turn:  # the threads know one call for each project at a time
            found = await asyncio.gather(*(self._read(project) for project in projects))
        return replace(
            usage,
            named_digests=frozenset(digest for digests in found for digest in digests or ()),
            unread_projects=tuple(
                project.files[0] for project, digests in zip(projects, found, strict=True) if digests is None
            ),
        )

    async def _read(self, project: Invocation) -> frozenset[str] | None:
        """None where the project could not be read as a whole."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._threads.run(project, partial(digests_in, project))
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


def digests_in(project: Invocation) -> frozenset[str]:
    """The digests in all files of a project, as 64 digits. Blocks. Raises Unreadable."""
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
    load_project(project, read)
    for path in (*project.files, *project.env_files):  # one with a mistake in it keeps the loader from those after it
        if path not in texts:
            try:
                read(path)
            except Unreadable:
                continue
    if refused:
        raise refused[0]
    return frozenset(found.decode() for data in texts.values() for found in _DIGEST.findall(data))
