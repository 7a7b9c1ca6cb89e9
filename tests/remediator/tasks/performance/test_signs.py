"""What is worth doing by what is known already."""

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from remediator.config.config import Config
from remediator.config.shipped import default_remedies
from remediator.decide.remedies import Remedies
from remediator.images.news import ImageNews, News, write_news
from remediator.store import tables
from remediator.store.database import Database
from remediator.tasks.performance import signs
from remediator.tasks.performance.known import Known, targets
from remediator.tasks.performance.rows import AdviceRow
from remediator.tasks.registry import FACTS
from remediator.tasks.resources import Resources

NOW = 1_790_000_000.0
DAY = 86400.0
CONFIG = Config.model_validate(
    {"logs": [{"name": "app", "path": "/var/log/app", "max_bytes": "1G"}], "host": {"max_load_per_cpu": 2}}
)
REMEDIES, TARGETS = Remedies(default_remedies()), targets(CONFIG)


def told(rows: Any) -> list[tuple[str, str, str]]:
    return [(row.task, row.target, row.why) for row in rows]


def alert(name: str, **labels: str) -> tuple[dict[str, str], dict[str, str], float]:
    return {"alertname": name, **labels}, {"summary": f"{name} it is"}, NOW


@pytest.mark.parametrize(
    ("labels", "task", "target"),
    [
        ({"alertname": "UpkeeperLogDirectoryOverLimit", "directory": "app"}, "log-rotation", "app"),
        ({"alertname": "UpkeeperSecurityUpdatesOverdue", "manager": "apt"}, "security-update", "apt"),
        ({"alertname": "UpkeeperContainerUnhealthy", "container": "letta"}, "service-restart", "letta"),
        ({"alertname": "UpkeeperImageUpdateWaiting", "target": "pa.letta"}, "image-update", "pa.letta"),
        ({"alertname": "UpkeeperFilesystemFull", "mountpoint": "/"}, "comprehensive-cleanup", "all"),
        ({"alertname": "UpkeeperContainerRestartLoop", "container": "n8n"}, "diagnose", "all"),
        ({"alertname": "UpkeeperHostOverloaded"}, "performance-check", "all"),
    ],
)
def test_an_alert_that_fires_is_worth_what_its_remedy_does(labels: dict[str, str], task: str, target: str) -> None:
    (row,) = signs.of_alerts([(labels, {"summary": "so it is"}, NOW)], REMEDIES, TARGETS)
    assert (row.task, row.target, row.command) == (task, target, f"upkeeper run {task} {target}")
    assert (row.why, row.breached, row.critical) == ("so it is", True, False)


def test_a_label_selects_a_target_or_nothing() -> None:
    firing = [
        alert("UpkeeperLogDirectoryOverLimit", directory="elsewhere"),
        alert("UpkeeperLogDirectoryOverLimit"),
        alert("UpkeeperContainerUnhealthy", container="x; rm -rf /"),
        alert("UpkeeperContainerUnhealthy", container="$(reboot)"),
        alert("UpkeeperBackupOverdue", backup="made-by-another"),
        alert("Watchdog"),
        alert("SomebodyElses"),
    ]
    assert list(signs.of_alerts(firing, REMEDIES, TARGETS)) == []


def test_every_alert_and_task_that_is_named_is_there() -> None:
    rules = "".join(path.read_text() for path in Path("prometheus/rules").glob("*.yml"))
    alerts = set(re.findall(r"alert: (\w+)", rules))
    assert set(signs.BY_ALERT) <= alerts
    known = set(FACTS)
    assert {task for task, _ in signs.BY_ALERT.values()} | set(signs.BY_SINK.values()) <= known
    for task, place in signs.BY_ALERT.values():
        if place.startswith("="):
            assert place[1:] in FACTS[task].configured({})


def test_what_will_be_full_soon_is_worth_the_task_that_makes_room() -> None:
    def row(sink: str, days: float | None) -> dict[str, Any]:
        return {"sink": sink, "full_at": None if days is None else NOW + days * DAY}

    rows = [
        row("filesystem:/", 3), row("logs:app", 0), row("logs:gone", 1), row("memory", 5), row("inodes:/", None),
        row("docker", 40), row("strange:x", 1),
    ]  # fmt: skip
    found = list(signs.of_forecasts(rows, NOW, 14 * DAY, TARGETS))
    assert told(found) == [
        ("docker-cleanup", "docker", "filesystem:/ will be full in 3 days"),
        ("log-rotation", "app", "logs:app will be full now"),
        ("performance-check", "all", "memory will be full in 5 days"),
    ]
    assert [one.breached for one in found] == [False, True, False]


def test_the_load_is_told_above_its_limit_only() -> None:
    assert list(signs.of_load(4.0, 2, 2.0)) == []
    assert list(signs.of_load(4.0, 0, 2.0)) == []
    (row,) = signs.of_load(8.0, 2, 2.0)
    assert (row.task, row.breached) == ("performance-check", True)
    assert row.why.startswith("load of 4.0 for each CPU, 2 at most")


def test_what_is_known_twice_is_told_once() -> None:
    own = AdviceRow(task="t", target="a", why="big", actions=3, breached=False, value=9, command="c")
    again = own.model_copy(update={"why": "an alert", "actions": 0, "value": None, "breached": True, "critical": True})
    other = again.model_copy(update={"target": "b"})
    first, second = signs.joined([own], [again, other, other])
    assert (first.why, first.actions, first.value) == ("big; an alert", 3, 9)
    assert (first.breached, first.critical) == (True, True)
    assert second == other


@pytest.fixture
async def database(tmp_path: Path, migrated: Path) -> AsyncIterator[Database]:
    shutil.copy(migrated, tmp_path / "upkeeper.db")
    found = Database(tmp_path / "upkeeper.db", host="kitchen")
    await found.migrate()
    yield found
    await found.close()


async def test_it_is_known_from_the_record_and_from_the_state_directory(database: Database, tmp_path: Path) -> None:
    def filled(connection: sa.Connection) -> None:
        for number, host in enumerate((None, database.host, "another")):
            connection.execute(tables.alerts.insert().values(
                fingerprint=f"{number:016}", starts_at=NOW, status="firing", annotations={}, generator_url="",
                labels={"alertname": "UpkeeperContainerUnhealthy", "container": f"c{number}"}, host=host,
                first_received_at=NOW, last_received_at=NOW, receptions=1, decided_receptions=1,
            ))  # fmt: skip

    await database.write(filled)
    news = [ImageNews(target="pa.letta", digest="sha256:1", since=NOW), ImageNews(target="pa.n8n"),
            ImageNews(target="pa.db", digest="sha256:2", crosses=True)]  # fmt: skip
    write_news(tmp_path, News(at=NOW, services=news))
    resources = Resources(CONFIG, state_dir=tmp_path)
    known = Known(CONFIG, resources, lambda: NOW)
    rows, notes = await known()
    assert notes == ["Left out: alerts: there is no record here.", "Left out: forecasts: there is no record here."]
    resources.attach(database, None)  # type: ignore[arg-type]  # nothing else is asked of the remediator
    rows, notes = await known()
    assert notes == []
    assert [row for row in told(rows) if row[0] != "performance-check"] == [
        ("service-restart", "c0", "UpkeeperContainerUnhealthy"),
        ("service-restart", "c1", "UpkeeperContainerUnhealthy"),
        ("image-update", "pa.letta", "a new image waits since 2026-09-21"),
    ]
