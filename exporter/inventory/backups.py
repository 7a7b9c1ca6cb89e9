"""Backups: where they are, how often one is due, and how old and how small the newest may be."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from exporter.base.units import parse_duration
from exporter.configfile.named_files import PublicFile, SecretFile
from exporter.configfile.quantities import Bytes, Duration, Ratio
from exporter.configfile.section import AbsolutePath, Contradiction, Name, Section, names_of, repeated_names, shown
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.drills import Drill
from exporter.inventory.identifier import Identifier
from exporter.inventory.neo4j import DatabaseName

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


class ResticAccess(Section):
    """Where a restic repository is, and what opens it."""

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

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if given.get("repository") is not None and given.get("repository_file") is not None:
            yield Contradiction(("repository_file",), "and repository are mutually exclusive; remove one of them")
        elif given.get("repository") is None and given.get("repository_file") is None:
            yield Contradiction(("repository",), "is missing; or name a file that holds it in repository_file")


class ResticRepository(ResticAccess):
    """A restic repository, and which of its snapshots count. Only read, without a lock, unless with `make:`."""

    host: str | None = Field(default=None, min_length=1, description="only snapshots of this host")
    tags: list[Annotated[str, AfterValidator(_tag)]] = Field(
        default=[], description="only snapshots that have all of these tags"
    )
    paths: list[AbsolutePath] = Field(default=[], description="only snapshots of all of these paths")


DESTINATION = "restic"
"""The name of a destination that has none."""


class CopyTo(Section):
    """Where each set of a series is copied to once it is made."""

    name: Name = Field(default=DESTINATION, description="names it in metrics and in the record")
    restic: ResticAccess = Field(description="a restic repository, which must be there: `restic init` makes it")
    max_age: Duration | None = Field(
        default=None,
        gt=0,
        description="age that the newest set may have which was copied; null: that of the series, `max_age`",
    )


def _argument(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("an argument must not be empty or contain a NUL byte")
    return text


def _below(path: str) -> str:
    if not path or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{shown(path)} must be a path below the volume, without . or ..")
    return path


class SqliteSource(Section):
    """A SQLite database, copied through SQLite itself, so that programs may go on writing to it."""

    name: Name = Field(description="names it in the set")
    path: AbsolutePath | None = Field(default=None, description="the database's file on this machine")
    volume: Name | None = Field(default=None, description="or the Docker volume that it is in; needs file")
    file: Annotated[str, AfterValidator(_below)] | None = Field(
        default=None, description="its path in the volume, as in `database.sqlite`"
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        path, volume, file = (given.get(key) for key in ("path", "volume", "file"))
        if path is not None and volume is not None:
            yield Contradiction(("volume",), "and path are mutually exclusive; remove one of them")
        elif path is None and volume is None:
            yield Contradiction(("path",), "is missing; or name a volume and the file in it")
        if (volume is None) != (file is None):
            yield Contradiction(("volume",) if volume is None else ("file",), "is missing: a file is in a volume")


class VolumeSource(Section):
    """A Docker volume of this machine, and which containers stand still while it is read."""

    name: Name = Field(description="its name, as `docker volume ls` shows it")
    stop: list[Name] = Field(default=[], description="containers to stop meanwhile; those that ran are started again")
    pause: list[Name] = Field(default=[], description="containers to pause meanwhile, by name")


class PostgresSource(Section):
    """A server of the section `postgres:`, of which each database is dumped, with roles and other globals."""

    server: Name = Field(description="its name in `postgres:`")
    databases: list[Identifier] = Field(
        default=[], description="databases to dump; empty: all that are not templates and allow connections"
    )
    container: Name | None = Field(
        default=None,
        description="the container that serves it, whose image's `pg_dump` is used if none here is as new as the "
        "server; null: the one that is found at the server's address",
    )
    exclude_tables: list[Annotated[str, AfterValidator(_argument)]] = Field(
        default=[], description="tables whose rows are left out, as patterns of `pg_dump --exclude-table-data`"
    )


class Encrypt(Section):
    """Encryption of what is in a set, with age. The manifest stays plain: names, counts and checksums."""

    age_recipients_file: PublicFile = Field(
        description="file of the public keys for whom it is encrypted, as of `age --recipients-file`"
    )
    age_identity_file: SecretFile | None = Field(
        default=None,
        description="file of a private key, so that `readable` can be proven here; null: only checksums can",
    )


class Neo4jDump(Section):
    """The container of a Neo4j server, which is stopped, dumped by its image and started again."""

    container: Name = Field(description="its name; its data must be in a volume of this machine")
    ask: bool = Field(
        default=True, description="whether a person must approve each backup with it that nobody has asked for by hand"
    )


def _container_alone(given: object) -> object:
    return {"container": given} if isinstance(given, str) else given


_DumpOrContainer = Annotated[Neo4jDump, BeforeValidator(_container_alone, json_schema_input_type=str | Neo4jDump)]


class Neo4jSource(Section):
    """A server of the section `neo4j:`, whose databases are exported while it runs, or dumped while it does not."""

    server: Name = Field(description="its name in `neo4j:`")
    databases: list[DatabaseName] = Field(default=[], description="databases to export; empty: all but `system`")
    stop: list[Name] = Field(
        default=[], description="containers that write to it, to stop meanwhile; those that ran are started again"
    )
    pause: list[Name] = Field(default=[], description="containers that write to it, to pause meanwhile, by name")
    scratch: Name | None = Field(
        default=None,
        description="another server of `neo4j:`, whose empty database is filled to prove `restored`, and emptied again",
    )
    dump: _DumpOrContainer | None = Field(
        default=None,
        description="the container that serves it: stopped, dumped and started again; null: exported while it runs",
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if given.get("scratch") is not None and given.get("scratch") == given.get("server"):
            yield Contradiction(("scratch",), "is the server itself; name another one, that holds nothing")
        if given.get("scratch") is not None and given.get("dump") is not None:
            yield Contradiction(("scratch",), "has no effect with dump, which is loaded into a container")


def _name_alone(given: object) -> object:
    return {"name": given} if isinstance(given, str) else given


_NameOrMore = Annotated[VolumeSource, BeforeValidator(_name_alone, json_schema_input_type=str | VolumeSource)]


def _server_alone(given: object) -> object:
    return {"server": given} if isinstance(given, str) else given


_ServerOrMore = Annotated[PostgresSource, BeforeValidator(_server_alone, json_schema_input_type=str | PostgresSource)]
_Neo4jOrMore = Annotated[Neo4jSource, BeforeValidator(_server_alone, json_schema_input_type=str | Neo4jSource)]


def _command(arguments: list[str]) -> list[str]:
    if not arguments:
        raise ValueError("a command must not be empty")
    if not arguments[0].startswith("/"):
        raise ValueError(f"{shown(arguments[0])} must be the absolute path of a program: no shell looks for it")
    return arguments


_Command = Annotated[list[Annotated[str, AfterValidator(_argument)]], AfterValidator(_command)]
_NO_SOURCES = frozenset({"before", "after", "command_timeout", "encrypt"})


class Make(Section):
    """What the task `backup` puts into a set of this series."""

    files: list[AbsolutePath] = Field(
        default=[], description="files and directories on this machine, with owners, modes and times"
    )
    compose: AbsolutePath | None = Field(
        default=None,
        description="a Compose file: the files of its project go with `files`, with `.env`, and its images are noted",
    )
    sqlite: list[SqliteSource] = Field(default=[], description="SQLite databases, copied while they are written to")
    volumes: list[_NameOrMore] = Field(
        default=[], description="Docker volumes of this machine: a name, or a section for more; needs root"
    )
    postgres: list[_ServerOrMore] = Field(
        default=[], description="PostgreSQL servers: a name from `postgres:`, or a section for more"
    )
    neo4j: list[_Neo4jOrMore] = Field(
        default=[], description="Neo4j servers, exported while they run: a name from `neo4j:`, or a section for more"
    )
    before: list[_Command] = Field(
        default=[], description="commands to run first, each a list of arguments; one that fails stops the backup"
    )
    after: list[_Command] = Field(
        default=[], description="commands to run once all is copied, and whenever the backup failed or was cancelled"
    )
    command_timeout: Duration = Field(
        default=600.0, gt=0, description="a command of `before` or `after` that takes longer is ended, and has failed"
    )
    encrypt: Encrypt | None = Field(default=None, description="encryption of all files of a set but the manifest")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from repeated_names("sqlite", given.get("sqlite"))
        volumes = given.get("volumes")
        named = [_name_alone(each) for each in volumes] if isinstance(volumes, list) else []
        yield from repeated_names("volumes", named)
        for key in _KINDS_OF_SERVERS:
            servers = _servers(given, key)
            for index, name in enumerate(servers):
                if name is not None and name in servers[:index]:
                    yield Contradiction((key, index), f"{shown(name)} is there twice; name its databases together")
        if not any(value for key, value in given.items() if key not in _NO_SOURCES):
            yield Contradiction((), "names nothing to back up")


class Keep(Section):
    """Which sets are kept: those that any of these rules keeps."""

    within: Duration | None = Field(default=None, gt=0, description="all that are not older than this")
    last: int = Field(default=0, ge=0, description="so many of the newest")
    daily: int = Field(default=0, ge=0, description="the newest of a day, for so many days that have one")
    weekly: int = Field(default=0, ge=0, description="the newest of a week, for so many weeks that have one")
    monthly: int = Field(default=0, ge=0, description="the newest of a month, for so many months that have one")
    yearly: int = Field(default=0, ge=0, description="the newest of a year, for so many years that have one")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if not any(given.values()):
            yield Contradiction((), "keeps nothing; say at least `last: 1`")


_Age = Annotated[Duration, Field(gt=0)]


class ProvenAge(Section):
    """Age that the newest set may have of which each of these was shown; null: any."""

    checksums: _Age | None = Field(default=None, description="its files are those that were written")
    readable: _Age | None = Field(default=None, description="it was read to its end")
    restored: _Age | None = Field(default=None, description="it was restored into scratch and compared")
    drilled: _Age | None = Field(default=None, description="its applications have worked with it")

    def limits(self) -> dict[str, float]:
        """Seconds by proof."""
        return {proof: age for proof, age in self if age is not None}


def _readable_alone(given: object) -> object:
    return given if given is None or isinstance(given, Mapping | ProvenAge) else {"readable": given}


_ProvenAgeOrOne = Annotated[ProvenAge, BeforeValidator(_readable_alone, json_schema_input_type=str | ProvenAge)]


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
    max_restore_time: Duration | None = Field(
        default=None, gt=0, description="time that a drill may take until all works with the data (RTO); null: any"
    )
    max_restore_data_age: Duration | None = Field(
        default=None, gt=0, description="age that the data of the drilled set may have then (RPO); null: any"
    )
    max_proven_age: _ProvenAgeOrOne | None = Field(
        default=None,
        description="age that the newest set may have which was read to its end, or a section for other proofs; "
        "null: any",
    )
    scratch: AbsolutePath | None = Field(
        default=None, description="directory in which sets are restored to prove them; null: the system's temporary one"
    )
    make: Make | None = Field(default=None, description="what a set consists of, if Upkeeper is to make the sets")
    copy_to: list[CopyTo] = Field(
        default=[], description="where each set that was made is copied to; what is there is never deleted by Upkeeper"
    )
    keep: Keep | None = Field(default=None, description="which sets are kept; null: nothing is ever deleted")
    drill: Drill | None = Field(default=None, description="what is started on a restored set; null: nothing is")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        has_path, restic = given.get("path") is not None, given.get("restic") is not None
        if has_path and restic:
            yield Contradiction(("restic",), "and path are mutually exclusive; make two backups of them")
        elif not has_path and not restic:
            yield Contradiction(("path",), "is missing; or describe a repository in restic")
        elif has_path and not restic and given.get("pattern") is None:  # "*" would take a log next to the sets for one
            yield Contradiction(("pattern",), "is missing; say how sets are named, as in backup-* or *.sql.gz")
        if given.get("make") is not None:
            yield from cls._cannot_be_made(given)
        elif given.get("copy_to"):
            yield Contradiction(("copy_to",), "is about sets that Upkeeper makes: this series has no make:")
        yield from repeated_names("copy_to", given.get("copy_to"), DESTINATION)
        for key in _OF_DIRECTORIES if restic else ():
            if key == "pattern" and given.get("make") is not None:
                continue  # of the names of the sets
            if key in given and not _same(given[key], cls.model_fields[key].default):
                yield Contradiction((key,), "has no effect for a restic repository; remove it")
        if given.get("kind") == "files" and given.get("complete_marker") is not None:
            yield Contradiction(("complete_marker",), "is a file in a directory, which does not exist with kind: files")

    @classmethod
    def _cannot_be_made(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        pattern = given.get("pattern")
        if given.get("path") is None and given.get("restic") is None:
            yield Contradiction(("make",), "needs a path, where its sets are written to, or a repository in restic")
        if given.get("restic") is not None:
            yield from cls._cannot_be_streamed(given)
        if isinstance(pattern, str) and (pattern.count("*") != 1 or any(mark in pattern for mark in "?[")):
            yield Contradiction(("pattern",), "must have one * and nothing else to match with make: a time replaces it")
        elif isinstance(pattern, str) and pattern.startswith("."):
            yield Contradiction(("pattern",), "begins with a dot: such sets are not looked at")
        if given.get("kind") == "files":
            yield Contradiction(("kind",), "must be directories with make:")
        if given.get("complete_marker") not in (None, MANIFEST):
            yield Contradiction(("complete_marker",), f"is {MANIFEST} with make:; remove this key")

    @classmethod
    def _cannot_be_streamed(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Into a restic repository."""
        restic, make = given.get("restic"), given.get("make")
        if given.get("copy_to"):
            yield Contradiction(("copy_to",), "copies directories: the sets of this series are in a repository already")
        if isinstance(make, Mapping) and make.get("encrypt") is not None:
            yield Contradiction(("make", "encrypt"), "has no effect: a restic repository is encrypted; remove it")
        if given.get("keep") is not None:
            yield Contradiction(("keep",), "has no effect: Upkeeper deletes nothing in a restic repository; remove it")
        for key in ("host", "tags", "paths"):
            if isinstance(restic, Mapping) and restic.get(key):
                yield Contradiction(("restic", key), "is Upkeeper's own where it makes the sets; remove it")
        if isinstance(given.get("pattern"), str) and "," in given["pattern"]:
            yield Contradiction(("pattern",), "must have no comma, which parts tags")


_KINDS_OF_SERVERS = ("postgres", "neo4j")
"""Sections of servers, and keys of `make:` that name some of theirs."""


def _servers(make: Mapping[str, Any], kind: str) -> list[object]:
    """The names of the servers of a section `make` that is not validated yet."""
    found = make.get(kind)
    items = found if isinstance(found, list) else []
    return [item.get("server") if isinstance(item, Mapping) else getattr(item, "server", item) for item in items]


def unknown_servers(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    """What `make:` names of `postgres:` or `neo4j:` and is not there, of a config that is not validated."""
    backups = given.get("backups")
    for index, backup in enumerate(backups if isinstance(backups, list) else []):
        make = backup.get("make") if isinstance(backup, Mapping) else None
        if not isinstance(make, Mapping):
            continue
        for kind in _KINDS_OF_SERVERS:
            known = names_of(given.get(kind))
            for at, name in enumerate(_servers(make, kind)):
                if isinstance(name, str) and name not in known:
                    yield Contradiction(
                        ("backups", index, "make", kind, at), f"{shown(name)} is no server of `{kind}:`"
                    )
        yield from _unknown_scratch(index, make, names_of(given.get("neo4j")))


def _unknown_scratch(index: int, make: Mapping[str, Any], known: list[str | None]) -> Iterator[Contradiction]:
    sources = make.get("neo4j")
    for at, source in enumerate(sources if isinstance(sources, list) else []):
        name = source.get("scratch") if isinstance(source, Mapping) else None
        if isinstance(name, str) and name not in known:
            where = ("backups", index, "make", "neo4j", at, "scratch")
            yield Contradiction(where, f"{shown(name)} is no server of `neo4j:`")


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
