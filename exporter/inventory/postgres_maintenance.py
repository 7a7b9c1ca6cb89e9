"""What postgres-maintenance does on a server, when, and as whom."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from exporter.configfile.named_files import SecretFile
from exporter.configfile.quantities import Bytes, Duration, Ratio
from exporter.configfile.section import AbsolutePath, Contradiction, Section
from exporter.inventory.identifier import Identifier


class PostgresMaintenance(Section):
    """The role that maintains, what needs maintenance, and how long it may take."""

    user: Identifier | None = Field(
        default=None,
        description="the role that may vacuum: docs/tasks/postgres-maintenance.md; null: the one that looks, which "
        "as a rule may not",
    )
    password_file: SecretFile | None = Field(
        default=None, description="file that holds the password of this user; read again for each connection"
    )
    passfile: SecretFile | None = Field(default=None, description="file in the format of .pgpass instead")
    dead_tuples_ratio: Ratio = Field(
        default=0.1, description="a table is vacuumed when a larger share of its rows is dead"
    )
    dead_tuples_min: int = Field(default=1000, ge=1, description="and at least so many")
    freeze_age_ratio: float = Field(
        default=0.75,
        gt=0,
        le=1.5,
        description="a table's rows are frozen from this multiple of autovacuum_freeze_max_age (and of the one for "
        "multixacts) on; at 1 autovacuum begins, whatever the time of day",
    )
    analyze_max_age: Duration = Field(
        default=30 * 86400.0, gt=0, description="a changed table that was last analyzed longer ago is analyzed"
    )
    index_bloat_ratio: Ratio = Field(
        default=0.5, description="an index is rebuilt when a larger share of it is estimated to be air"
    )
    index_bloat_min: Bytes = Field(default=Bytes(64 * 1024**2), description="and at least so much")
    data_directory: AbsolutePath | None = Field(
        default=None,
        description="a directory on the file system that holds the server's data, as seen from here; null: no index is "
        "rebuilt, since nobody could tell whether there is room for the new one",
    )
    lock_timeout: Duration = Field(
        default=1.0,
        ge=0.1,
        le=60,
        description="how long a statement waits for a lock, and lets others wait for its own",
    )
    statement_timeout: Duration = Field(default=1200.0, ge=1, le=3600, description="for each table or index")
    time_budget: Duration = Field(
        default=1800.0, ge=1, le=3600, description="for a whole run; the worst tables come first, the rest waits"
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        for key in ("password_file", "passfile"):
            if given.get(key) is not None and given.get("user") is None:
                yield Contradiction((key,), f"{key} also needs user")
        if given.get("password_file") is not None and given.get("passfile") is not None:
            yield Contradiction(("passfile",), "there is already a password_file; remove one of the two")
