"""The host collector: recorded trees, this very machine, and files that make no sense or hang."""

import asyncio
import os
import resource
import shutil
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from prometheus_client.core import Metric
from structlog.testing import capture_logs

from exporter.collectors.host import HostCollector
from exporter.host.clock import KernelClock, read_clock
from exporter.host.families import HOST
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.host import Host
from tests.exporter.host.test_sensors import machine, monitor
from tests.helpers import missing, wait_until
from tests.helpers import rounds as as_asked

RECORDED = Path(__file__).parents[1] / "recorded" / "host" / "proc"
CLOCK = KernelClock(state=0, status=0x2001, offset=120_000, max_error=25_000)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc of its own, to be broken."""
    return Path(shutil.copytree(RECORDED, tmp_path / "proc"))


def collector(proc: Path, sys_root: Path = Path("/nowhere"), deadline: float = 10, **limits: object) -> HostCollector:
    return HostCollector(
        Host.model_validate(limits),
        CollectorSettings(deadline=deadline),
        proc_root=proc,
        sys_root=sys_root,
        read_clock=lambda: CLOCK,
        portable_only=False,
    )


def figures(families: Sequence[Metric]) -> dict[str, float]:
    """By name without the prefix, and label values."""
    return {
        " ".join((sample.name.removeprefix("upkeeper_host_"), *sample.labels.values())): float(sample.value)
        for family in families
        for sample in family.samples
    }


async def collected(host: HostCollector) -> dict[str, float]:
    return figures(await host.collect())


async def test_every_family_of_a_recorded_machine(proc: Path, tmp_path: Path) -> None:
    machine(tmp_path / "sys")
    families = await collector(proc, tmp_path / "sys").collect()
    assert [family.name.removeprefix("upkeeper_host_") for family in families] == list(HOST)
    assert [family.name for family in families if not family.samples] == []
    found = figures(families)
    assert found["load 15m"] == 0.73
    assert found["cpu_seconds_total system"] == 149.93
    assert found["memory_available_bytes"] == 9412044 * 1024
    assert found["swap_out_bytes_total"] == 16384 * resource.getpagesize()
    assert found["pressure_ratio memory full 10s"] == 0.005
    assert found["pressure_stalled_seconds_total io some"] == 7.153706
    assert found["processes"] == 2
    assert found["clock_offset_seconds"] == 0.00012
    assert found["temperature_celsius nvme nvme0 Composite"] == 35.851
    assert found["temperature_critical_celsius nvme nvme0 Composite"] == 84.85


async def test_the_limits_are_metrics(proc: Path) -> None:
    found = await collected(
        collector(
            proc,
            memory_min_available_ratio=0.05,
            memory_max_pressure_ratio=0.2,
            max_load_per_cpu=1.5,
            clock_max_offset="1s",
        )
    )
    assert found["memory_min_available_ratio"] == 0.05
    assert found["memory_max_pressure_ratio"] == 0.2
    assert found["max_load_per_cpu"] == 1.5
    assert found["clock_max_offset_seconds"] == 1
    assert "clock_max_offset_seconds" not in await collected(collector(proc, clock_max_offset=None))


@pytest.mark.parametrize(
    ("file", "lost"),
    [
        ("loadavg", {"load", "threads"}),
        ("stat", {"cpu_seconds_total", "cpus", "boot_timestamp_seconds", "processes_running", "processes_blocked"}),
        (
            "meminfo",
            {"memory_total_bytes", "memory_available_bytes", "swap_total_bytes", "swap_free_bytes"},
        ),
        ("vmstat", {"swap_in_bytes_total", "swap_out_bytes_total", "oom_kills_total"}),
        ("sys/fs/file-nr", {"open_files", "max_open_files"}),
    ],
)
@pytest.mark.parametrize("content", [b"", b"nonsense\n", b"\xff\xfe\x00", None])
async def test_a_file_that_makes_no_sense_costs_only_its_own_figures(
    proc: Path, file: str, lost: set[str], content: bytes | None
) -> None:
    host = collector(proc)
    before = {name.split()[0] for name in await collected(host)}
    good = (proc / file).read_bytes()
    (proc / file).unlink()
    if content is not None:
        (proc / file).write_bytes(content)
    with capture_logs() as lines:
        for _ in range(3):
            assert {name.split()[0] for name in await collected(host)} == before - lost
        assert [(line["source"], line["log_level"]) for line in lines] == [(file, "warning")], "once in three rounds"
        (proc / file).write_bytes(good)
        assert {name.split()[0] for name in await collected(host)} == before
    assert [line["event"] for line in lines] == ["host figures not known", "host figures known again"]


async def test_pressure_that_the_kernel_does_not_measure_is_absent_without_a_word(proc: Path) -> None:
    shutil.rmtree(proc / "pressure")
    with capture_logs() as lines:
        assert not [name for name in await collected(collector(proc)) if name.startswith("pressure")]
    assert lines == []


async def test_a_clock_that_may_not_be_read_costs_only_its_own_figures(proc: Path) -> None:
    def forbidden() -> KernelClock:
        raise PermissionError("not allowed")

    host = HostCollector(Host(), CollectorSettings(), proc, Path("/nowhere"), forbidden, portable_only=False)
    found = await collected(host)
    assert "clock_offset_seconds" not in found
    assert "load 1m" in found


async def test_without_any_of_the_chief_files_the_collection_fails(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nothing is known of the host"):
        await collector(tmp_path).collect()


def reading_proc() -> list[threading.Thread]:
    """The threads that read it: others may be ending still."""
    return [thread for thread in threading.enumerate() if thread.name == "blocking 'proc'"]


async def test_a_proc_that_hangs_holds_nobody_up_and_costs_one_thread(proc: Path) -> None:
    (proc / "meminfo").unlink()
    os.mkfifo(proc / "meminfo")  # opening it waits for a writer, as a dead LXCFS would
    host = collector(proc, deadline=0.2)
    for _ in range(20):
        with pytest.raises(TimeoutError, match=r"/proc (does not|has not) answer"):
            await host.collect()
    assert len(reading_proc()) == 1
    # It answers at last.
    (proc / "meminfo").rename(proc / "pipe")
    shutil.copy(RECORDED / "meminfo", proc)
    with (proc / "pipe").open("wb") as pipe:
        pipe.write((RECORDED / "meminfo").read_bytes())
    await wait_until(lambda: not reading_proc())
    assert (await collected(host))["memory_total_bytes"] == 16331752 * 1024


async def test_a_sensor_that_hangs_costs_the_temperatures_only(proc: Path, tmp_path: Path) -> None:
    hanging = monitor(tmp_path / "sys", 0, "slow", temp1_label="x")
    os.mkfifo(hanging / "temp1_input")
    host = collector(proc, tmp_path / "sys", deadline=2)
    with capture_logs() as lines:
        for _ in range(3):
            found = await collected(host)
            assert "load 1m" in found
            assert not [name for name in found if name.startswith("temperature")]
    assert [line["source"] for line in lines] == ["sensors"]
    (hanging / "temp1_input").rename(tmp_path / "pipe")
    (hanging / "temp1_input").write_text("40000\n")
    with (tmp_path / "pipe").open("w") as pipe:
        pipe.write("41000\n")

    async def known() -> bool:
        return "temperature_celsius slow virtual x" in await collected(host)

    await wait_until(known)


async def test_this_machine_as_psutil_sees_it() -> None:
    if not Path("/proc/stat").exists():
        missing("there is no /proc")
    host = HostCollector(Host(), CollectorSettings())
    before, memory = psutil.cpu_times(), psutil.virtual_memory()
    found = await collected(host)
    after = psutil.cpu_times()
    for mode in ("user", "nice", "system", "idle", "irq", "softirq", "steal"):
        spent = found[f"cpu_seconds_total {mode}"]
        assert getattr(before, mode) - 0.011 <= spent <= getattr(after, mode) + 0.011, mode
    assert found["cpus"] == psutil.cpu_count()
    assert found["memory_total_bytes"] == memory.total
    assert abs(found["memory_available_bytes"] - memory.available) < 0.2 * memory.total
    swap = psutil.swap_memory()
    assert found["swap_total_bytes"] == swap.total
    assert found["swap_in_bytes_total"] <= swap.sin
    assert abs(found["boot_timestamp_seconds"] - psutil.boot_time()) <= 1
    assert abs(found["load 15m"] - os.getloadavg()[2]) < 1
    assert abs(found["processes"] - len(psutil.pids())) < 100
    assert found["threads"] >= found["processes"] / 2


async def test_a_host_without_proc_is_measured_too() -> None:
    host = HostCollector(Host(), CollectorSettings(), sys_root=Path("/nowhere"), portable_only=True)
    with capture_logs() as lines:
        portable, native = await collected(host), await collected(HostCollector(Host(), CollectorSettings()))
    assert not lines
    assert portable["memory_total_bytes"] == native["memory_total_bytes"]
    assert portable["cpus"] == native["cpus"]
    assert {name.split()[0] for name in portable} >= {
        "load",
        "cpu_seconds_total",
        "memory_available_bytes",
        "swap_free_bytes",
        "boot_timestamp_seconds",
    }


def test_the_clock_of_this_machine() -> None:
    if sys.platform != "linux":
        missing("adjtimex is of Linux only")
    clock = read_clock()
    assert 0 <= clock.state <= 5
    assert clock.max_error >= 0


@pytest.mark.slow
@pytest.mark.torture
async def test_many_rounds_leave_nothing_behind(proc: Path, tmp_path: Path) -> None:
    machine(tmp_path / "sys")
    host = HostCollector(Host(), CollectorSettings(), proc, tmp_path / "sys", portable_only=False)
    me = psutil.Process()
    good = (proc / "stat").read_bytes()

    async def rounds(count: int) -> None:
        for number in range(count):
            (proc / "stat").write_bytes(good if number % 3 else b"broken")
            await host.collect()

    await rounds(200)
    await asyncio.sleep(0)
    files, threads, memory = me.num_fds(), threading.active_count(), me.memory_info().rss
    with capture_logs():
        await rounds(as_asked("ROUNDS", 300, 1000))
    await wait_until(lambda: threading.active_count() <= threads, what="the threads to end")
    assert me.num_fds() <= files
    assert me.memory_info().rss - memory < 8 * 1024**2
