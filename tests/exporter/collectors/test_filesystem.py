"""Mounts and the filesystem collector."""

import os
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.base.text import printable
from exporter.collectors.filesystem import FilesystemCollector, Stat, select_mounts
from exporter.host.mounts import MOUNTINFO, Mount, one_each, parse_mountinfo
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.filesystems import Filesystems
from tests.helpers import wait_until

ROOT = b"27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
DATA = b"40 27 254:16 / /data rw,relatime - xfs /dev/vdb rw\n"
NFS = b"41 27 0:50 / /mnt/nfs rw,relatime shared:7 master:2 - nfs4 server:/export rw\n"
PROC = b"22 27 0:21 / /proc rw - proc proc rw\n"
FINE = os.statvfs_result((4096, 4096, 1000, 400, 300, 500, 200, 200, 0, 255))


def mount(mountpoint: bytes, number: str = "254:0", root: bytes = b"/", device: bytes = b"/dev/vda") -> Mount:
    return Mount(mountpoint, device, "ext4", number, root)


def points(mounts: list[Mount]) -> list[bytes]:
    return [each.mountpoint for each in mounts]


def test_fields_with_and_without_optional_ones() -> None:
    assert parse_mountinfo(ROOT + DATA + NFS) == [
        Mount(b"/", b"/dev/vda", "ext4", "254:0", b"/"),
        Mount(b"/data", b"/dev/vdb", "xfs", "254:16", b"/"),
        Mount(b"/mnt/nfs", b"server:/export", "nfs4", "0:50", b"/"),
    ]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (rb"/mnt/a\040b", b"/mnt/a b"),
        (rb"/mnt/tab\011", b"/mnt/tab\t"),
        (rb"/mnt/line\012x", b"/mnt/line\nx"),
        (rb"/mnt/back\134slash", b"/mnt/back\\slash"),
        (b"/mnt/\xff\r", b"/mnt/\xff\r"),
        (rb"/mnt/\134040", rb"/mnt/\040"),
    ],
)
def test_escapes_in_names(written: bytes, name: bytes) -> None:
    assert points(parse_mountinfo(b"40 27 254:16 / " + written + b" rw - xfs /dev/vdb rw\n")) == [name]


def test_only_the_last_mount_on_a_mount_point_is_visible() -> None:
    over = b"50 40 0:60 / /data rw - tmpfs over rw\n"
    assert [(each.mountpoint, each.device) for each in parse_mountinfo(DATA + ROOT + over)] == [
        (b"/", b"/dev/vda"),
        (b"/data", b"over"),
    ]


def test_lines_of_another_form_are_left_out() -> None:
    assert points(parse_mountinfo(b"\n1 2 3\nsome words - here\n27 1 254:0 / /\n" + ROOT)) == [b"/"]


def test_this_machine_has_a_root() -> None:
    assert b"/" in points(parse_mountinfo(MOUNTINFO.read_bytes()))


def test_one_mount_of_each_file_system() -> None:
    mounts = [
        mount(b"/var/lib/x", root=b"/srv/x"),
        mount(b"/", root=b"/"),
        mount(b"/etc/hosts", root=b"/hosts"),
        mount(b"/data", number="254:16", device=b"/dev/vdb"),
    ]
    assert points(one_each(mounts)) == [b"/", b"/data"]
    assert points(one_each(mounts, wanted={b"/var/lib/x"})) == [b"/", b"/data", b"/var/lib/x"]


def test_without_the_root_of_a_file_system_its_largest_part_stands_for_it() -> None:
    mounts = [mount(b"/etc/resolv.conf", root=b"/docker/abc/resolv.conf"), mount(b"/etc/hosts", root=b"/docker/hosts")]
    assert points(one_each(mounts)) == [b"/etc/hosts"]


@pytest.mark.parametrize(
    "fstype",
    ["squashfs", "erofs", "cramfs", "iso9660", "udf", "fuse.snapfuse", "fuse.squashfuse", "fuse.Cursor-1.2.AppImage"],
)
def test_an_image_that_is_always_full_is_left_out(fstype: str) -> None:
    image = f"61 27 7:0 / /snap/core/1 ro - {fstype} /dev/loop0 ro\n".encode()
    assert points(select_mounts(parse_mountinfo(ROOT + image), Filesystems())) == [b"/"]


def test_other_fuse_file_systems_stay() -> None:
    mounts = b"61 27 0:61 / /mnt/pool rw - fuse.mergerfs a:b rw\n62 27 0:62 / /mnt/far rw - fuse.sshfs u@h:/ rw\n"
    assert points(select_mounts(parse_mountinfo(mounts), Filesystems())) == [b"/mnt/far", b"/mnt/pool"]


def test_exclusions_and_the_mount_points_with_a_limit() -> None:
    mounts = parse_mountinfo(ROOT + PROC + b"60 27 0:70 / /run rw - tmpfs tmpfs rw\n" + DATA)
    assert points(select_mounts(mounts, Filesystems())) == [b"/", b"/data"]
    assert points(select_mounts(mounts, Filesystems(exclude_mountpoints="^/data"))) == [b"/"]
    limited = Filesystems.model_validate({"limits": [{"mountpoint": "/run", "warn_used_ratio": 0.5}]})
    assert points(select_mounts(mounts, limited)) == [b"/", b"/data", b"/run"]


def test_names_are_always_printable() -> None:
    assert printable(b"/mnt/\xff") == "/mnt/\\xff"
    assert printable("/mnt/ü".encode()) == "/mnt/ü"


def collector(
    tmp_path: Path, stat: Stat, mountinfo: bytes, deadline: float = 10.0, **filesystems: object
) -> FilesystemCollector:
    listing = tmp_path / "mountinfo"
    listing.write_bytes(mountinfo)
    settings = CollectorSettings(deadline=deadline)
    return FilesystemCollector(Filesystems.model_validate(filesystems), settings, stat, listing)


async def figures(filesystem: FilesystemCollector, mountpoint: str = "/") -> dict[str, float]:
    return {
        sample.name.removeprefix("upkeeper_filesystem_"): float(sample.value)
        for family in await filesystem.collect()
        for sample in family.samples
        if sample.labels["mountpoint"] == mountpoint
    }


async def test_sizes_in_bytes_and_limits(tmp_path: Path) -> None:
    assert await figures(collector(tmp_path, lambda _: FINE, ROOT)) == {
        "size_bytes": 1000 * 4096,
        "avail_bytes": 300 * 4096,
        "files": 500,
        "files_free": 200,
        "readonly": 0,
        "device_error": 0,
        "warn_used_ratio": 0.8,
        "critical_used_ratio": 0.9,
    }


async def test_the_limits_of_a_mount_point_replace_the_general_ones(tmp_path: Path) -> None:
    limits = [{"mountpoint": "/data", "critical_used_ratio": 0.99}]
    filesystem = collector(tmp_path, lambda _: FINE, ROOT + DATA, limits=limits, warn_used_ratio=0.7)
    assert (await figures(filesystem, "/data"))["warn_used_ratio"] == 0.7
    assert (await figures(filesystem, "/data"))["critical_used_ratio"] == 0.99
    assert (await figures(filesystem, "/"))["critical_used_ratio"] == 0.9


async def test_without_a_limit_of_files_there_is_no_figure_of_them(tmp_path: Path) -> None:
    btrfs = os.statvfs_result((4096, 4096, 1000, 400, 300, 0, 0, 0, 0, 255))
    values = await figures(collector(tmp_path, lambda _: btrfs, ROOT))
    assert not {"files", "files_free"} & values.keys()


@pytest.mark.parametrize("listing", [ROOT.replace(b"rw,relatime", b"ro,relatime"), ROOT.replace(b"vda rw", b"vda ro")])
async def test_read_only_is_a_mount_or_the_whole_file_system(tmp_path: Path, listing: bytes) -> None:
    assert (await figures(collector(tmp_path, lambda _: FINE, listing)))["readonly"] == 1


async def test_a_pseudo_file_system_without_size_is_left_out(tmp_path: Path) -> None:
    nothing = os.statvfs_result((4096, 4096, 0, 0, 0, 0, 0, 0, 0, 255))
    assert await figures(collector(tmp_path, lambda _: nothing, ROOT)) == {}


async def test_an_error_is_a_device_error(tmp_path: Path) -> None:
    def stat(_: bytes) -> os.statvfs_result:
        raise OSError(5, "Input/output error")

    assert await figures(collector(tmp_path, stat, ROOT)) == {
        "device_error": 1,
        "warn_used_ratio": 0.8,
        "critical_used_ratio": 0.9,
    }


async def test_a_mount_that_this_process_may_not_look_at_is_no_device_error(tmp_path: Path) -> None:
    def stat(_: bytes) -> os.statvfs_result:
        raise PermissionError(13, "Permission denied")

    assert await figures(collector(tmp_path, stat, DATA), "/data") == {}
    limited = collector(tmp_path, stat, DATA, limits=[{"mountpoint": "/data"}])
    assert (await figures(limited, "/data"))["device_error"] == 1


async def test_a_hung_mount_costs_one_thread_and_no_other_mount(tmp_path: Path) -> None:
    release = threading.Event()
    asked: list[bytes] = []

    def stat(mountpoint: bytes) -> os.statvfs_result:
        asked.append(mountpoint)
        if mountpoint == b"/mnt/nfs":
            release.wait()
        return FINE

    filesystem = collector(tmp_path, stat, ROOT + NFS, deadline=2.0)  # half of it passes, once
    try:
        for _ in range(3):
            assert (await figures(filesystem, "/mnt/nfs"))["device_error"] == 1
            assert (await figures(filesystem, "/"))["device_error"] == 0
        assert asked.count(b"/mnt/nfs") == 1
    finally:
        release.set()

    async def answers() -> bool:
        return (await figures(filesystem, "/mnt/nfs"))["device_error"] == 0

    await wait_until(answers)


async def test_a_reload_does_not_ask_a_hung_mount_again_nor_log_it_again(tmp_path: Path) -> None:
    release = threading.Event()
    asked: list[bytes] = []

    def stat(mountpoint: bytes) -> os.statvfs_result:
        asked.append(mountpoint)
        release.wait()
        return FINE

    try:
        with capture_logs() as lines:
            running = collector(tmp_path, stat, NFS, deadline=0.1)
            for _ in range(5):
                assert (await figures(running, "/mnt/nfs"))["device_error"] == 1
                former, running = running, collector(tmp_path, stat, NFS, deadline=0.1)
                running.continue_from(former)
        assert len(asked) == 1
        assert len(lines) == 1
    finally:
        release.set()
