"""Two file systems that answer, one that does not, from a recorded mountinfo and recorded statvfs answers."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client.core import Metric

from exporter.collectors.filesystem import FilesystemCollector
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.filesystems import FilesystemLimit, Filesystems

MOUNTINFO = rb"""27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
40 27 254:16 / /srv/my\040backups ro,relatime - xfs /dev/vdb rw
41 27 0:50 / /mnt/nfs rw,relatime shared:7 - nfs4 server:/export rw
22 27 0:21 / /proc rw - proc proc rw
"""
ANSWERS = {
    b"/": os.statvfs_result((4096, 4096, 61_005_824, 20_400_111, 17_288_063, 15_532_032, 14_900_100, 14_900_100, 0, 0)),
    b"/srv/my backups": os.statvfs_result((4096, 4096, 262_144, 13_107, 13_107, 0, 0, 0, os.ST_RDONLY, 255)),
}


def _stat(mountpoint: bytes) -> os.statvfs_result:
    if mountpoint not in ANSWERS:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
    return ANSWERS[mountpoint]


async def families() -> Sequence[Metric]:
    """What the collector yields."""
    limit = FilesystemLimit(mountpoint="/srv/my backups", warn_used_ratio=0.9, critical_used_ratio=0.97)
    with TemporaryDirectory() as directory:
        mountinfo = Path(directory) / "mountinfo"
        mountinfo.write_bytes(MOUNTINFO)
        return await FilesystemCollector(Filesystems(limits=[limit]), CollectorSettings(), _stat, mountinfo).collect()
