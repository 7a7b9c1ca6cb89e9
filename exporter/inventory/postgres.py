"""PostgreSQL servers, how they are connected to, and their limits."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from exporter.configfile.named_files import PublicFile, SecretFile
from exporter.configfile.quantities import Bytes, Duration, Ratio
from exporter.configfile.section import Contradiction, Name, Section, shown
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.identifier import Identifier
from exporter.inventory.postgres_maintenance import PostgresMaintenance


def _host(host: str) -> str:
    if "@" in host or "://" in host or "=" in host:  # not shown, as it may hold credentials
        raise ValueError("this must be only a host; user, port and the rest have their own keys")
    if not host or not host.isprintable() or " " in host or "," in host:
        raise ValueError(f"{shown(host)} must be one host name or IP address, or the directory of a socket")
    return host


Host = Annotated[str, AfterValidator(_host)]
_ENCRYPTED_ONLY = ("require", "verify-ca", "verify-full")


class PostgresLimits(Section):
    """Limits of the alerts. Each is exported next to the value it limits."""

    connections_used_ratio: Ratio = Field(
        default=0.8, description="used share of the connections that ordinary users may open"
    )
    freeze_age_ratio: float = Field(
        default=1.5,
        gt=0,
        le=10,
        description="age of the oldest row, as a multiple of autovacuum_freeze_max_age (transactions) and "
        "autovacuum_multixact_freeze_max_age",
    )
    transaction_max_age: Duration = Field(
        default=3600.0,
        gt=0,
        description="an open transaction keeps vacuum from removing rows that died after its start",
    )
    dead_tuples_ratio: Ratio = Field(
        default=0.3, description="dead share of a table's rows; autovacuum itself acts at about 0.17 by default"
    )
    dead_tuples_min: int = Field(default=10_000, ge=0, description="a table with fewer dead rows never needs vacuum")
    slot_retained_bytes: Bytes = Field(default=Bytes(5 * 1024**3), description="WAL that a replication slot may retain")
    archive_max_wait: Duration = Field(
        default=600.0, gt=0, description="how long a WAL file may wait to be archived, if the server archives"
    )


class PostgresServer(Section):
    """A PostgreSQL server (13 or later), and the role that looks at it."""

    name: Name = Field(description="names it in metrics, alerts and commands")
    host: Host = Field(default="127.0.0.1", description="name, IP address, or directory of the Unix socket")
    port: int = Field(default=5432, ge=1, le=65535, description="TCP port, or the number in the socket's name")
    dbname: Identifier = Field(
        default="postgres", description="database to stay connected to, which cannot be dropped meanwhile"
    )
    user: Identifier = Field(default="upkeeper", description="a role with pg_monitor: docs/how-to/postgres.md")
    password_file: SecretFile | None = Field(
        default=None, description="file that holds the password; read again for each connection"
    )
    passfile: SecretFile | None = Field(
        default=None, description="file in the format of .pgpass instead; with neither, ~/.pgpass is used if it exists"
    )
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = Field(
        default="prefer", description="as in libpq: only verify-full proves the server's identity"
    )
    sslrootcert: PublicFile | None = Field(default=None, description="certificates of the CAs to trust")
    sslcert: PublicFile | None = Field(default=None, description="client certificate; needs sslkey")
    sslkey: SecretFile | None = Field(default=None, description="key of sslcert, readable by its owner only")
    databases: list[Identifier] = Field(
        default=[], description="databases to measure; empty: all that are not templates and allow connections"
    )
    exclude_databases: list[Identifier] = Field(default=[], description="databases to leave out")
    tables: int = Field(default=10, ge=0, le=50, description="number of the worst tables of a database that are shown")
    limits: PostgresLimits = Field(default=PostgresLimits(), description="limits of the alerts")
    maintenance: PostgresMaintenance = Field(
        default=PostgresMaintenance(), description="what the task postgres-maintenance does, and as whom"
    )

    @property
    def as_maintainer(self) -> "PostgresServer":
        """The same server, to be connected to as the role that maintains."""
        role = self.maintenance
        if role.user is None:
            return self
        login = {"user": role.user, "password_file": role.password_file, "passfile": role.passfile}
        return self.model_copy(update=login)

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        if given.get("password_file") is not None and given.get("passfile") is not None:
            yield Contradiction(("passfile",), "there is already a password_file; remove one of the two")
        if str(given.get("host")).startswith("/") and given.get("sslmode") in _ENCRYPTED_ONLY:
            yield Contradiction(("sslmode",), "a Unix socket is never encrypted; remove this key, or connect to a host")
        for one, other in (("sslcert", "sslkey"), ("sslkey", "sslcert")):
            if given.get(one) is not None and given.get(other) is None:
                yield Contradiction((one,), f"needs {other} too")
        databases, excluded = given.get("databases"), given.get("exclude_databases")
        if isinstance(databases, list) and isinstance(excluded, list):
            for index, name in enumerate(excluded):
                if name in databases:
                    yield Contradiction(("exclude_databases", index), f"{shown(name)} is in databases too")


class PostgresSettings(CollectorSettings):
    """When PostgreSQL servers are measured."""

    interval: Duration = Field(default=30.0, gt=0, description="time between the starts of two collections")
    details_interval: Duration = Field(
        default=300.0, gt=0, description="time between two reads of database sizes, and of a database's tables"
    )
