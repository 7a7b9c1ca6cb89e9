"""configuration-audit and validate-config, on the PA stack as it should be and with every mistake."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from exporter.docker.engine import DockerEngine
from exporter.findings.audit import Audit
from exporter.inventory.audit import Configuration
from exporter.inventory.checks import CHECKS, VALID
from remediator.config.config import Config
from remediator.model.task import Action, Plan, TaskError
from remediator.tasks.configuration_audit.rows import FindingRow
from remediator.tasks.configuration_audit.task import ConfigurationAudit, configuration_audit, validate_config
from remediator.tasks.registry import build_tasks
from remediator.tasks.resources import Resources
from tests.dockerd import Dockerd
from tests.exporter.findings.inputs import SECRET, copy


@pytest.fixture(autouse=True)
def no_compose(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which Docker Compose is not installed: its own test is in test_projects."""
    if "clean_dockerd" not in request.fixturenames:
        monkeypatch.setenv("PATH", "/nonexistent")


def task(name: str, directory: Path, **settings: object) -> ConfigurationAudit:
    path = copy(name, directory)
    configuration = Configuration.model_validate({"compose_files": [f"{path}/compose.yaml"], **settings})
    return configuration_audit(Audit(configuration, daemon_file="/nonexistent"), None)


def rows_of(plan: Plan) -> Sequence[FindingRow]:
    assert all(isinstance(row, FindingRow) for row in plan.rows)
    return plan.rows  # type: ignore[return-value]


async def test_nothing_is_wrong(tmp_path: Path) -> None:
    subject = task("clean", tmp_path)
    measurement, plan = await subject.measure("all"), await subject.plan("all")
    assert (measurement.breached, measurement.detail) == (False, "no findings, by 14 checks")
    assert measurement.values["limits/warning"] == 0
    assert (plan.actions, plan.rows, plan.notes) == ((), [], [])


async def test_every_finding_is_a_row_the_worst_first_and_none_a_secret(tmp_path: Path) -> None:
    subject = task("mistakes", tmp_path)
    measurement, plan = await subject.measure("all"), await subject.plan("all")
    assert measurement.breached
    assert measurement.values["published-ports/critical"] == 3
    places = sum(measurement.values.values())
    assert len(plan.rows) < places
    assert measurement.detail.startswith(f"{len(plan.rows)} findings: ")
    assert measurement.detail.endswith(f", in {places:.0f} places, by 14 checks")
    assert plan.actions == ()
    severities = [row.severity for row in rows_of(plan)]
    assert severities == sorted(severities, key=["critical", "warning", "info"].index)
    assert SECRET not in repr(plan) + repr(measurement)
    assert not subject.improved(measurement, measurement)


async def test_one_check_alone(tmp_path: Path) -> None:
    subject = task("mistakes", tmp_path)
    assert await subject.targets() == ["all", *CHECKS]
    measurement = await subject.measure("images")
    assert measurement.values == {"images/info": 1, "images/warning": 2, "images/critical": 0}
    assert measurement.detail == "3 findings: 2 warning, 1 info, by 1 check"
    found = [row.places for row in rows_of(await subject.plan("images"))]
    assert sorted(place.line or 0 for places in found for place in places) == [4, 13, 31]
    assert {place.file for places in found for place in places} == {f"{tmp_path}/mistakes/compose.yaml"}


async def test_a_row_for_many_is_opened_by_its_check(tmp_path: Path) -> None:
    subject = task("mistakes", tmp_path)
    (for_many,) = [row for row in rows_of(await subject.plan("all")) if "CPU limit" in row.message]
    assert for_many.model_dump() == {
        "severity": "info",
        "check": "limits",
        "places": [{"file": f"{tmp_path}/mistakes/compose.yaml", "line": line} for line in (3, 12, 30)],
        "place_count": 3,
        "message": "3 of 5 services have no CPU limit: supabase-db, neo4j, letta",
        "remedy": "set deploy.resources.limits.cpus, or cpus",
    }
    opened = rows_of(await subject.plan("limits"))
    assert sum("CPU limit" in row.message for row in opened) == 3


@pytest.mark.parametrize("target", ["", "ALL", "../images", "images\0", "іmages"])
async def test_only_an_exact_name_selects_a_check(target: str, tmp_path: Path) -> None:
    subject = task("clean", tmp_path)
    for attempt in (subject.measure(target), subject.plan(target)):
        with pytest.raises(TaskError, match="there is no check named"):
            await attempt


async def test_infos_alone_are_no_breach(tmp_path: Path) -> None:
    subject = task("mistakes", tmp_path)
    volumes = await subject.measure("volumes")
    assert (volumes.breached, volumes.values["volumes/info"]) == (False, 2)


async def test_what_cannot_be_looked_at_is_a_breach_and_is_named(tmp_path: Path) -> None:
    subject = task("clean", tmp_path, files=["/nonexistent/backup.sh"])
    measurement, plan = await subject.measure("all"), await subject.plan("all")
    assert measurement.breached
    assert measurement.detail == "no findings; not looked at: 1 thing, by 14 checks"
    assert "placeholders/critical" not in measurement.values, "not seen is not 0"
    reason = "/nonexistent/backup.sh cannot be read: No such file or directory"
    assert plan.notes == [f"Not looked at as a whole: {reason}."]
    assert not (await subject.measure("images")).breached, "that check does not need it"


async def test_accepted_findings_are_no_breach(tmp_path: Path) -> None:
    ignore = [{"check": "images", "reason": "they are pinned elsewhere"}]
    subject = task("mistakes", tmp_path, ignore=ignore)
    assert not (await subject.measure("images")).breached
    plan = await subject.plan("images")
    assert plan.rows == []
    assert plan.notes == ["The config accepts 3 further findings (configuration.ignore)."]


async def test_nothing_to_look_at(tmp_path: Path) -> None:
    engine = DockerEngine(f"unix://{tmp_path}/none.sock", 1.0)
    subject = configuration_audit(Audit(Configuration(), daemon_file="/nonexistent"), engine)
    measurement = await subject.measure("all")
    assert not measurement.breached
    assert measurement.detail.startswith("there is nothing to look at: name Compose files")
    (note,) = (await subject.plan("all")).notes
    assert note.startswith("No Compose files are configured, and running containers could not name any: cannot reach")
    engine.close()


async def test_it_refuses_to_act(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="has no actions"):
        await task("clean", tmp_path).apply("all", Action(kind="mend", object="web", reason="none"))


async def test_validate_config_is_about_right_and_wrong(tmp_path: Path) -> None:
    path = copy("mistakes", tmp_path)
    audit = Audit(Configuration(compose_files=[f"{path}/compose.yaml"]), daemon_file="/nonexistent")
    subject = validate_config(audit, None)
    assert await subject.targets() == ["all", *VALID]
    measurement = await subject.measure("all")
    assert {key.partition("/")[0] for key in measurement.values} == {
        "placeholders",
        "env-files",
        "compose-valid",
        "unset-variables",
    }
    with pytest.raises(TaskError, match="no check named limits"):
        await subject.measure("limits")


async def test_secret_files_of_the_whole_config_are_looked_at(tmp_path: Path) -> None:
    password = tmp_path / "smtp-password"
    password.write_text(SECRET)
    password.chmod(0o644)
    email = {"to": "a@b", "from": "c@d", "smarthost": "e:25", "username": "f", "password_file": str(password)}
    config = Config.model_validate({"notify": {"email": email}})
    resources = Resources(config, docker=lambda: DockerEngine(f"unix://{tmp_path}/none.sock", 1.0))
    first = rows_of(await build_tasks(config, resources)["configuration-audit"].plan("file-modes"))[0]
    resources.close()
    assert [(place.file, place.line) for place in first.places] == [(str(password), None)]
    assert (first.severity, first.remedy) == ("warning", "chmod 600 it")
    assert first.message == "everybody may read it (mode 0644), and it holds a secret"


@pytest.mark.servers
async def test_running_containers_name_their_project(clean_dockerd: Dockerd, tmp_path: Path) -> None:
    path = copy("mistakes", tmp_path)
    labels = {
        "com.docker.compose.project.config_files": "compose.yaml",
        "com.docker.compose.project.working_dir": str(path),
    }
    clean_dockerd.run("web", "sleep 1000", labels=labels)
    engine = DockerEngine(clean_dockerd.host)
    subject = configuration_audit(Audit(Configuration(), daemon_file="/nonexistent"), engine)
    assert (await subject.measure("images")).values["images/warning"] == 2
    engine.close()
