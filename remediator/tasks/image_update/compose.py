"""Docker Compose, the one that made a project: asked what its files say, and told to make one service anew."""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from exporter.base import programs
from exporter.base.units import format_duration
from exporter.findings.project import Invocation
from remediator.model.task import TaskError
from remediator.tasks.image_update.services import Member

_LOOK_SECONDS = 60.0
_UP_SECONDS = 600.0
_PASSED_ON = ("DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "COMPOSE_ENV_FILES", "XDG_RUNTIME_DIR")
_CHANGES = re.compile(r"\b(?:Recreate|Create|Creating|Recreating)\b")
_CONFIG_HASH = "com.docker.compose.config-hash"
_CANDIDATES = (("docker", "compose"), ("docker-compose",))


@dataclass(frozen=True, slots=True)
class Written:
    """What the user's own files say of a service."""

    image: str
    built: bool
    count: int = 1
    """How many containers it is to have (``scale``, ``deploy.replicas``)."""


@dataclass(frozen=True)
class Compose:
    """A program of Compose. old: whether it is Compose 1. host: the engine, as DOCKER_HOST names it."""

    command: Sequence[str]
    old: bool
    host: str

    async def written(self, project: str, files: Invocation) -> Mapping[str, Written]:
        """What the files say of each service, after variables, extensions and overrides. Raises TaskError."""
        wide = [] if self.old else ["--profile", "*"]
        done = await self._run(project, files, [*wide], ["config"], _LOOK_SECONDS)
        try:
            document = yaml.load(done.output, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
            services: Mapping[str, Any] = document["services"]
            return {
                str(name): Written(str(its.get("image") or ""), its.get("build") is not None, _count(its))
                for name, its in services.items()
            }
        except (yaml.YAMLError, KeyError, TypeError, AttributeError):
            raise TaskError(f"Compose tells nothing of {project} that is understood") from None

    async def changes(self, members: Sequence[Member], files: Invocation, scales: Mapping[str, int]) -> str:
        """What Compose would change of these containers with these files as they are now, in words; empty for nothing.

        They are what they were made with. Compose 2 and newer tell by a dry run, Compose 1 by the hash of a service.
        scales: as for ``up``.
        """
        services = list(dict.fromkeys(each.service for each in members))
        if not self.old:
            done = await self._run(
                members[0].project,
                files,
                ["--dry-run"],
                [*_UP, "--pull", "never", *_scaled(scales), *services],
                _LOOK_SECONDS,
            )
            lines = f"{done.output}\n{done.errors}".splitlines()
            changed = [line for line in lines if _CHANGES.search(line)]
            return f"{_words(changed[0])}" if changed else ""
        asked = f"--hash={','.join(services)}"
        done = await self._run(members[0].project, files, [], ["config", asked], _LOOK_SECONDS)
        hashes = dict(line.split(None, 1) for line in done.output.splitlines() if " " in line.strip())
        for each in members:
            if hashes.get(each.service, "").strip() != each.labels.get(_CONFIG_HASH, ""):
                return f"{each.service} would be made anew"
        return ""

    async def up(
        self, project: str, files: Invocation, service: str, sharers: Sequence[str], scales: Mapping[str, int]
    ) -> None:
        """Makes one service anew where it differs, and those that share its network with it. Nothing is pulled.

        scales: how many containers services have of which the files say another number, as after `up --scale`.
        Compose 1 would call these up to date, stranded as they are: see ``recreate``. Raises TaskError with Compose's
        own last word.
        """
        both = [service] if self.old else ["--pull", "never", service, *sharers]
        await self._run(project, files, [], [*_UP, *_scaled(scales), *both], _UP_SECONDS)

    async def recreate(
        self, project: str, files: Invocation, services: Sequence[str], scales: Mapping[str, int]
    ) -> None:
        """Makes these anew, whether they differ or not. Nothing is pulled. Raises TaskError."""
        never = [] if self.old else ["--pull", "never"]
        await self._run(
            project, files, [], [*_UP, *_scaled(scales), *never, "--force-recreate", *services], _UP_SECONDS
        )

    async def _run(
        self, project: str, files: Invocation, options: Sequence[str], command: Sequence[str], seconds: float
    ) -> programs.Finished:
        whole = [*self.command, *options, "-p", project, *files.options, *command]
        environment = {"DOCKER_HOST": self.host}
        try:
            async with asyncio.timeout(seconds):
                done = await programs.run(whole, environment=environment, passed_on=_PASSED_ON, polite=False)
        except TimeoutError:
            raise TaskError(f"Compose did not end within {format_duration(seconds)} ({command[0]})") from None
        except OSError as error:
            raise TaskError(f"cannot run {self.command[0]}: {error.strerror or error}") from error
        if done.status != 0:
            raise TaskError(f"Compose says of {project}: {_last(done)}")
        return done


_UP = ("up", "-d", "--no-deps", "--no-build")


def _scaled(scales: Mapping[str, int]) -> list[str]:
    return [f"--scale={service}={count}" for service, count in sorted(scales.items())]


def _count(its: Mapping[str, Any]) -> int:
    """How many containers a service is to have. Compose 2 lets ``scale`` and ``deploy.replicas`` not differ."""
    said = its.get("scale", (its.get("deploy") or {}).get("replicas"))
    return said if isinstance(said, int) else 1


def base_files(invocation: Invocation, ours: Path) -> Invocation:
    """The user's own files, without ours."""
    files = tuple(each for each in invocation.files if each != os.fspath(ours))
    return Invocation(files, invocation.env_files, invocation.project_directory)


def with_file(invocation: Invocation, ours: Path) -> Invocation:
    """The user's files, and ours after them."""
    return Invocation((*invocation.files, os.fspath(ours)), invocation.env_files, invocation.project_directory)


def version_of(invocation: Invocation) -> str:
    """``version:`` of the first file, which Compose 1 wants in ours too. Blocks."""
    try:
        document = yaml.safe_load(Path(invocation.files[0]).read_text())
        return str(document.get("version") or "")
    except (OSError, ValueError, yaml.YAMLError, AttributeError):
        return ""


def missing(invocation: Invocation) -> str:
    """The first of its files that is not on this machine; empty for none. Blocks."""
    return next((path for path in (*invocation.files, *invocation.env_files) if not os.path.lexists(path)), "")


class Composes:
    """Finds the program for a project. command: as the config says. host: the engine, as DOCKER_HOST names it."""

    def __init__(self, command: Sequence[str] | None, host: str) -> None:
        self._candidates = [tuple(command)] if command else list(_CANDIDATES)
        self._host = host
        self._found: list[Compose] | None = None

    async def for_project(self, member: Member) -> Compose:
        """One of the generation that made it. Raises TaskError."""
        if self._found is None:
            self._found = [one for each in self._candidates if (one := await self._try(each)) is not None]
        if not self._found:
            names = ", ".join(" ".join(each) for each in self._candidates)
            raise TaskError(f"no Docker Compose was found ({names}); `images: {{compose: [...]}}` names another")
        for one in self._found:
            if one.old == member.old_compose:
                return one
        made = "Compose 1" if member.old_compose else "Compose 2 or newer"
        raise TaskError(
            f"{member.project} was made by {made}, and only another generation is here, which would make more anew "
            f"than one service: run `{' '.join(self._found[0].command)} up -d` once yourself"
        )

    async def _try(self, command: Sequence[str]) -> Compose | None:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                done = await programs.run([*command, "version", "--short"], passed_on=_PASSED_ON, polite=False)
        except (OSError, TimeoutError, programs.CommandFailed):
            return None
        return Compose(command, done.output.startswith("1."), self._host) if done.status == 0 else None


def _last(done: programs.Finished) -> str:
    lines = [line for line in done.errors.splitlines() if line.strip() and "level=warning" not in line]
    return _words(lines[-1]) if lines else done.complaint


def _words(line: str) -> str:
    return " ".join(line.replace("DRY-RUN MODE -", "").split())[:300]


_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")
_SERVICE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")


def is_project(name: str) -> bool:
    """Whether Compose allows it as the name of a project. Pure, as is the next."""
    return _PROJECT.fullmatch(name) is not None


def is_service(name: str) -> bool:
    """Whether Compose allows it as the name of a service, and it begins with a letter or digit."""
    return _SERVICE.fullmatch(name) is not None
