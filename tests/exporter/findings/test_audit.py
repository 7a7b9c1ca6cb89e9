"""All checks at once: accepted findings, what cannot be read, a check that breaks, a mount that hangs."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.docker.containers import Health, ListedContainer
from exporter.findings.audit import Audit, CheckResult, Report, accept, judge
from exporter.findings.finding import Finding, Kind, Place
from exporter.findings.inputs import Inputs
from exporter.findings.project import Invocation
from exporter.findings.running_projects import RunningProjects, running_projects
from exporter.inventory.audit import Accepted, Configuration
from exporter.inventory.inventory import Inventory, with_secret_files
from tests.compose import require_compose
from tests.exporter.findings.inputs import GUARD, audit, copy, write
from tests.hung_mount import hung_mount


def finding(subject: str, file: str = "/srv/pa/compose.yaml", line: int | None = 3) -> Finding:
    return Finding("limits", "warning", subject, Place(file, line), "it is wrong", "mend it")


@pytest.mark.parametrize(
    ("check", "subject", "left"),
    [
        ("limits", "*", []),
        ("limits", "web", ["db"]),
        ("limits", "web*", ["db"]),
        ("limits", "/srv/pa/compose.yaml", []),
        ("limits", "/srv/pa/compose.yaml:3", []),
        ("limits", "/srv/pa/compose.yaml:4", ["web", "db"]),
        ("limits", "WEB", ["web", "db"]),
        ("images", "*", ["web", "db"]),
    ],
)
def test_accepted_findings_are_counted_apart(check: str, subject: str, left: list[str]) -> None:
    accepted = Accepted.model_validate({"check": check, "subject": subject, "reason": "it is well"})
    result = accept(CheckResult("limits", [finding("web"), finding("db")]), [accepted])
    assert [one.subject for one in result.findings] == left
    assert len(result.findings) + len(result.accepted) == 2


def test_what_was_not_seen_is_not_counted_as_none() -> None:
    whole, part = CheckResult("limits", [finding("web")]), CheckResult("limits", [finding("web")], problems=["x"])
    assert (whole.count("warning"), whole.count("critical")) == (1, 0)
    assert (part.count("warning"), part.count("critical")) == (1, None)


def test_the_worst_comes_first() -> None:
    def of(severity: str, line: int) -> Finding:
        return Finding("limits", severity, "x", Place("/a", line), "m", "r")  # type: ignore[arg-type]

    report = Report([CheckResult("limits", [of("info", 1), of("warning", 9), of("warning", 2), of("critical", 5)])])
    assert [(one.severity, one.place.line) for one in report.findings] == [
        ("critical", 5),
        ("warning", 2),
        ("warning", 9),
        ("info", 1),
    ]


class Broken:
    name = "limits"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, inputs: Inputs) -> Iterator[Finding]:
        raise KeyError("hunter2-hunter2")


def test_a_check_that_breaks_costs_only_itself_and_says_nothing_secret() -> None:
    with capture_logs() as log:
        (result,) = judge(Inputs(present=frozenset({"project"})), [Broken()])
    assert result.problems == ["the check failed: unexpected KeyError, see the log"]
    assert log[0]["error"] == "KeyError"
    assert "test_audit.py:" in log[0]["line"]
    assert "hunter2" not in repr(result) + repr(log)


async def test_nothing_configured_is_nothing_to_look_at() -> None:
    assert (await audit()).results == []


async def test_a_file_that_vanishes_meanwhile(tmp_path: Path) -> None:
    path = copy("clean", tmp_path)
    subject = Audit(Configuration(compose_files=[f"{path}/compose.yaml"]), daemon_file="/nonexistent")
    assert (await subject.run(GUARD)).problems == []
    (path / "compose.yaml").unlink()
    gone = await subject.run(GUARD)
    assert gone.problems == [f"{path}/compose.yaml cannot be read: No such file or directory"]
    assert gone.findings == []
    assert not any(result.success for result in gone.results if result.check == "images")


async def test_two_audits_at_once_wait_for_each_other(tmp_path: Path) -> None:
    path = copy("clean", tmp_path)
    subject = Audit(Configuration(compose_files=[f"{path}/compose.yaml"]), daemon_file="/nonexistent")
    reports = await asyncio.gather(*(subject.run(GUARD) for _ in range(5)))
    assert [report.problems for report in reports] == [[]] * 5


def container(health: Health = "none", service: str = "", **labels: str) -> ListedContainer:
    prefixed = {f"com.docker.compose.project.{key}": value for key, value in labels.items()}
    prefixed["com.docker.compose.service"] = service
    return ListedContainer(id="1", name="a", state="running", health=health, labels=prefixed)


def test_running_containers_name_their_projects() -> None:
    found = running_projects(
        [
            container(config_files="/srv/pa/compose.yaml,/srv/pa/b.yaml", working_dir="/srv/pa"),
            container(config_files="/srv/pa/compose.yaml,/srv/pa/b.yaml", working_dir="/srv/pa"),
            container(config_files="docker-compose.yml", working_dir="/srv/old"),  # as Compose 1.29 writes it
            container(config_files="relative.yaml"),
            container(working_dir="/srv/none"),
            ListedContainer(id="2", name="b", state="running"),
        ]
    )
    assert found.projects == [
        Invocation(("/srv/pa/compose.yaml", "/srv/pa/b.yaml")),
        Invocation(("/srv/old/docker-compose.yml",)),
    ]


def test_how_a_project_was_started_is_in_its_labels() -> None:
    compose = "/srv/pa/deploy/compose.yaml"
    found = running_projects(
        [
            container("healthy", "web", config_files=compose, working_dir="/srv/pa", environment_file="/etc/a,/etc/b"),
            container(config_files="/srv/x/compose.yaml", working_dir="/srv/x", environment_file="prod.env"),
        ]
    )
    assert found.projects == [
        Invocation((compose,), ("/etc/a", "/etc/b"), "/srv/pa"),
        Invocation(("/srv/x/compose.yaml",), ("/srv/x/prod.env",)),
    ]
    assert found.health_checked == {(compose, "web")}


STARTED = {
    "deploy/compose.yaml": """
services:
  web:
    image: "web:${TAG:?}"
    env_file: web.env
    extends: {file: base.yaml, service: base}
    secrets: [pw]
secrets: {pw: {file: pw.txt}}
""",
    "base.yaml": "services: {base: {mem_limit: 1g, environment: {PASSWORD: '${PASSWORD:?}'}}}",
    "web.env": "OF=${TAG}\n",
    "pw.txt": "hunter2-hunter2",
    "etc/common.env": "TAG=1\nPASSWORD=other\n",
    "etc/prod.env": "PASSWORD=x$abc\n",
}


@pytest.mark.parametrize("configured", [True, False])
async def test_a_project_that_is_started_with_env_files_and_a_directory(
    configured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")  # Compose 1.29 knows one env file only
    write(tmp_path, STARTED)
    files, env_files = [f"{tmp_path}/deploy/compose.yaml"], [f"{tmp_path}/etc/common.env", f"{tmp_path}/etc/prod.env"]
    project = {"files": files, "env_files": env_files, "project_directory": str(tmp_path)}
    labels = {"config_files": files[0], "working_dir": str(tmp_path), "environment_file": ",".join(env_files)}
    settings = Configuration.model_validate({"compose_projects": [project]} if configured else {})
    report = await Audit(settings, daemon_file="/nonexistent").run(GUARD, running_projects([container(**labels)]))
    assert report.problems == []
    found = [f"{Path(one.place.file).name}:{one.place.line} {one.check}" for one in report.findings if one.place.line]
    assert "prod.env:1 unset-variables" in found, "the real env file is looked at"
    assert [one for one in report.findings if one.severity == "critical"] == []
    assert {Path(one.place.file).name for one in report.findings if one.check == "file-modes"} >= {"prod.env", "pw.txt"}


async def test_an_env_file_that_is_gone_makes_no_false_findings(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": "services: {web: {image: '${IMAGE:?}'}}"})
    labels = {"config_files": f"{tmp_path}/compose.yaml", "environment_file": f"{tmp_path}/gone.env"}
    report = await Audit(Configuration(), daemon_file="/nonexistent").run(
        GUARD, running_projects([container(**labels)])
    )
    assert report.findings == []
    assert report.problems == [f"{tmp_path}/gone.env, with which the project was started, no longer exists"]
    named = {"files": [f"{tmp_path}/compose.yaml"], "env_files": [f"{tmp_path}/gone.env"]}
    report = await audit(compose_projects=[named])
    assert any("gone.env that it names does not exist" in one.message for one in report.findings)


@pytest.mark.servers
async def test_the_real_compose_starts_such_a_project_in_the_same_way(tmp_path: Path) -> None:
    write(tmp_path, STARTED)
    options = ["--project-directory", ".", "--env-file", "etc/common.env", "--env-file", "etc/prod.env", "-q"]
    for compose in require_compose():
        judged = compose.config(tmp_path, *options, files=["deploy/compose.yaml"])
        assert (judged.refused, judged.unset) == (False, {"abc"}), judged.complaint
        assert compose.config(tmp_path, "-q", files=["deploy/compose.yaml"]).refused


async def test_projects_that_were_found_count_only_where_none_is_configured(tmp_path: Path) -> None:
    path = copy("mistakes", tmp_path)
    found = RunningProjects([Invocation((f"{path}/compose.yaml",)), Invocation(("/nonexistent/compose.yaml",))])
    by_labels = await Audit(Configuration(), daemon_file="/nonexistent").run(GUARD, found)
    assert len(by_labels.findings) > 30
    assert by_labels.problems == [], "one that cannot be seen from here is left out"
    configured = Configuration(compose_files=[f"{copy('clean', tmp_path)}/compose.yaml"])
    assert (await Audit(configured, daemon_file="/nonexistent").run(GUARD, found)).findings == []


def test_secret_files_of_other_sections_are_added_to_those_that_are_named() -> None:
    inventory = Inventory(configuration=Configuration(secret_files=["/etc/b", "/etc/d"]))
    assert with_secret_files(inventory, ["/etc/a", "/etc/b"]).configuration.secret_files == [
        "/etc/b",
        "/etc/d",
        "/etc/a",
    ]


@pytest.mark.servers
async def test_a_hung_mount_costs_only_what_lies_on_it(tmp_path: Path) -> None:
    path = copy("clean", tmp_path)
    write(tmp_path, {"ok.conf": "a = CHANGE_ME_a\n"})
    (tmp_path / "hung").mkdir()
    async with hung_mount(tmp_path / "hung"):
        settings = Configuration(
            compose_files=[f"{path}/compose.yaml", f"{tmp_path}/hung/compose.yaml"],
            files=[f"{tmp_path}/ok.conf", f"{tmp_path}/hung/*.conf"],
            secret_files=[f"{tmp_path}/hung/key"],
        )
        subject = Audit(settings, daemon_file="/nonexistent")
        for _ in range(3):
            report = await subject.run(10.0)
            assert [one.message for one in report.findings] == ["a still holds a placeholder"]
            slow = "cannot be read: its file system does not answer in time"
            assert set(report.problems) == {
                f"{tmp_path}/hung/compose.yaml {slow}",
                f"{tmp_path}/hung/*.conf {slow}",
                f"{tmp_path}/hung/key {slow}",
            }


async def test_a_health_check_of_the_image_counts_where_a_container_shows_it(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": "services: {web: {image: x}, db: {image: x}, off: {image: x}}"})
    files = {"config_files": f"{tmp_path}/compose.yaml"}
    running = running_projects(
        [
            container("healthy", "web", **files),
            container("none", "db", **files),
            container("unhealthy", "db", config_files="/srv/other/compose.yaml"),
        ]
    )
    subject = Audit(Configuration(compose_files=[f"{tmp_path}/compose.yaml"]), daemon_file="/nonexistent")
    report = (await subject.run(GUARD, running)).only(["health-checks"])
    assert [one.subject for one in report.findings] == ["db", "off"]


async def test_a_project_that_breaks_its_reader_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(files: object, read: object) -> None:
        raise KeyError("hunter2-hunter2")

    monkeypatch.setattr("exporter.findings.gather.load_project", broken)
    write(tmp_path, {"compose.yaml": "services: {}", "a.conf": "CHANGE_ME_"})
    with capture_logs() as log:
        report = await audit(compose_files=[f"{tmp_path}/compose.yaml"], files=[f"{tmp_path}/a.conf"])
    assert report.problems == [f"{tmp_path}/compose.yaml cannot be read: KeyError"]
    assert len(report.findings) == 1
    assert "hunter2" not in repr(report) + repr(log)
