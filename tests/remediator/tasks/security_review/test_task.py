"""security-review: what its sources find becomes rows, artefacts and a measurement."""

import json
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from exporter.docker.engine import DockerEngine
from exporter.findings.audit import Audit
from exporter.inventory.audit import Configuration
from remediator.config.security import AcceptedRisk, Security
from remediator.model.task import Action, TaskError
from remediator.security.finding import Found, Risk
from remediator.security.sources import containers, logins, ports, scanner, updates
from remediator.tasks.security_review.rows import RiskRow
from remediator.tasks.security_review.task import SecurityReview
from tests.dockerd import Dockerd

NOW = 1_795_824_000.0  # 2026-11-28
PORT = Risk("port:tcp/5432", "critical", "ports", "port 5432 is open", "shut it")
OLD = Risk("image-age:web:1", "info", "images", "it is old", "pull")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[DockerEngine]:
    engine = DockerEngine(f"unix://{tmp_path}/none.sock")
    yield engine
    engine.close()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that look at this machine find what is said here instead; each look is noted."""
    noted: list[str] = []

    def find(name: str, found: Any) -> Any:
        async def look(*_: object, **__: object) -> Any:
            noted.append(name)
            return found

        return look

    monkeypatch.setattr(ports, "look", find("ports", Found([PORT], looked=["1 listening port"])))
    monkeypatch.setattr(logins, "look", find("logins", Found(unknown=["failed logins are not known"])))
    monkeypatch.setattr(updates, "look", find("updates", Found()))
    monkeypatch.setattr(containers, "look", find("containers", (Found([OLD]), ["web:1"])))
    monkeypatch.setattr(scanner, "look", find("scanner", Found(unknown=["nothing scans"])))
    return noted


def review(engine: DockerEngine, **settings: Any) -> SecurityReview:
    audit = Audit(Configuration(), daemon_file="/nonexistent")
    return SecurityReview(Security(**settings), audit, engine, lambda: NOW)


async def test_findings_are_rows_and_files_and_what_is_not_known_is_a_note(
    engine: DockerEngine, looks: list[str]
) -> None:
    task = review(engine)
    measured, plan = await task.measure("all"), await task.plan("all")
    assert measured.breached
    assert measured.values == {"info": 1, "warning": 0, "critical": 1, "accepted": 0, "unknown": 3}
    assert measured.detail == "2 findings: 1 critical, 1 info; not looked at: 3 things"
    rows = [row for row in plan.rows if isinstance(row, RiskRow)]
    assert [(row.id, row.severity) for row in rows] == [(PORT.id, "critical"), (OLD.id, "info")]
    assert "Not looked at: failed logins are not known." in plan.notes
    assert plan.actions == ()
    assert [one.name for one in plan.made] == ["security-review.json", "security-review.sarif"]
    assert [one["id"] for one in json.loads(plan.made[0].content)["findings"]] == [PORT.id, OLD.id]
    assert json.loads(plan.made[1].content)["version"] == "2.1.0"
    assert looks.count("ports") == 1  # the plan tells what the measurement has found
    await task.measure("all")
    assert looks.count("ports") == 2


async def test_what_is_accepted_is_no_breach_until_its_last_day_is_over(engine: DockerEngine, looks: list[str]) -> None:
    for until, breached in ((date(2026, 11, 28), False), (date(2026, 11, 27), True)):
        accept = [AcceptedRisk(id="port:*", reason="behind a firewall", until=until.isoformat())]
        task = review(engine, accept=accept)
        measured, plan = await task.measure("all"), await task.plan("all")
        assert measured.breached is breached
        ended = f"The acceptance of {PORT.id} ended with 2026-11-27."
        assert (ended in plan.notes) is breached
        accepts = "The config accepts 1 further finding (security.accept)."
        assert (accepts in plan.notes) is not breached


async def test_images_are_not_scanned_where_the_config_says_so(engine: DockerEngine, looks: list[str]) -> None:
    await review(engine, scan_images=False).measure("all")
    assert "scanner" not in looks


async def test_it_has_one_target_and_no_action(engine: DockerEngine, looks: list[str]) -> None:
    task = review(engine)
    assert await task.targets() == ["all"]
    with pytest.raises(TaskError, match="has one target"):
        await task.plan("other")
    with pytest.raises(TaskError, match="has no actions"):
        await task.apply("all", Action(kind="shut", object="port", reason=""))


@pytest.mark.servers
async def test_real_containers(clean_dockerd: Dockerd, monkeypatch: pytest.MonkeyPatch) -> None:
    clean_dockerd.run("root", "sleep 1000", pid_mode="host", volumes=["/var/run/docker.sock:/run/docker.sock"])
    clean_dockerd.run("meek", "sleep 1000")
    engine = DockerEngine(clean_dockerd.host)
    try:
        found, images = await containers.look(engine, NOW + 400 * 86400, 86400)
    finally:
        engine.close()
    assert {"container-pid:root", "container-socket:root"} <= {risk.id for risk in found.risks}
    assert not any("meek" in risk.id for risk in found.risks)
    assert found.looked == ["2 running containers", "1 images"]
    assert len(images) == 1
