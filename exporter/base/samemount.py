"""Whether a file lies on the mount that a piece of work is confined to."""

import os
from dataclasses import dataclass
from typing import Self

from exporter.base import statx


@dataclass(frozen=True, slots=True)
class OneMount:
    """The mount of a directory. A btrfs subvolume below it belongs to it, a bind mount does not."""

    device: int
    mount: int | None
    """None where the kernel does not tell (before Linux 5.8); then the device number has to do."""

    @classmethod
    def of(cls, fd: int) -> Self:
        return cls(os.fstat(fd).st_dev, statx.mount_id(fd))

    def holds(self, fd: int) -> bool:
        """Whether the open file is on it."""
        return self._is_same(os.fstat(fd).st_dev, statx.mount_id(fd))

    def holds_entry(self, directory: int, name: str, facts: os.stat_result) -> bool:
        """Whether what a directory has under a name is on it. facts: its own, no link followed."""
        if facts.st_dev == self.device:
            return True  # a bind mount shows once it is opened
        return self._is_same(facts.st_dev, statx.mount_id(directory, name))

    def _is_same(self, device: int, mount: int | None) -> bool:
        return device == self.device if mount is None or self.mount is None else mount == self.mount
