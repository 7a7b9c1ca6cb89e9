"""Who may read a log may read its copies, and nobody else; what else the log is marked with stays too."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import require_program
from tests.remediator.tasks.log_rotation.logdir import KIB, mounted, rotated, run, task, write_log

MIB = 1024 * KIB
STRANGER = 12345
METHODS = pytest.mark.parametrize("method", ["rename", "copytruncate"])
COMPRESS = pytest.mark.parametrize("compress", [True, False])
FILE_SYSTEMS = pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs"])
ACL = "system.posix_acl_access"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners and other users need root")


def setfacl(*arguments: str) -> None:
    subprocess.run([require_program("setfacl", "acl"), *arguments], check=True)


def may(path: Path, what: str) -> bool:
    """Whether a user who is nobody in particular may read (``-r``) or write (``-w``) the file."""
    command = ["test", what, path.name]
    return subprocess.run(command, cwd=path.parent, user=STRANGER, group=STRANGER, extra_groups=[]).returncode == 0


def marks(path: Path) -> dict[str, Any]:
    facts = path.stat()
    attributes = {name: os.getxattr(path, name) for name in os.listxattr(path) if "SGI_ACL" not in name}
    return {"mode": oct(facts.st_mode), "owner": (facts.st_uid, facts.st_gid), **attributes}


@FILE_SYSTEMS
@METHODS
@COMPRESS
async def test_a_default_acl_gives_nobody_a_copy_of_a_log_that_they_could_not_read(
    tmp_path: Path, kind: str, method: str, compress: bool
) -> None:
    with mounted(tmp_path / "disk", kind, 32 * MIB) as disk:
        log = disk / "app.log"
        write_log(log)
        log.chmod(0o640)
        setfacl("-d", "-m", f"u:{STRANGER}:rw", str(disk))  # for files made from now on
        before = marks(log)
        assert not may(log, "-r")
        await run(task(disk, rotation={"method": method, "compress": compress}))
        (copy,) = rotated(disk)
        for path in (copy, log):
            assert marks(path) == before
            assert not may(path, "-r")


@FILE_SYSTEMS
@METHODS
async def test_the_acl_of_the_log_is_that_of_its_copy_and_of_the_new_log(
    tmp_path: Path, kind: str, method: str
) -> None:
    with mounted(tmp_path / "disk", kind, 32 * MIB) as disk:
        log = disk / "app.log"
        write_log(log)
        setfacl("-d", "-m", f"u:{STRANGER + 1}:rw", str(disk))
        os.chown(log, 1000, 1001)
        setfacl("-m", f"u:{STRANGER}:r,g::-", str(log))
        os.setxattr(log, "user.origin", b"letta")
        os.setxattr(log, "trusted.origin", b"letta")
        before = marks(log)
        assert (may(log, "-r"), may(log, "-w")) == (True, False)
        assert ACL in before
        await run(task(disk, rotation={"method": method}))
        (copy,) = rotated(disk)
        for path in (copy, log):
            assert marks(path) == before
            assert (may(path, "-r"), may(path, "-w")) == (True, False)


@METHODS
@pytest.mark.parametrize("flags", ["dA", "S"])
async def test_inode_flags_stay(tmp_path: Path, method: str, flags: str) -> None:
    """No backup by dump, no times of reading, each write at once: as the administrator wanted it for the log."""
    with mounted(tmp_path / "disk", "ext4", 32 * MIB) as disk:
        log = disk / "app.log"
        write_log(log)
        subprocess.run([require_program("chattr", "e2fsprogs"), f"+{flags}", str(log)], check=True)
        before = shown_flags(log)
        await run(task(disk, rotation={"method": method}))
        assert [shown_flags(path) for path in (*rotated(disk), log)] == [before, before]


async def test_a_log_without_copy_on_write_gets_a_successor_without(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "btrfs", 128 * MIB) as disk:
        log = disk / "app.log"
        log.touch()
        subprocess.run([require_program("chattr", "e2fsprogs"), "+C", str(log)], check=True)
        write_log(log)
        await run(task(disk, rotation={"method": "rename"}))
        assert "C" in shown_flags(log)


def shown_flags(path: Path) -> str:
    shown = subprocess.run(["lsattr", str(path)], check=True, capture_output=True, text=True).stdout
    return "".join(sorted(set(shown.split()[0]) - set("e-")))  # e: how ext4 stores it
