"""The state directory on a full disk, without a ballast: reading works, what must write says why not, nothing dies.

On btrfs the same writes once ended the process by SIGBUS, since its write-ahead index was mapped from the disk.
"""

import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from remediator.store.sqlitefile import choose
from tests.e2e.processes import Api, end, firing, upkeeper
from tests.filesystems import mounted
from tests.helpers import long_form, wait_until
from tests.ports import free_port
from tests.smalldisk import fill, take_inodes
from tests.upkeeper.commandline import Done, invoke

MIB = 1024 * 1024
slow = pytest.mark.slow

FILE_SYSTEMS: dict[str, dict[str, Any]] = {
    "ext4": {"kind": "ext4", "size": 32 * MIB, "make": ("-b", "4096")},
    "ext4 with blocks smaller than a page": {"kind": "ext4", "size": 32 * MIB, "make": ("-b", "1024")},
    "xfs": {"kind": "xfs", "size": 320 * MIB},
    "btrfs": {"kind": "btrfs", "size": 128 * MIB},
    "tmpfs": {"kind": "tmpfs", "size": 16 * MIB},
    "no inodes": {"kind": "tmpfs", "size": 16 * MIB, "options": ",nr_inodes=100"},
}


@dataclass(frozen=True)
class Disk:
    """A small file system with a state directory on it."""

    point: Path
    state: Path
    inodes: bool
    """Whether it is to run out of inodes and not of space."""
    log: Path

    def fill(self) -> list[Path]:
        return take_inodes(self.point) if self.inodes else fill(self.point)

    async def upkeeper(self, *arguments: str) -> Done:
        return await invoke(*arguments, "--state-dir", self.state)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


STAND_FOR_ALL = ("ext4", "xfs", "no inodes")


@pytest.fixture(params=FILE_SYSTEMS if long_form() else STAND_FOR_ALL)
def disk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    for name in [name for name in os.environ if name.startswith("UPKEEPER_")]:
        monkeypatch.delenv(name)
    with mounted(tmp_path / "disk", **FILE_SYSTEMS[request.param]) as point:
        yield Disk(point, point / "state", request.param == "no inodes", tmp_path / "log")


def free(made: list[Path]) -> None:
    for path in made:
        path.unlink()
    os.sync()


def says_so(text: str, disk: Disk) -> bool:
    """Whether a text names the file system, and what to do."""
    short, look = ("has no inodes left", "df -i") if disk.inodes else ("is full", "df -h")
    return f"the file system {disk.point} (" in text and short in text and f"{look} {disk.point}" in text


@slow
@pytest.mark.torture
async def test_commands_read_and_those_that_must_write_say_why_they_cannot(disk: Disk) -> None:
    assert (await disk.upkeeper("run", "health-check", "all")).status == 0
    made = disk.fill()
    for arguments in (
        ("history",),
        ("show", "1"),
        ("plan", "health-check", "all"),
        ("alerts",),
        ("decisions",),
        ("remedies",),
        ("tasks",),
    ):
        done = await disk.upkeeper(*arguments, "--json")
        assert (done.status, bool(json.loads(done.out))) == (0, True), (arguments, done.err)
    seen = json.loads((await disk.upkeeper("status", "--json")).out)
    assert [run["task"] for run in seen["runs"]] == ["health-check"]
    for arguments in (("run", "health-check", "all"), ("pause",)):
        done = await disk.upkeeper(*arguments)
        *notes, error = done.err.splitlines()
        assert (done.status, done.out) == (1, "")
        assert error.startswith("error: ")
        assert says_so(error, disk)
        assert notes == [f"no remediator is running: working directly on {disk.state}"]
    free(made)
    assert (await disk.upkeeper("run", "health-check", "all")).status == 0


@slow
@pytest.mark.torture
async def test_a_first_start_without_room_is_one_clear_error(disk: Disk) -> None:
    disk.fill()
    for command in ("remediator", "pause --reason=rest"):
        done = await disk.upkeeper(*command.split())
        assert done.status == 1
        assert says_so(done.err.splitlines()[-1], disk)
    assert (await disk.upkeeper("history")).status == 0, "it makes nothing"


@slow
async def test_a_file_system_that_became_read_only_is_read_too(tmp_path: Path) -> None:
    """As ext4 does by itself after an error of the disk."""
    with mounted(tmp_path / "disk", "ext4", 32 * MIB) as point:
        disk = Disk(point, point / "state", False, tmp_path / "log")
        assert (await disk.upkeeper("run", "health-check", "all")).status == 0
        subprocess.run(["mount", "-o", "remount,ro", str(point)], check=True)
        for arguments in (("history",), ("show", "1"), ("plan", "health-check", "all")):
            done = await disk.upkeeper(*arguments)
            assert done.status == 0, (arguments, done.err)
        for command in ("run health-check all", "pause", "remediator"):
            done = await disk.upkeeper(*command.split())
            error = done.err.splitlines()[-1]
            assert (done.status, error.startswith("error: ")) == (1, True), (command, done.err)
            assert f"the file system {point} (" in error
            assert "is mounted read-only" in error


@slow
@pytest.mark.torture
async def test_a_remediator_that_starts_on_a_full_disk_reads_and_acts_when_there_is_room(disk: Disk) -> None:
    assert (await disk.upkeeper("run", "health-check", "all")).status == 0
    made = disk.fill()
    port = free_port()
    api = Api(f"http://127.0.0.1:{port}", disk.state)
    with upkeeper("remediator", "--state-dir", disk.state, f"--listen=127.0.0.1:{port}", log=disk.log) as process:
        runs = await wait_until(lambda: api.get("runs")["items"], what="the remediator to answer")
        assert [run["task"] for run in runs] == ["health-check"]
        refused = api.post_alerts(firing("00000000000000aa", alertname="A"))
        assert refused.status_code == 503
        assert says_so(refused.json()["detail"], disk)
        await wait_until(lambda: says_so(httpx.get(f"{api.url}/-/ready", verify=False).text, disk), what="the reason")
        assert httpx.get(f"{api.url}/metrics", verify=False).status_code == 200
        seen = json.loads((await invoke("status", "--json", "--url", api.url, "--state-dir", disk.state)).out)
        assert seen["problems"][0].startswith("the remediator does not act: the file system ")
        assert httpx.get(f"{api.url}/-/ready", verify=False).status_code == 503

        free(made)
        await wait_until(api.ready, what="the remediator to be ready")
        assert api.post_alerts(firing("00000000000000aa", alertname="A")).status_code == 202
        assert [alert["labels"] for alert in api.get("alerts")["items"]] == [{"alertname": "A"}]
        done = await disk.upkeeper("run", "health-check", "all")
        assert done.status == 0, done.err
        assert end(process) == 0
    said = [line["message"] for line in disk.lines if line["level"] in ("warning", "error")]
    assert [what for what in said if not what.startswith("ballast ")] == ["state cannot be written"]


@slow
@pytest.mark.torture
async def test_a_disk_that_fills_up_under_a_remediator_neither_ends_it_nor_loses_an_accepted_alert(disk: Disk) -> None:
    port = free_port()
    api = Api(f"http://127.0.0.1:{port}", disk.state)
    with upkeeper("remediator", "--state-dir", disk.state, f"--listen=127.0.0.1:{port}", log=disk.log) as process:
        await wait_until(api.ready, what="the remediator to be ready")
        numbers = itertools.count(1)
        accepted: set[str] = set()

        def post() -> int:
            name = f"A{next(numbers)}"
            status = api.post_alerts(firing(f"{int(name[1:]):016x}", alertname=name, padding="x" * 4000)).status_code
            if status == 202:
                accepted.add(name)
            return status

        assert post() == 202
        made = disk.fill()
        if not disk.inodes:  # which a database that is open already does not need
            # The ballast is used up first, and the write-ahead log may have room of its own for a while. A written page
            # of a map is a clean one after a sync, and to write it again takes new room where a file system never
            # writes in place.
            assert next((number for number in range(5000) if post() == 503), None) is not None
            for _ in range(5):
                os.sync()
                assert {post() for _ in range(20)} == {503}
                assert process.poll() is None
        assert api.get("alerts")["items"]

        free(made)
        await wait_until(lambda: post() == 202, what="an alert to be taken again")
        found: set[str] = set()
        before = ""
        while page := api.get(f"alerts?limit=500{before}"):
            found |= {alert["labels"]["alertname"] for alert in page["items"]}
            if page["next"] is None:
                break
            before = f"&before={page['next']}"
        assert found == accepted

        async def decided() -> bool:
            return len(api.get("decisions?limit=500")["items"]) >= min(500, len(accepted))

        await wait_until(decided, what="all alerts to be decided about")
        assert end(process) == 0
    said = [line["message"] for line in disk.lines if line["level"] in ("warning", "error")]
    # More than once where a checkpoint of the write-ahead log frees a little in between.
    assert {what for what in said if not what.startswith("ballast ")} == (
        set() if disk.inodes else {"state cannot be written"}
    )


@pytest.mark.parametrize(
    ("fstype", "block_size", "all_in_file", "expected"),
    [
        ("ext4", 4096, True, ["shared", "exclusive", "frozen"]),
        ("xfs", 4096, False, ["shared", "exclusive"]),
        ("tmpfs", 4096, False, ["shared", "exclusive"]),
        ("ext4", 1024, True, ["exclusive", "frozen"]),
        ("btrfs", 4096, True, ["exclusive", "frozen"]),
        ("btrfs", 4096, False, ["exclusive"]),
        ("fuse.sshfs", 4096, False, ["exclusive"]),
        ("", 4096, False, ["exclusive"]),
    ],
)
def test_an_index_is_mapped_only_where_a_full_disk_cannot_take_it_away(
    fstype: str, block_size: int, all_in_file: bool, expected: list[str]
) -> None:
    assert list(choose(fstype, block_size, all_in_file=all_in_file)) == expected
