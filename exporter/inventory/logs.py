"""Log directories, their limits, and how they are rotated."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from exporter.configfile.quantities import Bytes, Duration
from exporter.configfile.section import AbsolutePath, Name, Section, shown
from exporter.inventory.collector import CollectorSettings


def _file_names(pattern: str) -> str:
    if not pattern or "/" in pattern:
        raise ValueError(
            f"{shown(pattern)} must be a pattern of names, without /; for directories there is `recursive:`"
        )
    return pattern


FileNames = Annotated[str, AfterValidator(_file_names)]


class RotationPolicy(Section):
    """How log files in a directory are rotated and how long the rotated ones are kept."""

    max_file_bytes: Bytes = Field(default=Bytes(10 * 1024**2), description="rotate a file larger than this")
    max_file_age: Duration | None = Field(
        default=86400.0, description="rotate a non-empty file older than this; null: only by size"
    )
    method: Literal["auto", "rename", "copytruncate"] = Field(
        default="auto", description="auto: copytruncate where a process holds the file open for writing, else rename"
    )
    compress: bool = Field(default=True, description="compress rotated files; zcat and less read them")
    keep_count: int = Field(default=14, ge=0, description="rotated files kept of each log")
    keep_age: Duration = Field(
        default=30 * 86400.0, description="rotated files older than this are deleted, counted from their rotation"
    )


class LogDirectory(Section):
    """A directory of logs with its limit."""

    name: Name = Field(description="names it in metrics, alerts and commands")
    path: AbsolutePath = Field(description="the directory; nothing outside of it is ever touched")
    max_bytes: Bytes = Field(description="allocated bytes the directory may hold, rotated files included")
    include: list[FileNames] = Field(
        default=["*.log"], description="names of files that may be rotated (shell patterns)"
    )
    exclude: list[FileNames] = Field(default=[], description="names that are never touched, whatever else matches")
    recursive: bool = Field(default=False, description="also the directories below it, but no other mount")
    rotation: RotationPolicy = Field(default=RotationPolicy(), description="when to rotate, and what to keep")


class LogsSettings(CollectorSettings):
    """When log directories are measured: often, since they can fill in minutes.

    What did not change since is not read again, where the kernel tells that: on local file systems, of up to 10,000
    directories each, as far as fs.inotify.max_user_watches goes. Elsewhere a directory that takes longer than half a
    second to walk is walked after twenty times as long.
    """

    interval: Duration = Field(default=10.0, gt=0, description="time between the starts of two collections")
