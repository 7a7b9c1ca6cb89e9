"""The metric families of the host, and the making of them from samples."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from prometheus_client.core import Metric

from exporter.base.families import Families
from exporter.host.sample import Sample


class Family(NamedTuple):
    """What one family means."""

    documentation: str
    labels: tuple[str, ...] = ()
    counter: bool = False


HOST: Mapping[str, Family] = {
    "load": Family("Threads that run, are runnable or wait for I/O, averaged.", ("period",)),
    "max_load_per_cpu": Family("Load of the last 15 minutes per CPU from which the host is overloaded."),
    "cpus": Family("CPUs that are online."),
    "cpu_seconds": Family("CPU time spent since boot, summed over all CPUs.", ("mode",), counter=True),
    "memory_total_bytes": Family("Total memory of the host."),
    "memory_available_bytes": Family("Memory available to programs without swapping."),
    "memory_min_available_ratio": Family("Share of the memory that must be available."),
    "swap_total_bytes": Family("Swap space."),
    "swap_free_bytes": Family("Swap space that is not used."),
    "swap_in_bytes": Family("Memory read back from swap since boot.", counter=True),
    "swap_out_bytes": Family("Memory written to swap since boot.", counter=True),
    "oom_kills": Family("OOM kills since boot.", counter=True),
    "pressure_ratio": Family(
        "Share of the time in which some programs, or all at once, waited for the resource.",
        ("resource", "kind", "window"),
    ),
    "pressure_stalled_seconds": Family(
        "Time in which some programs, or all at once, waited for the resource, since boot.",
        ("resource", "kind"),
        counter=True,
    ),
    "memory_max_pressure_ratio": Family("Share of the time in which all programs may wait for memory at once."),
    "processes": Family("Processes that exist."),
    "processes_running": Family("Threads that run or are runnable."),
    "processes_blocked": Family("Threads that wait for I/O."),
    "threads": Family("Threads that exist."),
    "open_files": Family("Open files of the whole host."),
    "max_open_files": Family("Open files that the kernel allows."),
    "boot_timestamp_seconds": Family("When the host was booted."),
    "clock_offset_seconds": Family(
        "Correction that the kernel still has to apply to its clock; 0 where chrony controls it."
    ),
    "clock_max_offset_seconds": Family("How far the clock may be off."),
    "clock_max_error_seconds": Family("How far the clock may be off at most, as estimated by the kernel."),
    "clock_synchronized": Family("Whether something keeps the kernel's clock synchronized."),
    "temperature_celsius": Family("Temperature of the sensor.", ("chip", "device", "sensor")),
    "temperature_critical_celsius": Family(
        "Temperature that the sensor reports as critical.", ("chip", "device", "sensor")
    ),
}
"""Of the collector ``host``. Its order is that of the exposition."""

UPDATES: Mapping[str, Family] = {
    "package_manager_up": Family("Whether the package manager answered the last time it was asked.", ("manager",)),
    "updates_pending": Family("Packages that an upgrade would update now.", ("manager",)),
    "security_updates_pending": Family(
        "Installed packages with a newer version that fixes a security problem, including those held back.",
        ("manager",),
    ),
    "updates_held_back": Family("Packages with a newer version that an upgrade would not install.", ("manager",)),
    "updates_phased": Family(
        "Packages with a newer version that the distribution has not released to this host yet.", ("manager",)
    ),
    "package_lists_refreshed_timestamp_seconds": Family("When the package lists last changed.", ("manager",)),
    "package_lists_max_age_seconds": Family("Age from which the package lists are too old."),
    "security_updates_max_pending_seconds": Family("How long security updates may be pending."),
    "reboot_required": Family("Whether updates need a reboot; absent where that cannot be determined."),
    "reboot_max_pending_seconds": Family("How long a needed reboot may be pending."),
}
"""Of the collector ``updates``."""

SYSTEMD: Mapping[str, Family] = {
    "systemd_failed_units": Family("Failed systemd units."),
}
"""Of the collector ``systemd``, beside the state of the whole."""


def build(declared: Mapping[str, Family], samples: Iterable[Sample]) -> Sequence[Metric]:
    """All the declared families, with those samples that there are. Raises KeyError on one of no declared family."""
    made = Families("upkeeper_host")
    families = {
        name: (made.counter if each.counter else made.gauge)(name, each.documentation, *each.labels)
        for name, each in declared.items()
    }
    for sample in samples:
        families[sample.name].add(sample.labels, sample.value)
    return made.all
