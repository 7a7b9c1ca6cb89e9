"""Backups: where they are, how often one is due, and how old and how small the newest may be."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from exporter.base.units import parse_duration
from exporter.configfile.named_files import SecretFile
from exporter.configfile.quantities import Bytes, Duration, Ratio
from exporter.configfile.section import AbsolutePath, Contradiction, Name, Section, shown
from exporter.inventory.collector import CollectorSettings

MANIFEST = "upkeeper-manifest.json"
"""What the backup task writes last into a set: a set that holds it is complete. Its form: docs/how-to/backups.md."""


def _file_name(name: str) -> str:
    if not name or "/" in name or name in (".", ".."):
        raise ValueError(f"{shown(name)} must be the name of a file in the set, without /")
    return name


def _set_names(pattern: str) -> str:
    if not pattern or "/" in pattern:
        raise ValueError(f"{shown(pattern)} must be a pattern of names, without /; sets are directly in `path`")
    return pattern


def _tag(tag: str) -> str:
    if not tag or "," in tag:
        raise ValueError(f"{shown(tag)} must be one tag, without a comma; write several as a list")
    return tag


def _location(repository: str) -> str:
    if re.search(r"//[^/]*@", repository) and not repository.startswith("sftp:"):
        raise ValueError(
            "repository must not contain credentials; write it into a file, and name that in repository_file"
        )
    if not repository or not repository.isprintable():
        raise ValueError("repository must not be empty or contain control characters")
    return repository


class ResticRepository(Section):
    """A restic repository, and which of its snapshots count. Only ever read, and without a lock."""

    repository: Annotated[str, AfterValidator(_location)] | None = Field(
        default=None, description="as restic's `--repo`, for example `/srv/restic` or `s3:https://host/bucket`"
    )
    repository_file: SecretFile | None = Field(
        default=None, description="file that contains it instead, for a location with credentials in it"
    )
    password_file: SecretFile = Field(description="file with the repository's password")
    env_file: SecretFile | None = Field(
        default=None, description="file of `NAME=value` lines for restic's environment: cloud credentials"
    )
    host: str | None = Field(default=None, min_length=1, description="only snapshots of this host")
    tags: list[Annotated[str, AfterValidator(_tag)]] = Field(
        default=[], description="only snapshots that have all of these tags"
    )
    paths: list[AbsolutePath] = Field(default=[], description="only snapshots of all of these paths")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if given.get("repository") is not None and given.get("repository_file") is not None:
            yield Contradiction(("repository_file",), "and repository are mutually exclusive; remove one of them")
        elif given.get("repository") is None and given.get("repository_file") is None:
            yield Contradiction(("repository",), "is missing; or name a file that holds it in repository_file")


class Backup(Section):
    """A series of backups of one thing: dated directories or files beside each other, or a restic repository."""

    name: Name = Field(description="names it in metrics, alerts and commands")
    path: AbsolutePath | None = Field(default=None, description="directory that holds the sets, one entry a set")
    kind: Literal["directories", "files"] | None = Field(
        default=None, description="what a set is; null: directories, or files if no directory matches"
    )
    pattern: Annotated[str, AfterValidator(_set_names)] | None = Field(
        default=None, description="names of sets in `path` (shell pattern), as in `backup-*` or `*.sql.gz`"
    )
    complete_marker: Annotated[str, AfterValidator(_file_name)] | None = Field(
        default=None,
        description="file that your backup writes last into a set; a set without it is not complete",
    )
    settle: Duration = Field(
        default=300.0, description="without such a file, a set that changed within this time is still being written"
    )
    restic: ResticRepository | None = Field(default=None, description="a restic repository, instead of `path`")
    max_age: Duration = Field(
        default=26 * 3600.0, gt=0, description="age of the newest complete set from which the backup is overdue"
    )
    min_bytes: Bytes = Field(default=Bytes(1), description="size that the newest set must have")
    min_size_ratio: Ratio = Field(
        default=0.5, description="size that the newest set must have, relative to the median of the sets before it"
    )
    max_verify_age: Duration | None = Field(
        default=None, gt=0, description="time within which a backup must be verified again; null: never"
    )
    max_restore_test_age: Duration | None = Field(
        default=None, gt=0, description="time within which a restore must be tested again; null: never"
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        has_path, restic = given.get("path") is not None, given.get("restic") is not None
        if has_path and restic:
            yield Contradiction(("restic",), "and path are mutually exclusive; make two backups of them")
        elif not has_path and not restic:
            yield Contradiction(("path",), "is missing; or describe a repository in restic")
        elif has_path and not restic and given.get("pattern") is None:  # "*" would take a log next to the sets for one
            yield Contradiction(("pattern",), "is missing; say how sets are named, as in backup-* or *.sql.gz")
        for key in _OF_DIRECTORIES if restic else ():
            if key in given and not _same(given[key], cls.model_fields[key].default):
                yield Contradiction((key,), "has no effect for a restic repository; remove it")
        if given.get("kind") == "files" and given.get("complete_marker") is not None:
            yield Contradiction(("complete_marker",), "is a file in a directory, which does not exist with kind: files")


_OF_DIRECTORIES = ("kind", "pattern", "complete_marker", "settle")


def _same(given: object, default: object) -> bool:
    """Whether a key says no more than its default does; a duration may be written in several ways."""
    if isinstance(default, float):
        with suppress(ValueError):
            return parse_duration(given) == default
    return given == default


class BackupsSettings(CollectorSettings):
    """When backups are looked at: directories in each collection, restic repositories more rarely."""

    interval: Duration = Field(default=60.0, gt=0, description="time between the starts of two collections")
    deadline: Duration = Field(default=30.0, gt=0, description="a directory that takes longer is abandoned")
    restic_interval: Duration = Field(default=300.0, gt=0, description="time between two reads of a repository")
    restic_deadline: Duration = Field(default=120.0, gt=0, description="a restic that takes longer is killed")
