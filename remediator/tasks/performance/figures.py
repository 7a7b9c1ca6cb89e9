"""What is compared with the usual: each figure's query, a value an hour, by job, instance and whom it is about."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Unit = Literal["ratio", "cores", "bytes", "bytes/s", "s", ""]


class Compared(NamedTuple):
    """least: below which a difference is nobody's concern, in the unit."""

    figure: str
    query: str
    unit: Unit
    labels: Sequence[str] = ()
    least: float = 0.0


def _by(expression: str, *labels: str, how: str = "max") -> str:
    return f"{how} by ({', '.join(('job', 'instance', *labels))}) ({expression})"


_WINDOWS = (("1h", "58m"), ("15m", "14m"), ("5m", "3m"))
LEAST_SECONDS = 180.0
"""Of history, from which what is counted has a rate."""


def _rate(counter: str) -> str:
    """A second's growth, over the longest of these windows that Prometheus knows from end to end: ``rate`` divides by
    its whole window, also where there are values of a part of it only, as of a new container and beside any gap.
    """
    there = (f"(rate({counter}[{window}]) and {counter} offset {since} and {counter})" for window, since in _WINDOWS)
    return f"({' or '.join(there)})"


_BUSY = _rate('upkeeper_host_cpu_seconds_total{mode!~"idle|iowait"}')
# Both of the same window, which cancels out.
_HITS = "rate(upkeeper_postgres_blocks_hit_total[1h])"
_READS = "rate(upkeeper_postgres_blocks_read_total[1h])"

SINCE = "min by (job, instance) (min_over_time(timestamp(upkeeper_build_info)[1h:1m]))"
"""Since when, within the last hour, there are values."""

FIGURES: Sequence[Compared] = (
    Compared(
        "CPUs in use", f"{_by(_BUSY, how='sum')} / on (job, instance) {_by('upkeeper_host_cpus')}", "ratio", least=0.05
    ),
    Compared("memory in use", _by(
        "1 - avg_over_time(upkeeper_host_memory_available_bytes[1h]) / upkeeper_host_memory_total_bytes"
    ), "ratio", least=0.05),
    Compared("waiting for disks", _by(
        'avg_over_time(upkeeper_host_pressure_ratio{resource="io",kind="some",window="1m"}[1h])'
    ), "ratio", least=0.02),
    Compared("waiting for memory", _by(
        'avg_over_time(upkeeper_host_pressure_ratio{resource="memory",kind="some",window="1m"}[1h])'
    ), "ratio", least=0.01),
    Compared("CPUs of", _by(
        _rate("upkeeper_container_cpu_seconds_total"), "container"
    ), "cores", ("container",), 0.05),
    Compared("memory of", _by(
        "avg_over_time(upkeeper_container_memory_working_set_bytes[1h])", "container"
    ), "bytes", ("container",), 32 * 1024**2),
    Compared("written to disk by", _by(
        _rate("upkeeper_container_blkio_write_bytes_total"), "container"
    ), "bytes/s", ("container",), 64 * 1024),
    Compared("sent by", _by(
        _rate("upkeeper_container_network_transmit_bytes_total"), "container"
    ), "bytes/s", ("container",), 64 * 1024),
    Compared("answer of", _by(
        "avg_over_time(upkeeper_probe_duration_seconds[1h])", "target", "probe"
    ), "s", ("target", "probe"), 0.05),
    Compared("connections to", _by(
        "sum without (state) (avg_over_time(upkeeper_postgres_connections[1h]))", "server"
    ), "", ("server",), 2.0),
    Compared("reads from outside the cache of", _by(
        f"{_READS} / ({_HITS} + {_READS} > 0)", "server", "datname"
    ), "ratio", ("server", "datname"), 0.02),
    Compared("transactions in", _by(
        "avg_over_time(upkeeper_neo4j_transactions[1h])", "server", "database"
    ), "", ("server", "database"), 1.0),
)  # fmt: skip
