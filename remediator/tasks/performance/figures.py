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


_BUSY = 'rate(upkeeper_host_cpu_seconds_total{mode!~"idle|iowait"}[1h])'
_HITS = "rate(upkeeper_postgres_blocks_hit_total[1h])"
_READS = "rate(upkeeper_postgres_blocks_read_total[1h])"

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
        "rate(upkeeper_container_cpu_seconds_total[1h])", "container"
    ), "cores", ("container",), 0.05),
    Compared("memory of", _by(
        "avg_over_time(upkeeper_container_memory_working_set_bytes[1h])", "container"
    ), "bytes", ("container",), 32 * 1024**2),
    Compared("written to disk by", _by(
        "rate(upkeeper_container_blkio_write_bytes_total[1h])", "container"
    ), "bytes/s", ("container",), 64 * 1024),
    Compared("sent by", _by(
        "rate(upkeeper_container_network_transmit_bytes_total[1h])", "container"
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
