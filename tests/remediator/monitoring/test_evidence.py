"""Nothing is called right for which nothing was seen."""

from pathlib import Path

import pytest

from exporter.docker.engine import DockerEngine
from remediator.monitoring import alertmanager as am
from remediator.monitoring import prometheus as prom
from remediator.monitoring.check import Check
from remediator.monitoring.container import id_in, restart_policy
from remediator.monitoring.host import _starts, by_cron, by_engine, by_units
from remediator.monitoring.routing import Receiver
from remediator.monitoring.rules import Compared
from tests.dockerd import Dockerd

PORTS = {"upkeeper-exporter": 10746, "upkeeper-remediator": 10747}
DAY = 86400.0


@pytest.mark.parametrize(
    ("policy", "state"),
    [("unless-stopped", "ok"), ("always", "ok"), ("no", "wrong"), ("on-failure", "wrong"), (None, "unknown")],
)
def test_a_container_is_right_by_its_restart_policy(policy: str | None, state: str) -> None:
    assert by_engine(policy).state == state


async def test_the_policy_is_that_of_the_container_that_this_runs_in(clean_dockerd: Dockerd, tmp_path: Path) -> None:
    engine, mounts = DockerEngine(clean_dockerd.host), tmp_path / "mountinfo"
    id = clean_dockerd.client.api.create_container(
        clean_dockerd.import_busybox(), "true", host_config=clean_dockerd.client.api.create_host_config(
            restart_policy={"Name": "unless-stopped"}))["Id"]  # fmt: skip
    mounts.write_text(f"614 582 8:1 /var/lib/docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n")
    assert await restart_policy(engine, mounts) == "unless-stopped"
    mounts.write_text(f"614 582 8:1 /var/lib/docker/containers/{'0' * 64}/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n")
    assert await restart_policy(engine, mounts) is None
    mounts.write_text("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    assert await restart_policy(engine, mounts) is None
    assert id_in(f"/run/x/containers/{id}/userdata/hosts") == id


@pytest.mark.parametrize(
    ("states", "state"),
    [
        (("enabled", "enabled"), "ok"),
        (("enabled", "static"), "ok"),
        (("enabled", "disabled"), "wrong"),
        (("enabled-runtime", "enabled"), "wrong"),
        (("masked", "masked"), "wrong"),
        (("static",), "unknown"),
    ],
)
def test_each_unit_has_to_be_enabled_beyond_the_next_reboot(states: tuple[str, ...], state: str) -> None:
    assert by_units([(f"upkeeper-{n}.service", one) for n, one in enumerate(states)]).state == state


def test_a_line_of_cron_counts_where_cron_runs_and_it_starts_a_service() -> None:
    assert _starts("@reboot root /opt/upkeeper/bin/upkeeper up --config /etc/upkeeper/upkeeper.yml")
    assert _starts("@reboot upkeeper --config /etc/u.yml remediator")
    assert not _starts("@reboot root upkeeper report")
    assert not _starts("@daily root upkeeper up")
    assert [by_cron(True).state, by_cron(False).state] == ["ok", "wrong"]


def judged(*, targets: tuple[prom.Target, ...] = (), retention: float | None = 45 * DAY, own: prom.Own | None = None,
           alertmanagers: tuple[str, ...] = ("http://a:1/api/v2/alerts",)) -> dict[str, Check]:  # fmt: skip
    seen = prom.Seen(
        "http://p:1", "3", "", "", {}, True, retention, targets, alertmanagers, Compared([], [], [], {}), own
    )
    return {check.name: check for check in prom.judge(seen, PORTS)}


def test_the_same_port_of_another_machine_is_not_ours() -> None:
    there = prom.Target("upkeeper-exporter", "10.0.0.7", 10746, True, "", ours=False)
    here = prom.Target("upkeeper-exporter", "10.0.0.8", 10746, True, "", ours=True)
    assert judged(targets=(there,))["scrapes upkeeper-exporter"].state == "unknown"
    assert judged(targets=(there, here))["scrapes upkeeper-exporter"].state == "ok"


async def test_an_address_is_this_machines_where_it_can_be_bound_to() -> None:
    assert await prom.is_here("127.0.0.1")
    assert await prom.is_here("localhost")
    assert not await prom.is_here("192.0.2.7")  # for documentation only
    assert not await prom.is_here("nobody.invalid")


@pytest.mark.parametrize(
    ("own", "state"),
    [
        (None, "unknown"),
        (prom.Own(posted=0), "unknown"),
        (prom.Own(posted=7, failed=7), "wrong"),
        (prom.Own(posted=7, failed=2), "ok"),
    ],
)
def test_an_alertmanager_that_is_known_has_to_have_taken_alerts(own: prom.Own | None, state: str) -> None:
    assert judged(own=own)["posts alerts"].state == state


@pytest.mark.parametrize(
    ("retention", "own", "state"),
    [
        (45 * DAY, prom.Own(oldest=60.0), "ok"),
        (None, prom.Own(oldest=60.0), "unknown"),
        (None, prom.Own(), "unknown"),
        (None, prom.Own(oldest=30 * DAY), "ok"),
        (None, prom.Own(oldest=3 * DAY, cut=1), "wrong"),
        (45 * DAY, prom.Own(oldest=3 * DAY, cut=1), "wrong"),
        (15 * DAY, prom.Own(oldest=15 * DAY), "wrong"),
    ],
)
def test_a_history_that_its_size_ends_is_judged_by_its_oldest_sample(
    retention: float | None, own: prom.Own, state: str
) -> None:
    assert judged(retention=retention, own=own)["retention"].state == state


def test_what_prometheus_counts_about_itself() -> None:
    text = """# TYPE prometheus_notifications_sent_total counter
prometheus_notifications_sent_total{alertmanager="http://a:1/api/v2/alerts"} 12
prometheus_notifications_sent_total{alertmanager="http://b:1/api/v2/alerts"} 3
prometheus_notifications_errors_total{alertmanager="http://b:1/api/v2/alerts"} 3
prometheus_tsdb_lowest_timestamp_seconds 1.7e+09
prometheus_tsdb_size_retentions_total 2
"""
    assert prom.own(text, 1.7e9 + 60) == prom.Own(15, 3, 60.0, 2)
    assert prom.own("prometheus_tsdb_lowest_timestamp_seconds 9.223372036854776e+15\n", 1.7e9).oldest is None


@pytest.mark.parametrize(
    ("age", "known", "state"),
    [(20.0, True, "ok"), (2 * DAY, True, "wrong"), (None, True, "wrong"), (None, False, "unknown")],
)
def test_routes_are_right_when_watchdog_came_lately(age: float | None, known: bool, state: str) -> None:
    us = [Receiver("remediator", True, [])]
    seen = am.Seen("http://a:1", "0.28", "", {"critical": us, "warning": us}, {"critical": [], "warning": []}, True, {})
    checks = {check.name: check.state for check in am.judge(seen, age, knows_age=known)}
    assert checks["tells the remediator"] == state
