"""A mount that never answers costs its own figures and one thread, nothing else."""

import os
import threading
from pathlib import Path

import pytest
import yaml

from exporter.collectors.filesystem import FilesystemCollector
from exporter.collectors.logs import LogsCollector
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.filesystems import Filesystems
from exporter.inventory.logs import LogDirectory
from tests.exporter.process import ExporterProcess
from tests.helpers import wait_until
from tests.hung_mount import hung_mount

pytestmark = pytest.mark.servers

ROUNDS = 1000


async def test_only_what_lies_on_it_goes_without_figures_until_it_answers_again(tmp_path: Path) -> None:
    """The mount ends before the exporter: the kernel ends no process that waits for it."""
    well, stuck = tmp_path / "logs", tmp_path / "hung"
    for directory in (well, stuck):
        directory.mkdir()
        (directory / "a.log").write_text("a line\n")
    config = {
        "logs": [
            {"name": "well", "path": str(well), "max_bytes": "1MB"},
            {"name": "stuck", "path": str(stuck), "max_bytes": "1MB"},
        ],
        "collectors": {
            "filesystem": {"interval": "100ms", "deadline": "1s"},
            "logs": {"interval": "100ms", "deadline": "1s"},
        },
    }

    def answering(exporter: ExporterProcess) -> dict[str, float]:
        """Of what this test made, and of the root: other tests mount file systems meanwhile."""
        up = ("upkeeper_log_directory_up", "upkeeper_filesystem_device_error")
        ours = ("directory=", f'mountpoint="{tmp_path}', 'mountpoint="/"')
        return {
            name: value
            for name, value in exporter.metrics().items()
            if name.startswith(up) and any(part in name for part in ours)
        }

    async with ExporterProcess(tmp_path, yaml.safe_dump(config)) as exporter:
        await wait_until(lambda: exporter.get("/-/ready")[0], equals=200, what="a first round of each collector")
        before = answering(exporter)
        hung = {
            'upkeeper_log_directory_up{directory="stuck"}': 0.0,
            f'upkeeper_filesystem_device_error{{device="Hangs",fstype="fuse",mountpoint="{stuck}"}}': 1.0,
        }
        async with hung_mount(stuck):
            await wait_until(lambda: answering(exporter), equals=before | hung, what="the figures of what hangs")
            metrics = exporter.metrics()
            assert metrics['upkeeper_log_apparent_bytes{directory="well"}'] == 7
            assert metrics['upkeeper_collector_success{collector="filesystem"}'] == 1
            assert metrics['upkeeper_collector_success{collector="logs"}'] == 1
        await wait_until(lambda: answering(exporter), equals=before, what="all to answer again")
        assert before['upkeeper_log_directory_up{directory="stuck"}'] == 1


async def test_it_costs_a_thread_each_however_often_it_is_asked(tmp_path: Path) -> None:
    point = tmp_path / "hung"
    point.mkdir()
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_bytes(b"41 27 0:50 / " + bytes(point) + b" rw - fuse hangs rw\n")
    settings = CollectorSettings(deadline=0.002)
    filesystem = FilesystemCollector(Filesystems(), settings, mountinfo=mountinfo)
    logs = LogsCollector([LogDirectory(name="stuck", path=str(point), max_bytes=1)], settings, stale_after=0.0)
    async with hung_mount(point):
        before = threading.active_count(), len(os.listdir("/proc/self/fd"))
        for _ in range(ROUNDS):
            await filesystem.collect()
            await logs.collect()
        assert threading.active_count() <= before[0] + 2
        assert len(os.listdir("/proc/self/fd")) <= before[1] + 1
