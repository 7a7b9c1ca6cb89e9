"""Parsers of /proc, the clock's figures, and kernels."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.host import clock, proc
from exporter.host.clock import KernelClock
from exporter.host.reboot import newer_kernel, reboot_required
from exporter.host.sample import Sample

RECORDED = Path(__file__).parents[1] / "recorded" / "host" / "proc"


def values(samples: Iterator[Sample]) -> dict[str, float]:
    """By name and labels."""
    return {" ".join((sample.name, *sample.labels)): sample.value for sample in samples}


def read(name: str) -> str:
    return (RECORDED / name).read_text()


def test_loadavg() -> None:
    assert values(proc.loadavg(read("loadavg"))) == {"load 1m": 0.52, "load 5m": 0.87, "load 15m": 0.73, "threads": 249}


def test_stat() -> None:
    found = values(proc.stat(read("stat"), ticks=100))
    assert found["cpu_seconds user"] == 536.03
    assert found["cpu_seconds steal"] == 1.35
    assert [name for name in found if name.startswith("cpu_seconds")] == [f"cpu_seconds {m}" for m in proc.CPU_MODES]
    assert found["cpus"] == 2
    assert found["boot_timestamp_seconds"] == 1795527199
    assert (found["processes_running"], found["processes_blocked"]) == (1, 3)


def test_meminfo() -> None:
    assert values(proc.meminfo(read("meminfo"))) == {
        "memory_total_bytes": 16331752 * 1024,
        "memory_available_bytes": 9412044 * 1024,
        "swap_total_bytes": 2097148 * 1024,
        "swap_free_bytes": 2031612 * 1024,
    }


def test_meminfo_of_a_kernel_that_does_not_reckon_what_is_available() -> None:
    old = "\n".join(line for line in read("meminfo").splitlines() if not line.startswith("MemAvailable"))
    assert "memory_available_bytes" not in values(proc.meminfo(old))


def test_vmstat() -> None:
    assert values(proc.vmstat(read("vmstat"), page_bytes=4096)) == {
        "swap_in_bytes": 120 * 4096,
        "swap_out_bytes": 16384 * 4096,
        "oom_kills": 2,
    }
    assert "oom_kills" not in values(proc.vmstat("pswpin 1\npswpout 2\n", page_bytes=4096))


def test_file_nr() -> None:
    assert values(proc.file_nr(read("sys/fs/file-nr"))) == {"open_files": 2181, "max_open_files": 2466183}


def test_pressure() -> None:
    assert values(proc.pressure(read("pressure/memory"), "memory")) == {
        "pressure_ratio memory some 10s": 0.015,
        "pressure_ratio memory some 1m": 0.0075,
        "pressure_ratio memory some 5m": 0.0025,
        "pressure_stalled_seconds memory some": 2.347,
        "pressure_ratio memory full 10s": 0.005,
        "pressure_ratio memory full 1m": 0.0025,
        "pressure_ratio memory full 5m": 0,
        "pressure_stalled_seconds memory full": 0.694,
    }


def test_all_of_a_host_cannot_wait_for_the_cpu() -> None:
    assert not [name for name in values(proc.pressure(read("pressure/cpu"), "cpu")) if "full" in name]


BROKEN: list[tuple[Callable[[str], Iterator[Sample]], str]] = [
    (proc.loadavg, ""),
    (proc.loadavg, "0.1 0.2 0.3"),
    (proc.loadavg, "0.1 0.2 0.3 7 9"),
    (proc.loadavg, "a b c 1/2 3"),
    (lambda text: proc.stat(text, 100), ""),
    (lambda text: proc.stat(text, 100), "cpu  1 x 3\nbtime 1\nprocs_running 1\nprocs_blocked 1"),
    (lambda text: proc.stat(text, 100), "cpu  1 2 3\nbtime\n"),
    (proc.meminfo, "MemTotal: lots kB"),
    (proc.meminfo, "MemTotal: 10 kB"),
    (lambda text: proc.vmstat(text, 4096), "pswpin 1"),
    (proc.file_nr, "1 2"),
    (lambda text: proc.pressure(text, "io"), "some avg10=1"),
    (lambda text: proc.pressure(text, "io"), "some avg10"),
    (lambda text: proc.pressure(text, "io"), "\n"),
]


@pytest.mark.parametrize(("parse", "text"), BROKEN)
def test_what_the_kernel_does_not_write_is_a_value_error(parse: Callable[[str], Iterator[Sample]], text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(parse(text))


def test_the_clock_in_both_of_its_units() -> None:
    micro = KernelClock(state=0, status=0x0001, offset=-1500, max_error=250_000)
    assert values(clock.samples(micro)) == {
        "clock_offset_seconds": -0.0015,
        "clock_max_error_seconds": 0.25,
        "clock_synchronized": 1,
    }
    nano = KernelClock(state=0, status=0x2001, offset=-1500, max_error=0)
    assert values(clock.samples(nano))["clock_offset_seconds"] == -0.0000015


@pytest.mark.parametrize(("state", "status"), [(5, 0), (0, 0x0040), (5, 0x0040)])
def test_a_clock_that_nobody_sets(state: int, status: int) -> None:
    assert values(clock.samples(KernelClock(state, status, 0, 16_000_000)))["clock_synchronized"] == 0


FIRST_8_10 = "4.18.0-553.el8_10.x86_64"


@pytest.mark.parametrize(
    ("running", "installed", "newer"),
    [
        ("6.1.0-26-amd64", ["6.1.0-26-amd64", "6.1.0-28-amd64"], True),
        ("6.1.0-28-amd64", ["6.1.0-26-amd64", "6.1.0-28-amd64"], False),
        ("6.1.0-9-amd64", ["6.1.0-9-amd64", "6.1.0-10-amd64"], True),
        ("6.1.0-26-amd64", ["6.1.0-26-amd64", "6.1.0-28-cloud-amd64"], False),
        ("6.12.9+deb13-amd64", ["6.12.9+deb13-amd64", "6.12.57+deb13-amd64"], True),
        ("6.8.0-49-generic", ["6.8.0-49-generic", "6.11.0-9-generic"], True),
        ("6.11.4-301.fc41.x86_64", ["6.11.4-301.fc41.x86_64", "6.11.10-300.fc41.x86_64", "0-rescue-ab12"], True),
        # The first kernel of a minor release against those that follow it, of Enterprise Linux 8 and 9.
        (FIRST_8_10, [FIRST_8_10, "4.18.0-553.5.1.el8_10.x86_64"], True),
        ("4.18.0-553.5.1.el8_10.x86_64", [FIRST_8_10, "4.18.0-553.5.1.el8_10.x86_64"], False),
        ("4.18.0-553.16.1.el8_10.x86_64", ["4.18.0-553.16.1.el8_10.x86_64", "4.18.0-553.8.1.el8_10.x86_64"], False),
        ("4.18.0-305.el8.x86_64", ["4.18.0-305.el8.x86_64", "4.18.0-305.3.1.el8_4.x86_64"], True),
        ("4.18.0-305.3.1.el8_4.x86_64", ["4.18.0-305.el8.x86_64", "4.18.0-305.3.1.el8_4.x86_64"], False),
        ("4.18.0-513.24.1.el8_9.x86_64", ["4.18.0-513.24.1.el8_9.x86_64", FIRST_8_10], True),
        (FIRST_8_10, [FIRST_8_10, "4.18.0-513.24.1.el8_9.x86_64"], False),
        (FIRST_8_10, [FIRST_8_10, "4.18.0-553.5.1.el8_10.x86_64+debug"], False),
        (FIRST_8_10, [FIRST_8_10, "4.18.0-553.5.1.rt7.346.el8_10.x86_64"], False),
        ("5.14.0-427.el9.x86_64", ["5.14.0-427.el9.x86_64", "5.14.0-427.2.1.el9_4.x86_64"], True),
        ("5.14.0-503.el9.x86_64", ["5.14.0-503.el9.x86_64", "5.14.0-514.el9.x86_64"], True),
        ("5.15.0-200.131.27.el8uek.x86_64", ["5.15.0-200.131.27.el8uek.x86_64", FIRST_8_10], False),
        ("6.9~rc7-amd64", ["6.9~rc7-amd64", "6.9.2-amd64"], True),
        ("6.9.2-amd64", ["6.9~rc7-amd64", "6.9.2-amd64"], False),
        ("6.1.0-fc", ["6.1.0-26-amd64"], None),
        ("6.1.0-fc", [], None),
    ],
)
def test_a_newer_kernel_waits_for_a_reboot(running: str, installed: list[str], newer: bool | None) -> None:
    assert newer_kernel(running, installed) is newer


def test_a_reboot_is_needed_when_the_marker_lies_there(tmp_path: Path) -> None:
    assert reboot_required(tmp_path, "6.1.0-26-amd64") is None
    (tmp_path / "etc/kernel/postinst.d").mkdir(parents=True)
    (tmp_path / "etc/kernel/postinst.d/unattended-upgrades").touch()
    assert reboot_required(tmp_path, "6.1.0-26-amd64") is False, "something would have left the marker"
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/vmlinuz-6.1.0-26-amd64").touch()
    (tmp_path / "boot/initrd.img-6.1.0-28-amd64").touch()
    assert reboot_required(tmp_path, "6.1.0-26-amd64") is False
    (tmp_path / "boot/vmlinuz-6.1.0-28-amd64").touch()
    assert reboot_required(tmp_path, "6.1.0-26-amd64") is True
    (tmp_path / "boot/vmlinuz-6.1.0-28-amd64").unlink()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/reboot-required").write_text("*** System restart required ***\n")
    assert reboot_required(tmp_path, "6.1.0-26-amd64") is True
