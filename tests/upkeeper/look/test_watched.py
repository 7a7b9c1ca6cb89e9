"""What is made of the exporter's figures: the state of all that is watched."""

from collections.abc import Sequence

import pytest
from prometheus_client.samples import Sample

from upkeeper.look.watched import watched

NOW = 1_800_000_000.0
DAY = 86400.0


def samples(label: str, name: str, **figures: float) -> list[Sample]:
    """One sample of each metric, of the thing of this name."""
    return [Sample(f"upkeeper_{metric}", {label: name}, value) for metric, value in figures.items()]


def filesystem(name: str, used: float, **figures: float) -> list[Sample]:
    limits = {"warn_used_ratio": 0.8, "critical_used_ratio": 0.9, "readonly": 0, "device_error": 0}
    figures = {"size_bytes": 100.0, "avail_bytes": 100.0 * (1 - used), **limits, **figures}
    return samples("mountpoint", name, **{f"filesystem_{key}": value for key, value in figures.items()})


def backup(name: str, **figures: float) -> list[Sample]:
    figures = {"up": 1, "sets": 3, "last_success_timestamp_seconds": NOW - DAY, "max_age_seconds": 2 * DAY, **figures}
    return samples("backup", name, **{f"backup_{key}": value for key, value in figures.items()})


def certificate(not_after: float) -> list[Sample]:
    labels = {"target": "web", "probe": "live"}
    return [
        Sample("upkeeper_probe_tls_not_after_timestamp_seconds", labels, not_after),
        Sample("upkeeper_probe_tls_min_validity_seconds", labels, 14 * DAY),
    ]


def container(state: str) -> list[Sample]:
    metric = "upkeeper_container_state"
    states = ("created", "running", "exited", "restarting")
    return [Sample(metric, {"container": "db", metric: one}, float(one == state)) for one in states]


@pytest.mark.parametrize(
    ("found", "kind", "state", "detail"),
    [
        (filesystem("/", 0.5), "file system", "ok", "50.0% of 100 B used"),
        (filesystem("/", 0.85), "file system", "warning", "85.0% of 100 B used, limit 80%"),
        (filesystem("/", 0.95), "file system", "critical", "95.0% of 100 B used, limit 90%"),
        (filesystem("/", 1.0, readonly=1), "file system", "ok", "100.0% of 100 B used"),
        (filesystem("/", 0.5, device_error=1), "file system", "critical", "does not answer"),
        (
            samples("directory", "app", log_directory_up=1, log_allocated_bytes=2048, log_max_bytes=1024),
            "log directory",
            "warning",
            "2 KiB of 1 KiB",
        ),
        (samples("directory", "app", log_directory_up=0), "log directory", "warning", "is missing or cannot be read"),
        (backup("db"), "backup", "ok", "the newest set is 1d old"),
        (
            backup("db", last_success_timestamp_seconds=NOW - 3 * DAY),
            "backup",
            "critical",
            "the newest set is 3d old, limit 2d",
        ),
        (backup("db", sets=0), "backup", "critical", "there is no set"),
        (backup("db", up=0), "backup", "critical", "cannot be read, so it is not known whether one exists"),
        (
            [*backup("db"), Sample("upkeeper_backup_verify_success", {"backup": "db", "level": "full"}, 0)],
            "backup",
            "critical",
            "the last verification failed",
        ),
        (samples("server", "main", postgres_up=1), "PostgreSQL server", "ok", "answers"),
        (
            samples("server", "main", postgres_up=0),
            "PostgreSQL server",
            "critical",
            "does not answer, or refuses the login",
        ),
        (samples("server", "graph", neo4j_up=0), "Neo4j server", "critical", "does not answer, or refuses the login"),
        (certificate(NOW + 90 * DAY), "certificate", "ok", "expires in 90d"),
        (certificate(NOW + DAY), "certificate", "warning", "expires in 1d"),
        (certificate(NOW - 2 * DAY), "certificate", "critical", "expired 2d ago"),
        (container("running"), "container", "ok", "running"),
        (container("exited"), "container", "ok", "exited"),
        (container("restarting"), "container", "warning", "restarting"),
        (
            [*container("running"), Sample("upkeeper_container_oom_killed", {"container": "db"}, 1)],
            "container",
            "warning",
            "running; it was OOM-killed",
        ),
        ([Sample("upkeeper_host_systemd_failed_units", {}, 2)], "systemd", "warning", "2 failed"),
        (samples("collector", "docker", collector_success=1), "collector", "ok", ""),
        (
            samples("collector", "docker", collector_success=0, collector_last_success_timestamp_seconds=NOW - 300),
            "collector",
            "warning",
            "fails: its figures are 5m old",
        ),
        (
            samples("collector", "docker", collector_success=0),
            "collector",
            "warning",
            "fails: there are no figures",
        ),
    ],
)
def test_a_thing_beside_its_limit(found: Sequence[Sample], kind: str, state: str, detail: str) -> None:
    (view,) = watched(found, NOW)
    assert (view["kind"], view["state"], view["detail"]) == (kind, state, detail)


def test_the_worst_comes_first_and_what_is_well_last() -> None:
    found = watched([*filesystem("/a", 0.1), *filesystem("/b", 0.85), *backup("db", sets=0), *backup("ok")], NOW)
    assert [view["name"] for view in found] == ["db", "/b", "/a", "ok"]
    assert watched([], NOW) == []
