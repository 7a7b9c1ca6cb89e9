"""Which tests share a worker, and in which order they begin: the longest first, so that none is alone at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

LONGEST = (
    "tests/alertmanager/test_pace.py",  # one test of it waits for six minutes
    "tests/exporter/neo4j/",
    "tests/upkeeper/up/test_up.py",
    "tests/remediator/tasks/log_rotation/test_kill.py",
    "tests/remediator/control/test_ballast_disk.py",
    "tests/remediator/control/test_full_disk.py",
    "tests/remediator/webhook/test_ha_pair.py",
    "tests/remediator/runs/test_keeper.py",
    "tests/remediator/webhook/test_reconciler.py",
    "tests/exporter/postgres/test_faults.py",
    "tests/remediator/tasks/log_rotation/test_together.py",
    "tests/e2e/",
    "tests/alertmanager/test_outage.py",
    "tests/alertmanager/test_up.py",
    "tests/upkeeper/drill/test_real.py",
    "tests/exporter/test_main.py",
    "tests/prometheus/test_rules.py",
    "tests/remediator/tasks/service_restart/test_task.py",
    "tests/exporter/postgres/test_collector.py",
    "tests/remediator/tasks/docker_cleanup/",
    "tests/remediator/tasks/backup/test_postgres.py",
    "tests/remediator/tasks/postgres_maintenance/test_task.py",
    "tests/remediator/control/test_still_firing.py",
    "tests/remediator/tasks/log_rotation/test_outcome.py",
)
"""Files and folders that take longer than half a minute, the longest first."""

NEO4J = frozenset({"neo4j_five", "neo4j_calendar", "neo4j_server"})
NEO4J_FILES = (
    "tests/exporter/neo4j/",
    "tests/exporter/probing/test_databases.py",
    "tests/exporter/test_worst_day.py",
    "tests/remediator/neo4jdump/",
    "tests/remediator/tasks/disaster_recovery/test_neo4j.py",
    "tests/remediator/tasks/neo4j_maintenance/",
    "tests/remediator/tasks/performance/test_neo4j.py",
)
"""What needs the shared Neo4j servers, of which each worker would start its own: it costs more than all else does."""


def shares(nodeid: str) -> str:
    """What all tests with the same answer share a worker for: a server, or their file."""
    return "neo4j" if nodeid.startswith(NEO4J_FILES) else nodeid.partition("::")[0]


def rank(nodeid: str) -> int:
    """When a test begins: the lowest first."""
    return next((place for place, start in enumerate(LONGEST) if nodeid.startswith(start)), len(LONGEST))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """With ``--dist loadfile``, one that keeps together what shares a server too."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Sharing(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return shares(nodeid)

    return Sharing(config, log)
