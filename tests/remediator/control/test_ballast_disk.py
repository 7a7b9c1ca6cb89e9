"""A full disk with a ballast: the alert that it brings is accepted and acted on, and the ballast is laid anew."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.processes import Api, end, firing, upkeeper
from tests.filesystems import mounted
from tests.helpers import long_form, wait_until
from tests.ports import free_port
from tests.smalldisk import fill, take_inodes

pytestmark = [pytest.mark.slow, pytest.mark.torture]

MIB = 1024 * 1024

FILE_SYSTEMS: dict[str, dict[str, Any]] = {
    "ext4": {"kind": "ext4", "size": 128 * MIB},
    "xfs": {"kind": "xfs", "size": 320 * MIB},
    "btrfs": {"kind": "btrfs", "size": 256 * MIB},
    "tmpfs": {"kind": "tmpfs", "size": 64 * MIB},
    "tmpfs without inodes": {"kind": "tmpfs", "size": 64 * MIB, "options": ",nr_inodes=400"},
    "ext4 without inodes": {"kind": "ext4", "size": 128 * MIB, "make": ("-N", "512")},
}

CONFIG = """
schedule: {{jobs: []}}  # what is due at the full minute is not the run that the alert asked for
logs:
  - {{name: pa, path: "{logs}", max_bytes: 8MiB, rotation: {{max_file_bytes: 64KiB, keep_count: 1}}}}
"""


@dataclass(frozen=True)
class Disk:
    """A small file system with a state directory and the logs that fill it."""

    point: Path
    inodes: bool
    """Whether it is to run out of inodes and not of space."""
    config: Path
    log: Path

    @property
    def state(self) -> Path:
        return self.point / "state"

    @property
    def logs(self) -> Path:
        return self.point / "logs"

    def fill(self) -> None:
        """With old rotated logs and one that has just grown, as a program gone wild leaves them."""
        with (self.logs / "pa.log").open("wb") as grown:
            grown.write(os.urandom(MIB))
        for number in range(2, 30):
            (self.logs / f"pa.log.{number}").write_bytes(os.urandom(64 * 1024))
        made = take_inodes(self.logs) if self.inodes else fill(self.logs)
        for number, path in enumerate(made, start=30):
            path.rename(self.logs / f"pa.log.{number}")
        os.sync()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def those(*names: str) -> list[str]:
    """File systems that stand for all of them; in the long form all."""
    return list(FILE_SYSTEMS) if long_form() else list(names)


@pytest.fixture(params=those("ext4", "xfs", "ext4 without inodes"))
def disk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    for name in [name for name in os.environ if name.startswith("UPKEEPER_")]:
        monkeypatch.delenv(name)
    with mounted(tmp_path / "disk", **FILE_SYSTEMS[request.param]) as point:
        disk = Disk(point, "inodes" in request.param, tmp_path / "upkeeper.yml", tmp_path / "log")
        disk.logs.mkdir()
        disk.config.write_text(CONFIG.format(logs=disk.logs))
        yield disk


def serving(disk: Disk, port: int) -> Any:
    address = f"--listen=127.0.0.1:{port}"
    return upkeeper("remediator", "--config", disk.config, "--state-dir", disk.state, address, log=disk.log)


def whole(api: Api) -> bool:
    return bool(api.get("status")["ballast"]["whole"])


ALERT = firing("00000000000000aa", alertname="UpkeeperLogDirectoryOverLimit", directory="pa")


async def cleaned(api: Api) -> Any:
    """The run that the alert asked for, once it is over."""

    def over() -> Any:
        runs = api.get("runs")["items"]
        return runs[0] if runs and runs[0]["state"] == "finished" else None

    return await wait_until(over, timeout=120, what="the run to end")


async def test_a_full_disk_accepts_its_alert_is_cleaned_and_has_its_ballast_again(disk: Disk) -> None:
    port = free_port()
    api = Api(f"http://127.0.0.1:{port}", disk.state)
    with serving(disk, port) as process:
        await wait_until(api.ready, what="the remediator to be ready")
        await wait_until(lambda: whole(api), what="the ballast to be laid")
        disk.fill()
        with pytest.raises(OSError, match="No space left"):
            (disk.point / "one more").write_bytes(bytes(MIB))

        assert api.post_alerts(ALERT).status_code == 202
        run = await cleaned(api)
        assert (run["trigger"], run["outcome"]) == ("alert", "effective"), run
        await wait_until(lambda: whole(api), timeout=60, what="the ballast to be laid anew")
        recorded = {record["kind"] for record in api.get("audit?limit=500")["items"]}
        released = any(line["message"] == "ballast released" for line in disk.lines)
        assert released or disk.inodes  # the files beside the database are there already
        assert ("ballast.laid" in recorded, "ballast.released" in recorded) == (True, released)
        (disk.point / "one more").write_bytes(bytes(MIB))
        assert end(process) == 0
    said = [line["message"] for line in disk.lines if line["level"] in ("warning", "error")]
    assert set(said) <= {"ballast released", "ballast cannot be promised"}


# On btrfs nothing is promised: what was released may be taken whole, and a start then needs what there is not.
@pytest.mark.parametrize("disk", [name for name in those("ext4") if name != "btrfs"], indirect=True)
async def test_a_service_that_was_killed_on_a_full_disk_starts_on_it_and_goes_on(disk: Disk) -> None:
    port = free_port()
    api = Api(f"http://127.0.0.1:{port}", disk.state)
    with serving(disk, port) as process:
        await wait_until(api.ready, what="the remediator to be ready")
        await wait_until(lambda: whole(api), what="the ballast to be laid")
        disk.fill()
        assert api.post_alerts(ALERT).status_code == 202
        process.send_signal(signal.SIGKILL)
        process.wait()
    fill(disk.logs)  # what was released meanwhile is taken too
    with serving(disk, port) as process:
        await wait_until(api.ready, timeout=60, what="the remediator to be ready")
        assert (await cleaned(api))["outcome"] in ("effective", "nothing-to-do")
        await wait_until(lambda: whole(api), timeout=60, what="the ballast to be laid anew")
        assert end(process) == 0


@pytest.mark.parametrize("disk", those("tmpfs without inodes"), indirect=True)
async def test_a_service_that_was_stopped_starts_on_a_disk_that_is_full_by_then(disk: Disk) -> None:
    """Then the database has no files beside it, and a start needs room and inodes for them."""
    port = free_port()
    api = Api(f"http://127.0.0.1:{port}", disk.state)
    with serving(disk, port) as process:
        await wait_until(api.ready, what="the remediator to be ready")
        await wait_until(lambda: whole(api), what="the ballast to be laid")
        assert end(process) == 0
    disk.fill()
    with serving(disk, port) as process:
        await wait_until(api.ready, timeout=60, what="the remediator to be ready")
        assert api.post_alerts(ALERT).status_code == 202
        assert (await cleaned(api))["outcome"] == "effective"
        await wait_until(lambda: whole(api), timeout=60, what="the ballast to be laid anew")
        families = httpx.get(f"{api.url}/metrics").text
        assert "upkeeper_ballast_bytes" in families
        assert end(process) == 0
