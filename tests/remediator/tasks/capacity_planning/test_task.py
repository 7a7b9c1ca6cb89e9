"""capacity-planning, of the history that a real Prometheus has of a host, made from seeds."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio

from remediator.config.config import Config
from remediator.forecast.days import DAY
from remediator.forecast.row import ForecastRow
from remediator.model.task import Action, TaskError
from remediator.peers.http import PeerError
from remediator.peers.places import PeerUnknown
from remediator.peers.prometheus import Prometheus
from remediator.tasks.capacity_planning.history import mount_of
from remediator.tasks.capacity_planning.task import CapacityPlanning
from tests.ports import free_port
from tests.remediator.backtest.past import remembering
from tests.remediator.forecast.linear import predict_linear
from tests.servers import Server

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

NOW = 1_790_000_000.0
DAYS = 28
STEP = 1800.0
GIB = 1024**3
BOOT = NOW - 90 * DAY
HOME = {"job": "upkeeper", "instance": "pa:10746"}
OTHER = {"job": "upkeeper", "instance": "attic:10746"}
ROOT = {"device": "/dev/sda1", "mountpoint": "/", "fstype": "ext4"}
CD = {"device": "/dev/sr0", "mountpoint": "/media", "fstype": "iso9660"}

Value = Callable[[float, Random], float]
"""Of days before now (negative), and dice."""


def nightly(day: float) -> float:
    """A backup that lies on the disk for two hours each night."""
    return 8.0 if day % 1 < 2 / 24 else 0.0


def until(days: float, value: Value) -> Value:
    """What was measured until so many days ago, and is gone since."""
    return lambda day, dice: value(day, dice) if day <= -days else float("nan")


SERIES: Sequence[tuple[str, Mapping[str, str], Value]] = (
    ("build_info", HOME, lambda day, dice: 1),
    ("build_info", OTHER, lambda day, dice: 1),
    ("host_boot_timestamp_seconds", HOME, lambda day, dice: BOOT),
    ("host_boot_timestamp_seconds", OTHER, lambda day, dice: BOOT + 5),
    # 70 GiB are used at night, 1.5 GiB more each day: full in 20 days or so.
    ("filesystem_size_bytes", {**HOME, **ROOT}, lambda day, dice: 100 * GIB),
    (
        "filesystem_avail_bytes", {**HOME, **ROOT},
        lambda day, dice: (38 - 1.5 * day - nightly(day) + dice.gauss(0, 0.1)) * GIB,
    ),
    ("filesystem_readonly", {**HOME, **ROOT}, lambda day, dice: 0),
    ("filesystem_files", {**HOME, **ROOT}, lambda day, dice: 6_000_000),
    ("filesystem_files_free", {**HOME, **ROOT}, lambda day, dice: 5_000_000 + dice.randrange(1000)),
    ("filesystem_size_bytes", {**HOME, **CD}, lambda day, dice: GIB),
    ("filesystem_avail_bytes", {**HOME, **CD}, lambda day, dice: 0),
    ("filesystem_readonly", {**HOME, **CD}, lambda day, dice: 1),
    ("filesystem_size_bytes", {**OTHER, **ROOT}, lambda day, dice: 100 * GIB),
    ("filesystem_avail_bytes", {**OTHER, **ROOT}, lambda day, dice: (10 - 5 * day) * GIB),
    # Unmounted a day ago.
    (
        "filesystem_size_bytes", {**HOME, **ROOT, "mountpoint": "/mnt/usb"}, until(1, lambda day, dice: 10 * GIB),
    ),
    (
        "filesystem_avail_bytes", {**HOME, **ROOT, "mountpoint": "/mnt/usb"}, until(1, lambda day, dice: -day * GIB),
    ),
    ("host_memory_total_bytes", HOME, lambda day, dice: 16 * GIB),
    ("host_memory_available_bytes", HOME, lambda day, dice: (9 + dice.gauss(0, 0.5)) * GIB),
    ("log_allocated_bytes", {**HOME, "directory": "app"}, lambda day, dice: (900 + 10 * (day % 7)) * 1024**2),
    ("log_max_bytes", {**HOME, "directory": "app"}, lambda day, dice: 1024**3),
    # The next set needs 10 GiB; of those that are there each day takes 0.5.
    ("backup_room_bytes", {**HOME, "backup": "nightly"}, lambda day, dice: (14 - 0.5 * day) * GIB),
    ("backup_next_size_max_bytes", {**HOME, "backup": "nightly"}, lambda day, dice: 10 * GIB),
    ("docker_usage_bytes", {**HOME, "kind": "images"}, lambda day, dice: (20 + 0.2 * day) * GIB),
    ("docker_usage_bytes", {**HOME, "kind": "volumes"}, lambda day, dice: 5 * GIB),
    (
        "postgres_database_size_bytes", {**HOME, "server": "main", "datname": "letta"},
        lambda day, dice: (4 + 0.1 * day) * GIB,
    ),
    ("sqlite_size_bytes", {**HOME, "database": "n8n"}, lambda day, dice: (2 + 0.05 * day) * GIB),
    # Only since five days.
    (
        "postgres_wal_bytes", {**HOME, "server": "main"},
        lambda day, dice: 64 * 1024**2 if day > -5 else float("nan"),
    ),
)  # fmt: skip


def history() -> dict[str, list[str]]:
    dice = Random(13)
    lines: dict[str, list[str]] = {}
    for name, labels, value in SERIES:
        metric = f"upkeeper_{name}"
        text = ",".join(f'{key}="{one}"' for key, one in labels.items())
        begin = NOW - DAYS * DAY
        for index in range(int(DAYS * DAY / STEP) + 1):
            at = begin + index * STEP
            found = value((at - NOW) / DAY, dice)
            if found == found:
                lines.setdefault(metric, []).append(f"{metric}{{{text}}} {found} {at:.0f}")
    return lines


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    directory = tmp_path_factory.mktemp("history")
    async with remembering(directory, history(), {}, "--storage.tsdb.retention.time=30d") as running:
        yield running


def config(data: Path | None = None) -> Config:
    postgres = {"name": "main", "host": "127.0.0.1", "maintenance": {"data_directory": str(data)}} if data else None
    return Config.model_validate({"postgres": [postgres]} if postgres else {})


def subject(server: Server, settings: Config | None = None, boot: float = BOOT) -> CapacityPlanning:
    return CapacityPlanning(
        settings or config(), lambda: Prometheus(server.url, 60.0), None, clock=lambda: NOW, booted_at=lambda: boot
    )


async def planned(task: CapacityPlanning, **params: int) -> tuple[dict[str, ForecastRow], Sequence[str]]:
    plan = await task.plan("all", params)
    assert plan.actions == ()
    rows = {row.sink: row for row in plan.rows if isinstance(row, ForecastRow)}
    assert len(rows) == len(plan.rows)
    [made] = plan.made
    document = json.loads(made.content)
    assert made.name == "capacity.json"
    assert document["sinks"] == [row.model_dump(mode="json") for row in plan.rows]
    assert document["notes"] == list(plan.notes)
    return rows, plan.notes


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def found(server: Server) -> tuple[dict[str, ForecastRow], Sequence[str]]:
    """What is planned without any parameters."""
    return await planned(subject(server))


@pytest.fixture
def rows(found: tuple[dict[str, ForecastRow], Sequence[str]]) -> dict[str, ForecastRow]:
    return found[0]


async def test_every_sink_of_this_host_has_its_row(found: tuple[dict[str, ForecastRow], Sequence[str]]) -> None:
    rows, notes = found
    assert set(rows) == {
        "filesystem:/", "inodes:/", "memory", "logs:app", "backup:nightly", "docker", "database:main/letta",
        "wal:main", "sqlite:n8n",
    }  # fmt: skip
    assert list(rows)[:2] == ["backup:nightly", "filesystem:/"]
    assert notes == [
        "Prometheus keeps 30d, and 42d are looked at: with --storage.tsdb.retention.time=42d forecasts reach further "
        "and are surer.",
        "1 sink without a forecast, for the reasons in the table.",
        "Of database:main/letta, docker, sqlite:n8n, wal:main it is not known on which file system they lie "
        "(maintenance.data_directory of a PostgreSQL server): only their growth is told.",
    ]


async def test_a_disk_with_a_nightly_backup(rows: dict[str, ForecastRow]) -> None:
    """38 GiB are free by day, 30 at night: at 1.5 a day it is full in 20 days."""
    root = rows["filesystem:/"]
    assert root.growth == pytest.approx(1.5 * GIB, rel=0.02)
    assert root.days == pytest.approx(20, abs=1)
    assert root.days_earliest is not None
    assert root.days_latest is not None
    assert root.days_earliest <= 20 <= root.days_latest
    assert root.full_at == pytest.approx(NOW + 20 * DAY, abs=DAY)
    assert root.used_ratio == pytest.approx(0.70, abs=0.01)
    assert root.error_ratio == pytest.approx(0, abs=0.01)
    assert root.is_own


async def test_what_has_no_reason_to_be_full(rows: dict[str, ForecastRow]) -> None:
    for sink in ("inodes:/", "memory", "logs:app"):
        assert rows[sink].days is None
        assert rows[sink].full_at is None
        assert rows[sink].says.startswith(("not within ", "hardly within "))
    assert rows["inodes:/"].unit == "files"
    assert rows["logs:app"].growth == pytest.approx(0, abs=1024**2)


async def test_room_for_the_next_backup(rows: dict[str, ForecastRow]) -> None:
    """14 GiB are free, 10 must be, and each day takes half a one."""
    assert rows["backup:nightly"].days == pytest.approx(8, abs=1)
    assert rows["backup:nightly"].is_own


async def test_what_lies_in_a_file_system_is_limited_by_it(server: Server, tmp_path: Path) -> None:
    rows, _ = await planned(subject(server, config(tmp_path)))
    letta = rows["database:main/letta"]
    assert letta.within == "/"
    assert letta.limit == pytest.approx(34 * GIB, rel=0.05)
    assert letta.remarks == ["limited by the free space of /"]
    assert not letta.is_own


async def test_a_young_series_says_so(rows: dict[str, ForecastRow]) -> None:
    assert rows["wal:main"].says == "not foretold: its history has 5 days with values, and 7 are needed"
    assert rows["wal:main"].growth is None


async def test_less_history_by_a_parameter(server: Server) -> None:
    task = subject(server)
    rows, notes = await planned(task, days=14)
    assert rows["filesystem:/"].history_days == 14
    assert not any("retention" in note for note in notes)
    assert (await planned(task))[0]["filesystem:/"].history_days == 28


async def test_the_measurement_is_never_a_breach(server: Server) -> None:
    measured = await subject(server).measure("all")
    assert not measured.breached
    assert measured.values.keys() == {"backup:nightly", "filesystem:/"}
    assert measured.detail.startswith("9 sinks; backup:nightly is full in ")


async def test_which_exporter_is_this_host_must_be_clear(server: Server) -> None:
    with pytest.raises(TaskError, match=r"knows 2 exporters of Upkeeper, and none of them since this host's boot"):
        await subject(server, boot=BOOT + 100).plan("all")
    other, _ = await planned(subject(server, boot=BOOT + 5))
    assert set(other) == {"filesystem:/"}


async def test_without_a_prometheus_it_says_so() -> None:
    def unknown() -> Prometheus:
        raise PeerUnknown("no Prometheus is known: set `prometheus: {url: ...}` in the config")

    task = CapacityPlanning(config(), unknown, None, clock=lambda: NOW)
    plan = await task.plan("all")
    said = (
        "Nothing can be foretold without a history: no Prometheus is known: set `prometheus: {url: ...}` in the config."
    )
    assert (list(plan.rows), plan.notes) == ([], [said])
    measured = await task.measure("all")
    assert (measured.breached, measured.detail) == (False, said.rstrip("."))


async def test_a_prometheus_that_does_not_answer_is_a_failure() -> None:
    gone = CapacityPlanning(config(), lambda: Prometheus(f"http://127.0.0.1:{free_port()}"), None, clock=lambda: NOW)
    with pytest.raises(PeerError, match="cannot reach Prometheus"):
        await gone.measure("all")


async def test_it_has_no_actions(server: Server) -> None:
    with pytest.raises(TaskError, match="capacity-planning has no actions, so it cannot grow"):
        await subject(server).apply("all", Action(kind="grow", object="/", reason="it is small"))


async def test_predict_linear_is_what_prometheus_makes_of_it(server: Server) -> None:
    """The table of docs/how-to/forecasts.md compares with what Prometheus would say."""
    selector = 'upkeeper_filesystem_avail_bytes{instance="pa:10746",mountpoint="/"}'
    async with Prometheus(server.url) as real:
        [told] = await real.instant(f"predict_linear({selector}[21599s], 86400)", NOW)
        [series] = await real.raw(f"{selector}[21599s]", NOW)
    assert len(series.samples) == 12
    assert predict_linear(series.samples, NOW, 86400) == pytest.approx(told.value, rel=1e-9)


@pytest.mark.parametrize(
    ("path", "mount"),
    [("/var/lib/docker", "/var"), ("/var", "/var"), ("/variety", "/"), ("/srv/a/b", "/srv/a"), ("/srv/ab", "/")],
)
async def test_the_mount_point_of_a_path(path: str, mount: str) -> None:
    assert mount_of(path, ["/", "/var", "/srv/a"]) == mount
    assert mount_of("/x", ["/var"]) is None
