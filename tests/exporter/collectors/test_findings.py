"""The findings collector: what it serves, what it logs, and a thousand rounds."""

import asyncio
import gc
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from exporter.collectors.findings import FindingsCollector
from exporter.collectors.registry import build
from exporter.docker.containers import ListedContainer
from exporter.findings.audit import Audit
from exporter.inventory.audit import Configuration, FindingsSettings
from exporter.inventory.inventory import Inventory
from tests.exporter.fakes import FakeClock
from tests.exporter.findings.inputs import copy
from tests.golden import findings as golden
from tests.helpers import rounds as as_asked
from tests.helpers import wait_until

pytestmark = pytest.mark.slow

Values = dict[tuple[str, ...], float]


@pytest.fixture(autouse=True)
def no_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which Docker Compose is not installed: its own test is in test_tools."""
    monkeypatch.setenv("PATH", "/nonexistent")


def collector(**settings: object) -> FindingsCollector:
    audit = Audit(Configuration.model_validate(settings), daemon_file="/nonexistent")
    return FindingsCollector(audit, FindingsSettings())


async def values(subject: FindingsCollector) -> Values:
    """Values by the metric's name without its prefix, check and severity."""
    return {
        (sample.name.removeprefix("upkeeper_config_"), *sample.labels.values()): sample.value
        for family in await subject.collect()
        for sample in family.samples
    }


async def test_counts_by_check_and_severity(tmp_path: Path) -> None:
    path = copy("mistakes", tmp_path)
    served = await values(collector(compose_files=[f"{path}/compose.yaml"]))
    assert served["findings", "published-ports", "critical"] == 3
    assert served["findings", "published-ports", "warning"] == 2
    assert served["findings", "published-ports", "info"] == 0
    assert served["check_success", "published-ports"] == 1
    assert served["findings_ignored", "published-ports", "critical"] == 0
    assert not any("prometheus-config" in key for key in served), "nothing is configured for it"


async def test_accepted_ones_count_apart(tmp_path: Path) -> None:
    path = copy("mistakes", tmp_path)
    ignore = [{"check": "published-ports", "subject": "neo4j", "reason": "only in the lab"}]
    served = await values(collector(compose_files=[f"{path}/compose.yaml"], ignore=ignore))
    assert served["findings", "published-ports", "critical"] == 1
    assert served["findings_ignored", "published-ports", "critical"] == 2


async def test_a_check_that_cannot_look_at_everything_has_no_zeros(tmp_path: Path) -> None:
    path = copy("clean", tmp_path)
    served = await values(collector(compose_files=[f"{path}/compose.yaml", "/nonexistent/compose.yaml"]))
    assert served["check_success", "images"] == 0
    assert not any(key[:2] == ("findings", "images") for key in served)


async def test_each_finding_is_logged_once_when_it_comes_and_goes(tmp_path: Path) -> None:
    path = copy("clean", tmp_path)
    subject = collector(compose_files=[f"{path}/compose.yaml"])

    async def logged() -> list[tuple[str, ...]]:
        with capture_logs() as log:
            await subject.collect()
        return [tuple(str(line[key]) for key in ("event", "severity", "finding") if key in line) for line in log]

    assert await logged() == []
    (path / ".env").chmod(0o644)
    message = "everybody may read it (mode 0644), and it holds passwords"
    assert await logged() == [("configuration finding", "warning", message)]
    text = (path / ".env").read_text()
    (path / ".env").write_text(f"# a line above\n{text}")
    assert await logged() == []
    (path / "compose.yaml").rename(path / "away.yaml")
    assert await logged() == [("configuration not read completely",)], "it may still be there"
    (path / "away.yaml").rename(path / "compose.yaml")
    assert await logged() == [("configuration read completely again",)]
    (path / ".env").chmod(0o600)
    assert await logged() == [("configuration findings are gone",)]
    assert await logged() == []


async def test_what_came_within_a_day_is_new_and_outlives_a_reload(tmp_path: Path) -> None:
    path, clock = copy("clean", tmp_path), FakeClock()
    settings = Configuration(compose_files=[f"{path}/compose.yaml"])

    def made() -> FindingsCollector:
        audit = Audit(settings, daemon_file="/nonexistent")
        return FindingsCollector(audit, FindingsSettings(), monotonic=clock)

    subject = made()
    (path / "webui.env").chmod(0o644)
    key = ("findings_new", "file-modes", "warning")
    assert (await values(subject))[key] == 0, "it was there at first"
    (path / ".env").chmod(0o644)
    assert (await values(subject))[key] == 1
    latter = made()
    latter.continue_from(subject)
    assert (await values(latter))[key] == 1
    clock.now += 86401
    found = await values(latter)
    assert (found[key], found["findings", "file-modes", "warning"]) == (0, 2)


async def test_a_reload_repeats_nothing_in_the_log(tmp_path: Path) -> None:
    settings = {"compose_files": [f"{copy('mistakes', tmp_path)}/compose.yaml"], "files": ["/nonexistent"]}
    former, latter = collector(**settings), collector(**settings)
    with capture_logs() as log:
        await former.collect()
        count = len(log)
        latter.continue_from(former)
        await latter.collect()
    assert count > 15
    assert len(log) == count


async def test_a_reload_reads_nothing_again_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    reads: list[str] = []

    def hang(path: str, *_: object) -> None:
        reads.append(path)
        release.wait()
        raise OSError

    monkeypatch.setattr("exporter.findings.gather.read_mode", hang)
    try:
        running = collector(secret_files=["/srv/token"])
        for _ in range(4):
            running.deadline = 0.2
            await running.collect()
            former, running = running, collector(secret_files=["/srv/token"])
            running.continue_from(former)
        assert reads == ["/srv/token"]
    finally:
        release.set()


async def test_the_projects_of_running_containers(tmp_path: Path) -> None:
    path = copy("mistakes", tmp_path)
    running = build(Inventory.model_validate({"docker": {"host": "unix:///nonexistent.sock"}}))
    subject = next(each for each in running.collectors if isinstance(each, FindingsCollector))
    docker = running.docker
    assert docker is not None
    first = asyncio.create_task(values(subject))
    await asyncio.sleep(0)
    labels = {"com.docker.compose.project.config_files": f"{path}/compose.yaml"}
    docker.containers = [ListedContainer(id="1", name="a", state="running", labels=labels)]
    docker.up = True
    assert (await first)["findings", "images", "warning"] == 2, "the first round waits for the first listing"
    docker.containers = []
    assert await values(subject) == {}
    running.engine.close()


def test_it_is_built_unless_it_is_off() -> None:
    def names(**collectors: object) -> Sequence[str]:
        running = build(Inventory.model_validate({"collectors": collectors}))
        running.engine.close()
        return [each.name for each in running.collectors]

    assert "findings" in names()
    assert "findings" in names(docker={"enabled": False})
    assert "findings" not in names(findings={"enabled": False})


@pytest.mark.torture
async def test_hundreds_of_rounds_leave_nothing_behind(tmp_path: Path) -> None:
    path = copy("mistakes", tmp_path)
    well = collector(compose_files=[f"{path}/compose.yaml"], files=[f"{path}/*"])
    failing = collector(compose_files=[f"{tmp_path}/gone.yaml"], files=[f"{path}/.env", "/proc/self/mem"])
    process = psutil.Process()

    async def rounds(count: int) -> None:
        for _ in range(count):
            await well.collect()
            await failing.collect()

    await rounds(30)
    gc.collect()
    before, memory = (process.num_fds(), process.num_threads()), process.memory_info().rss
    await rounds(as_asked("ROUNDS", 90, 270))
    gc.collect()
    await wait_until(lambda: (process.num_fds(), process.num_threads()) <= before, what="threads and files to be gone")
    assert process.memory_info().rss - memory < 16 * 1024**2


def test_the_golden_families_have_a_sample_each() -> None:
    assert all(family.samples for family in golden.families())
