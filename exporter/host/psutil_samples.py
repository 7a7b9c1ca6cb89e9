"""What psutil can tell of a host that has no ``/proc``, such as macOS. Not loaded on Linux."""

import os
from collections.abc import Iterator

from exporter.host.proc import CPU_MODES
from exporter.host.sample import Sample


def samples() -> Iterator[Sample]:
    """Load, CPU time, memory, swap and the boot. Blocks for milliseconds."""
    import psutil

    for period, value in zip(("1m", "5m", "15m"), os.getloadavg(), strict=True):
        yield Sample("load", value, (period,))
    times = psutil.cpu_times()._asdict()
    for mode in CPU_MODES:
        if mode in times:
            yield Sample("cpu_seconds", times[mode], (mode,))
    yield Sample("cpus", psutil.cpu_count() or os.cpu_count() or 1)
    yield Sample("boot_timestamp_seconds", psutil.boot_time())
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    yield Sample("memory_total_bytes", memory.total)
    yield Sample("memory_available_bytes", memory.available)
    yield Sample("swap_total_bytes", swap.total)
    yield Sample("swap_free_bytes", swap.free)
    yield Sample("swap_in_bytes", swap.sin)
    yield Sample("swap_out_bytes", swap.sout)
