"""Versions in tags and in images: what is newer, and what is another major one. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_VERSION = re.compile(r"(?P<prefix>[A-Za-z-]*?v?)(?P<numbers>[0-9]+(?:\.[0-9]+){0,3})(?P<suffix>(?:[-+_.][A-Za-z].*)?)")
_YEARS = range(2000, 2100)
_MAX_DIGITS = 9
"""A number with more is a date or the number of a build, not a version."""
_PRERELEASE = re.compile(
    r"(?:^|[-._+])(?:alpha|beta|rc|pre|preview|dev|nightly|snapshot|test|canary|next)(?:[-._0-9]|$)"
)


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version that a tag tells. Those of the same kind can be compared."""

    numbers: tuple[int, ...]
    prefix: str = ""
    suffix: str = ""

    def same_kind(self, other: "Version") -> bool:
        """Written alike, with as many numbers: ``16-alpine`` and ``17-alpine``, not ``16.4`` and ``17``."""
        mine = (self.prefix, self.suffix, len(self.numbers))
        return mine == (other.prefix, other.suffix, len(other.numbers))


def parse(tag: str) -> Version | None:
    """The version in a tag; None where it does not look like one."""
    found = _VERSION.fullmatch(tag)
    if found is None or any(len(number) > _MAX_DIGITS for number in found["numbers"].split(".")):
        return None
    return Version(tuple(int(one) for one in found["numbers"].split(".")), found["prefix"], found["suffix"])


def is_major(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Whether a version breaks with the former by its first number; before 1.0 by its second.

    Years that follow each other break with nothing: ``2025.12`` and ``2026.01`` are neighbours.
    """
    if not before or not after:
        return False
    if before[0] in _YEARS and after[0] in _YEARS:
        return False
    if before[0] != after[0]:
        return True
    return before[0] == 0 and before[1:2] != after[1:2] and bool(before[1:2] and after[1:2])


def newer(tag: str, tags: Iterable[str]) -> tuple[list[str], list[str]]:
    """Those of the tags that are newer versions of the same kind: of the same major version, and of others.

    The newest first. Nothing where the tag is no version. What is not released yet is left out.
    """
    own = parse(tag)
    if own is None:
        return [], []
    found = []
    for each in set(tags):
        version = parse(each)
        if version is None or not version.same_kind(own) or version.numbers <= own.numbers:
            continue
        if not _PRERELEASE.search(version.suffix.lower()):
            found.append((version.numbers, each))
    found.sort(reverse=True)
    same = [each for numbers, each in found if not is_major(own.numbers, numbers)]
    return same, [each for numbers, each in found if is_major(own.numbers, numbers)]


DATABASES: Mapping[str, tuple[str, ...]] = {
    "PostgreSQL": ("PG_MAJOR", "PG_VERSION"),
    "MySQL": ("MYSQL_MAJOR", "MYSQL_VERSION"),
    "MariaDB": ("MARIADB_VERSION",),
    "MongoDB": ("MONGO_MAJOR", "MONGO_VERSION"),
    "Neo4j": ("NEO4J_TARBALL",),
    "Redis": ("REDIS_VERSION",),
    "InfluxDB": ("INFLUXDB_VERSION",),
    "ClickHouse": ("CLICKHOUSE_VERSION",),
    "Elasticsearch": ("ELASTIC_VERSION",),
}
"""What the official images of databases set in their environment, by which their version is known whatever the tag."""
_REPOSITORIES: Mapping[str, str] = {
    "postgres": "PostgreSQL", "postgresql": "PostgreSQL", "pgvector": "PostgreSQL", "postgis": "PostgreSQL",
    "timescaledb": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB", "mongo": "MongoDB", "mongodb": "MongoDB",
    "neo4j": "Neo4j", "redis": "Redis", "influxdb": "InfluxDB", "elasticsearch": "Elasticsearch",
    "clickhouse-server": "ClickHouse",
}  # fmt: skip
"""Last parts of the names of their repositories, where the environment tells nothing: then the tag does."""
_FIRST_NUMBERS = re.compile(r"(?<![A-Za-z0-9.])v?([0-9]{1,9}(?:\.[0-9]{1,9}){0,3})")
_VERSION_LABEL = "org.opencontainers.image.version"


@dataclass(frozen=True, slots=True)
class Told:
    """What an image tells of itself. environment: of its config, by name. labels: its own. tag, path: of its name."""

    environment: Mapping[str, str]
    labels: Mapping[str, str]
    path: str
    tag: str


def database_of(image: Told) -> tuple[str, tuple[int, ...]] | None:
    """Which database server an image is, and the numbers of its version, empty where they are unknown."""
    for product, names in DATABASES.items():
        for name in names:
            if name in image.environment:
                return product, _numbers(image.environment[name])
    product_by_name = _REPOSITORIES.get(image.path.rpartition("/")[2])
    if product_by_name is None:
        return None
    version = parse(image.tag)
    return product_by_name, version.numbers if version is not None else _numbers(image.labels.get(_VERSION_LABEL, ""))


def breaks(before: Told, after: Told) -> str:
    """In words the major version that an update crosses; empty for none that is known."""
    first, second = database_of(before), database_of(after)
    if first is not None and second is not None and first[1] and second[1]:
        return f"{first[0]} {_text(first[1])} to {_text(second[1])}" if is_major(first[1], second[1]) else ""
    for old, new in (
        (_numbers(before.labels.get(_VERSION_LABEL, "")), _numbers(after.labels.get(_VERSION_LABEL, ""))),
        (_of_tag(before), _of_tag(after)),
    ):
        if is_major(old, new):
            return f"{_text(old)} to {_text(new)}"
    return ""


def _of_tag(image: Told) -> tuple[int, ...]:
    version = parse(image.tag)
    return version.numbers if version is not None else ()


def _numbers(text: str) -> tuple[int, ...]:
    found = _FIRST_NUMBERS.search(text)
    return tuple(int(one) for one in found[1].split(".")) if found is not None else ()


def _text(numbers: tuple[int, ...]) -> str:
    return ".".join(str(one) for one in numbers)
