"""Which file systems are measured, and how full they may be."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from exporter.configfile.quantities import Ratio
from exporter.configfile.section import AbsolutePath, Contradiction, Regex, Section


class FilesystemLimit(Section):
    """Limits of one mount point, instead of the general ones."""

    mountpoint: AbsolutePath = Field(description="where it is mounted")
    warn_used_ratio: Ratio | None = Field(default=None, description="as above; default: the general one")
    critical_used_ratio: Ratio | None = Field(default=None, description="as above; default: the general one")


class Filesystems(Section):
    """Which file systems are measured, and how full they may be."""

    warn_used_ratio: Ratio = Field(default=0.8, description="used share from which a warning is due")
    critical_used_ratio: Ratio = Field(default=0.9, description="used share from which it is critical")
    exclude_fstypes: list[str] = Field(
        default=[
            "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "cramfs", "debugfs", "devpts",
            "devtmpfs", "efivarfs", "erofs", "fuse.*.AppImage", "fuse.*.appimage", "fuse.snapfuse", "fuse.squashfuse",
            "fusectl", "hugetlbfs", "iso9660", "mqueue", "nsfs", "overlay", "proc", "pstore", "rpc_pipefs",
            "securityfs", "selinuxfs", "squashfs", "sysfs", "tracefs", "tmpfs", "ramfs", "udf",
        ],
        description="types of file system to leave out (shell patterns): those without data, or that cannot fill up",
    )  # fmt: skip
    exclude_mountpoints: Regex = Field(
        default=r"^/(dev|proc|sys|run/credentials/.+|run/user/.+|var/lib/docker/.+|var/lib/containers/.+)($|/)",
        description="RE2 regular expression of mount points to leave out",
    )
    limits: list[FilesystemLimit] = Field(default=[], description="mount points with their own limits")

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
