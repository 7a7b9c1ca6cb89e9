"""The configuration of the stack itself: which files are looked at, and which findings are accepted."""

import os.path
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from exporter.configfile.quantities import Duration
from exporter.configfile.section import AbsolutePath, Contradiction, Regex, Section, shown
from exporter.inventory.checks import CheckName
from exporter.inventory.collector import CollectorSettings


def _compose_files(text: str) -> str:
    for path in text.split(":"):
        if not path.startswith("/") or "\0" in path:
            raise ValueError(f"{shown(text)} must be an absolute path, or several with colons as in COMPOSE_FILE")
    return text


ComposeFiles = Annotated[
    str, AfterValidator(_compose_files), WithJsonSchema({"type": "string", "pattern": "^/[^:]*(:/[^:]*)*$"})
]
"""The files of one Compose project: ``/srv/pa/compose.yaml``, or several with colons."""


class ComposeProject(Section):
    """A Compose project that is started with further options of ``docker compose``."""

    files: list[AbsolutePath] = Field(min_length=1, description="as with `-f`; later ones override earlier ones")
    env_files: list[AbsolutePath] = Field(
        default=[], description="as with `--env-file`; later ones win. Default: `.env` in the project's directory"
    )
    project_directory: AbsolutePath | None = Field(
        default=None, description="as with `--project-directory`; default: the directory of the first file"
    )


class Accepted(Section):
    """Findings that are known and intended. They are counted separately, and no alert fires on them."""

    check: CheckName = Field(description="the check that finds it")
    subject: str = Field(
        default="*",
        min_length=1,
        description="shell pattern of its subject: a service, a variable, a file, or a `file:line`",
    )
    reason: str = Field(min_length=3, description="why it is acceptable, for whoever reads it next year")


class Configuration(Section):
    """Files of the stack that are checked for mistakes. If no project is named, those of running containers are."""

    compose_files: list[ComposeFiles] = Field(
        default=[],
        description="Compose files, each a project with the `.env` beside it; several of one separated by colons",
    )
    compose_projects: list[ComposeProject] = Field(
        default=[], description="projects that are started with `--env-file` or `--project-directory`"
    )
    env_files: list[AbsolutePath] = Field(default=[], description="further `.env` files (shell patterns)")
    files: list[AbsolutePath] = Field(
        default=[], description="other configs and scripts, checked for placeholders and modes (shell patterns)"
    )
    secret_files: list[AbsolutePath] = Field(
        default=[], description="keys and tokens that only their owner may read (shell patterns); they are never opened"
    )
    prometheus_configs: list[AbsolutePath] = Field(default=[], description="checked by `promtool check config`")
    prometheus_rules: list[AbsolutePath] = Field(
        default=[], description="checked by `promtool check rules` (shell patterns)"
    )
    alertmanager_configs: list[AbsolutePath] = Field(default=[], description="checked by `amtool check-config`")
    placeholder_patterns: list[Regex] = Field(
        default=[
            "(?i)(^|[^a-z])change[_ -]?(me|it|this|password|passwd|secret|now)([^a-z]|$)",
            "(?i)please[_ -]?(change|replace|update)",
            "(?i)should[_ -]be[_ -](changed|replaced|updated)",
            "(?i)(^|[^a-z])replace[_-](me|this|with)([^a-z]|$)",
            "(?i)(^|[^a-z])your[_-]?([a-z0-9]+[_-])*(here|key|token|password|secret)([^a-z]|$)",
            "(?i)(^|[^a-z])your[_-]?(domain|hostname|company|email)([^a-z]|$)",
            "(?i)<(your|insert|enter|change|replace)[^<>]*>",
            "(?i)(^|[^a-z])(insert|enter)[_-](your|a)[_-]",
            "(?i)(^|[^a-z0-9])x{8,}([^a-z0-9]|$)",
        ],
        description="RE2 regular expressions of values that should have been changed",
    )
    ignore: list[Accepted] = Field(default=[], description="findings that are accepted")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        projects = given.get("compose_files")
        named = given.get("compose_projects")
        begins = [
            *((("compose_files", index), _begin(text)) for index, text in enumerate(_list(projects))),
            *((("compose_projects", index), _begin(_first(each))) for index, each in enumerate(_list(named))),
        ]
        seen: set[str] = set()
        for at, first in begins:
            if first and first in seen:
                yield Contradiction(at, f"{shown(first)} is the first file of two projects; keep one of them")
            seen.add(first)


def _list(given: object) -> list[Any]:
    return given if isinstance(given, list) else []


def _first(project: object) -> object:
    """The first file of a project that is not validated yet."""
    files = project.get("files") if isinstance(project, Mapping) else getattr(project, "files", None)
    return next(iter(_list(files)), None)


def _begin(text: object) -> str:
    return os.path.normpath(text.partition(":")[0]) if isinstance(text, str) else ""


class FindingsSettings(CollectorSettings):
    """When the configuration is looked at: seldom, since it changes when a person changes it."""

    interval: Duration = Field(default=300.0, gt=0, description="time between the starts of two collections")
    deadline: Duration = Field(default=60.0, gt=0, description="a collection that takes longer is aborted")
