"""The inventory: what is looked after, with its limits. The one schema of those sections of ``upkeeper.yml``.

Each limit here is exported as a metric beside the value it limits, so that rules compare the two
and a threshold is changed in one place only.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, WithJsonSchema

from exporter.section import (
    AbsolutePath,
    Contradiction,
    Name,
    Regex,
    Section,
    names_of,
    repeated_names,
    shown,
    split_url,
)
from exporter.section import regex_search as regex_search
from exporter.units import Bytes, Duration, Ratio


def _probeable(url: str) -> str:
    parts = split_url(url, "http", "https", "tcp")
    if parts.scheme == "tcp" and parts.port is None:
        raise ValueError(f"{shown(url)} must end in a port, as in tcp://127.0.0.1:5432")
    return url


ProbeUrl = Annotated[str, AfterValidator(_probeable), WithJsonSchema({"type": "string", "pattern": "^(https?|tcp)://"})]
"""``http://``, ``https://`` or ``tcp://host:port``."""

_HTTP_ONLY = {"method", "headers", "expect_status", "body_regex", "follow_redirects", "tls_verify"}


def _header_name(text: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", text):  # a token of RFC 9110
        raise ValueError(f"{shown(text)} must be the name of an HTTP header, as in X-Api-Key")
    return text


def _header_value(text: str) -> str:
    if not re.fullmatch(r"[\t -~]*", text):
        raise ValueError(f"{shown(text)} must be one line of ASCII, as HTTP headers are")
    return text


def _file_names(pattern: str) -> str:
    if not pattern or "/" in pattern:
        raise ValueError(
            f"{shown(pattern)} must be a pattern of names, without /; for directories there is `recursive:`"
        )
    return pattern


def _engine(host: str) -> str:
    if not re.fullmatch(r"unix:///.+|(tcp|http|https)://[^/]+/?", host):
        raise ValueError(f"{shown(host)} must be unix:///path/to/docker.sock or tcp://host:port")
    return host


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
FileNames = Annotated[str, AfterValidator(_file_names)]
DockerHost = Annotated[str, AfterValidator(_engine)]


class Probe(Section):
    """One check of a service. It succeeds when the answer is the expected one and comes in time."""

    name: Name = Field(default="live", description="tells the probes of a service apart, as in live and ready")
    url: ProbeUrl = Field(description="`http://...`, `https://...`, or `tcp://host:port` (a connection must open)")
    method: Literal["GET", "HEAD", "POST"] = Field(default="GET", description="HTTP method")
    headers: dict[HeaderName, HeaderValue] = Field(
        default={}, description="HTTP headers to send; write credentials as `${NAME}`"
    )
    expect_status: list[Annotated[int, Field(ge=100, le=599)]] = Field(
        default=[200], min_length=1, description="HTTP statuses that are well"
    )
    body_regex: Regex | None = Field(default=None, description="RE2 regular expression that the body must contain")
    follow_redirects: bool = Field(default=False, description="judge the page that a redirect leads to")
    tls_verify: bool = Field(default=True, description="an untrusted or expired certificate is a failure")
    timeout: Duration = Field(default=5.0, gt=0, description="time for the whole probe")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if str(given.get("url")).startswith("tcp://"):
            for key in _HTTP_ONLY & given.keys():
                if given[key] != cls.model_fields[key].default:
                    yield Contradiction((key,), "means nothing for a tcp:// probe; remove it, or probe over http")
        elif given.get("method") == "HEAD" and given.get("body_regex") is not None:
            yield Contradiction(("body_regex",), "the answer to HEAD has no body; use GET, or remove this key")


class Service(Section):
    """A service with its probes, and the container that serves it."""

    name: Name = Field(description="names it in metrics, alerts and commands")
    probes: list[Probe] = Field(min_length=1, description="its checks; one that fails makes the service fail")
    container: str | None = Field(
        default=None, min_length=1, description="container that service-restart restarts when a probe fails"
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from repeated_names("probes", given.get("probes"), unnamed="live")


class FilesystemLimit(Section):
    """Limits of one mount point, in place of the general ones."""

    mountpoint: AbsolutePath = Field(description="where it is mounted")
    warn_used_ratio: Ratio | None = Field(default=None, description="as above; the general one when absent")
    critical_used_ratio: Ratio | None = Field(default=None, description="as above; the general one when absent")


class Filesystems(Section):
    """Which file systems are measured, and how full they may be."""

    warn_used_ratio: Ratio = Field(default=0.8, description="used part from which a warning is due")
    critical_used_ratio: Ratio = Field(default=0.9, description="used part from which it is critical")
    exclude_fstypes: list[str] = Field(
        default=[
            "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs",
            "efivarfs", "fusectl", "hugetlbfs", "iso9660", "mqueue", "nsfs", "overlay", "proc", "pstore",
            "rpc_pipefs", "securityfs", "selinuxfs", "squashfs", "sysfs", "tracefs", "tmpfs", "ramfs",
        ],
        description="types of file system to leave out: those that hold no data, or cannot fill up",
    )  # fmt: skip
    exclude_mountpoints: Regex = Field(
        default=r"^/(dev|proc|sys|run/credentials/.+|run/user/.+|var/lib/docker/.+|var/lib/containers/.+)($|/)",
        description="RE2 regular expression of mount points to leave out",
    )
    limits: list[FilesystemLimit] = Field(default=[], description="mount points with limits of their own")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        general = {key: given.get(key, cls.model_fields[key].default) for key in _RATIOS}
        yield from _ratios_cross(general)
        limits = given.get("limits")
        for index, limit in enumerate(limits if isinstance(limits, list) else ()):
            own = (
                {key: limit[key] for key in _RATIOS if limit.get(key) is not None} if isinstance(limit, Mapping) else {}
            )
            for at, message in _ratios_cross({**general, **own}) if own else ():
                yield Contradiction(("limits", index, *at), message)


_RATIOS = ("warn_used_ratio", "critical_used_ratio")


def _ratios_cross(ratios: Mapping[str, object]) -> Iterator[Contradiction]:
    """Finds a warning that would come after the critical alert. Ratios out of their range are not its business."""
    warn, critical = (ratios[key] for key in _RATIOS)
    if isinstance(warn, int | float) and isinstance(critical, int | float) and 0 <= critical < warn <= 1:
        yield Contradiction(("warn_used_ratio",), f"{warn} is over critical_used_ratio ({critical}); it must not be")


class LogRotation(Section):
    """How log files in a directory are rotated and how long the rotated ones are kept."""

    max_file_bytes: Bytes = Field(default=Bytes(10 * 1024**2), description="rotate a file larger than this")
    max_file_age: Duration | None = Field(
        default=86400.0, description="rotate a non-empty file older than this; null: size alone decides"
    )
    method: Literal["auto", "rename", "copytruncate"] = Field(
        default="auto", description="auto: copytruncate where a process holds the file open for writing, else rename"
    )
    compress: bool = Field(default=True, description="compress rotated files; zcat and less read them")
    keep_count: int = Field(default=14, ge=0, description="rotated files kept of each log")
    keep_age: Duration = Field(default=30 * 86400.0, description="rotated files older than this are deleted")


class LogDirectory(Section):
    """A directory of logs with its limit."""

    name: Name = Field(description="names it in metrics, alerts and commands")
    path: AbsolutePath = Field(description="the directory; nothing outside of it is ever touched")
    max_bytes: Bytes = Field(description="allocated bytes the directory may hold, rotated files included")
    include: list[FileNames] = Field(
        default=["*.log"], description="names of files that may be rotated (shell patterns)"
    )
    exclude: list[FileNames] = Field(default=[], description="names never touched, whatever else matches")
    recursive: bool = Field(default=False, description="the directories below it too, but no other mount")
    rotation: LogRotation = Field(default=LogRotation(), description="when to rotate, and what to keep")


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


class CollectorSettings(Section):
    """When a collector runs."""

    enabled: bool = Field(default=True, description="false: nothing of this kind is measured")
    interval: Duration = Field(default=15.0, gt=0, description="time between the starts of two collections")
    deadline: Duration = Field(default=10.0, gt=0, description="a collection that takes longer is given up")


class LogsSettings(CollectorSettings):
    """When log directories are measured: often, since they can fill in minutes."""

    interval: Duration = Field(default=10.0, gt=0, description="time between the starts of two collections")


class DockerUsageSettings(CollectorSettings):
    """When the engine is asked for its disk usage, which costs it seconds of work."""

    interval: Duration = Field(default=60.0, gt=0, description="time between the starts of two collections")
    deadline: Duration = Field(default=55.0, gt=0, description="a collection that takes longer is given up")


class Collectors(Section):
    """Settings of each collector."""

    services: CollectorSettings = Field(default=CollectorSettings(), description="the probes of all services")
    filesystem: CollectorSettings = Field(default=CollectorSettings(), description="sizes of file systems")
    logs: LogsSettings = Field(default=LogsSettings(), description="sizes of log directories")
    docker: CollectorSettings = Field(default=CollectorSettings(), description="the engine and its containers")
    docker_usage: DockerUsageSettings = Field(
        default=DockerUsageSettings(), description="the engine's expensive disk usage call"
    )
    stale_after: Duration = Field(
        default=300.0, description="values of a collector that keeps failing disappear after this time"
    )


class Inventory(Section):
    """What is looked after: the sections of ``upkeeper.yml`` that the exporter reads."""

    services: list[Service] = Field(default=[], description="services to probe, beside those that labels declare")
    filesystems: Filesystems = Field(default=Filesystems(), description="file systems, all found by themselves")
    logs: list[LogDirectory] = Field(default=[], description="log directories to measure and to rotate")
    docker: Docker = Field(default=Docker(), description="the Docker engine, and what may be removed from it")
    collectors: Collectors = Field(default=Collectors(), description="when each kind of thing is measured")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        yield from repeated_names("services", given.get("services"))
        yield from repeated_names("logs", given.get("logs"))
        for index, name in enumerate(names_of(given.get("logs"))):
            if name == DRILL_DIRECTORY:
                yield Contradiction(
                    ("logs", index, "name"), f"{shown(name)} belongs to `upkeeper drill`; choose another"
                )


DRILL_DIRECTORY = "upkeeper-drill"
"""Name of the log directory that ``upkeeper drill`` fills over its limit. It need not exist."""

InventoryT = TypeVar("InventoryT", bound=Inventory)


def with_drill(inventory: InventoryT, path: Path) -> InventoryT:
    """The inventory and the drill's scratch directory at ``path``, so small that a harmless breach is soon made."""
    drill = LogDirectory(
        name=DRILL_DIRECTORY,
        path=str(path.absolute()),
        max_bytes=Bytes(1024**2),
        rotation=LogRotation(max_file_bytes=Bytes(256 * 1024)),
    )
    return inventory.model_copy(update={"logs": [*inventory.logs, drill]})
