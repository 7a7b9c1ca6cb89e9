"""Databases of SQLite, which grow and never shrink by themselves."""

from pydantic import Field

from exporter.configfile.quantities import Bytes
from exporter.configfile.section import AbsolutePath, Name, Section


class SqliteDatabase(Section):
    """A database of SQLite on this machine."""

    name: Name = Field(description="names it in metrics, alerts and commands")
    path: AbsolutePath = Field(
        description="its file; that in a Docker volume is below the Mountpoint which `docker volume inspect` shows"
    )
    max_reclaimable_bytes: Bytes = Field(
        default=Bytes(256 * 1024**2), description="space in the file that holds nothing, from which it should be shrunk"
    )
    stop: list[Name] = Field(
        default=[],
        description="containers that `sqlite-shrink` stops meanwhile; empty: those that have the file mounted",
    )
