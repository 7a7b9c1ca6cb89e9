"""Neo4j servers, and how they are asked."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from exporter.configfile.named_files import PublicFile, SecretFile
from exporter.configfile.quantities import Duration
from exporter.configfile.section import AbsolutePath, Contradiction, Name, Section, shown, split_url
from exporter.inventory.collector import CollectorSettings

_SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
_CHECKED_TLS = ("bolt+s://", "neo4j+s://")
_DATABASE = re.compile(r"[A-Za-z][A-Za-z0-9.-]{2,62}")


def _uri(uri: str) -> str:
    parts = split_url(uri, *_SCHEMES)
    if parts.path not in ("", "/") or parts.fragment or (parts.query and parts.scheme.startswith("bolt")):
        raise ValueError(f"{shown(uri)} must end after the host and its port, as in bolt://127.0.0.1:7687")
    return uri


def _database(name: str) -> str:
    if not _DATABASE.fullmatch(name):
        raise ValueError(f"{shown(name)} must be a database's name: 3 to 63 letters, digits, dots or dashes")
    return name.lower()  # as the server keeps it: names of databases have no case


Neo4jUri = Annotated[
    str,
    AfterValidator(_uri),
    WithJsonSchema({"type": "string", "pattern": r"^(bolt|neo4j)(\+s|\+ssc)?://"}),
]
"""Where a Neo4j server listens for Bolt, in one of the driver's schemes, without credentials."""

DatabaseName = Annotated[str, AfterValidator(_database)]
"""A database's name, in lower case."""


class Neo4jServer(Section):
    """A Neo4j server, with what may not last long on it."""

    name: Name = Field(description="names it in metrics, alerts and commands")
    uri: Neo4jUri = Field(
        description="`bolt://host:7687`; `bolt+s://` with TLS, `bolt+ssc://` with TLS and any certificate; "
        "`neo4j://` and its variants let a cluster choose the member"
    )
    username: str | None = Field(default=None, min_length=1, description="null: the server requires no login")
    password_file: SecretFile | None = Field(
        default=None, description="file that holds the user's password, read at each connect"
    )
    databases: list[DatabaseName] | None = Field(
        default=None, min_length=1, description="databases to measure; null: all that the user may see"
    )
    ca_file: PublicFile | None = Field(
        default=None, description="certificates to trust, in PEM, instead of the system's; for `+s` URIs"
    )
    data_directory: AbsolutePath | None = Field(
        default=None,
        description="the server's data directory as seen by the exporter, for the sizes of the stores, which the "
        "Community edition does not report",
    )
    index_population_max: Duration = Field(
        default=3600.0, description="an index that takes longer than this to populate raises an alert"
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        for key, other in (("username", "password_file"), ("password_file", "username")):
            if given.get(key) is not None and given.get(other) is None:
                yield Contradiction((key,), f"{key} also needs {other}")
        if given.get("ca_file") is not None and not str(given.get("uri")).startswith(_CHECKED_TLS):
            yield Contradiction(("ca_file",), "has no effect without verified TLS; use a bolt+s:// uri")


class Neo4jSettings(CollectorSettings):
    """When Neo4j servers are asked."""

    interval: Duration = Field(default=30.0, gt=0, description="time between the starts of two collections")
