"""image-check on a real engine and registry, and what it notes; a new image that must be examined first."""

import json
import sys
from pathlib import Path

import pytest

from exporter.docker.engine import DockerEngine
from remediator.config.images import Images as Settings
from remediator.images.news import read_news
from remediator.model.task import Effect
from remediator.tasks.image_update.check import ImageCheck
from tests.remediator.tasks.image_update.house import PROJECT, TARGET, House, applied, states

pytestmark = pytest.mark.servers


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def check_of(house: House, clock: Clock) -> ImageCheck:
    return ImageCheck(house.task().looker, Settings(min_age=0), house.state, house.engine, clock)


async def test_what_is_new_is_told_and_noted(house: House) -> None:
    house.services["never"] = {**house.services["app"], "labels": {"upkeeper.update": "never"}}
    house.services["silent"] = {**house.services["app"], "image": "127.0.0.1:1/app:1"}
    house.push()
    house.push("1.1")
    house.push("2")
    api = house.dockerd.client.api
    api.pull(house.app, tag="1")
    api.tag(f"{house.app}:1", "127.0.0.1:1/app", "1")
    house.compose("up", "-d")
    clock = Clock()
    check = check_of(house, clock)
    await check.plan("all")
    new = house.push()
    there = {key: value for key, value in house.everything().items() if key != "files"}
    clock.now += 86400
    plan = await check.plan("all")
    assert not plan.actions
    assert there == {key: value for key, value in house.everything().items() if key != "files"}
    rows = {str(row.model_dump()["service"]).partition(".")[2]: row.model_dump() for row in plan.rows}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "app": "update", "never": "left-out", "silent": "unknown",
    }  # fmt: skip
    assert rows["app"]["newer_major_tags"] == "2"
    assert "cannot reach 127.0.0.1:1" in rows["silent"]["reason"]
    assert "of 1 the registry cannot be asked" in (await check.measure("all")).detail
    noted = read_news(house.state)
    assert noted is not None
    told = {each.target: each for each in noted.services}
    assert (told[TARGET].digest, told[TARGET].since, told[TARGET].checked) == (new, clock.now, clock.now)
    assert told[TARGET].created is not None
    assert told[TARGET].waiting == {"image": 1, "version": 0, "major": 1}
    assert not told[f"{PROJECT}.never"].asked
    assert told[f"{PROJECT}.silent"].checked is None


async def test_without_an_engine_nothing_is_noted(tmp_path: Path) -> None:
    engine = DockerEngine(f"unix://{tmp_path}/none.sock")
    try:
        check = ImageCheck(None, Settings(), tmp_path, engine)  # type: ignore[arg-type]
        plan = await check.plan("all")
        assert not plan.rows
        assert "No services are known" in plan.notes[0]
        assert read_news(tmp_path) is None
    finally:
        engine.close()


async def test_a_new_image_is_examined_before_it_is_taken(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a stand-in of trivy, whose data cannot be had here."""
    tools = tmp_path / "tools"
    tools.mkdir()

    def trivy(*severities: str) -> None:
        found = [{"VulnerabilityID": f"CVE-{n}", "PkgName": "x", "Severity": each} for n, each in enumerate(severities)]
        document = json.dumps({"SchemaVersion": 2, "Results": [{"Vulnerabilities": found}]})
        bad = f"print({document!r} if '@' in sys.argv[-1] else {json.dumps({'SchemaVersion': 2})!r})"
        (tools / "trivy").write_text(f"#!{sys.executable}\nimport sys\n{bad}\n")
        (tools / "trivy").chmod(0o755)

    monkeypatch.setenv("PATH", str(tools), prepend=":")
    first = house.push()
    house.up()
    before = house.container()
    trivy("CRITICAL")
    house.push("1", "worse")
    task = house.task()
    plan = await task.plan(TARGET)
    assert [each.kind for each in plan.actions] == ["pull-image", "examine-image", "update-service"]
    effects = await applied(task, plan)
    assert "CVE-0 in x" in str(effects[1])
    assert "it was not shown that this image may be taken" in str(effects[2])
    assert (house.container()["Id"], house.digest()) == (before["Id"], first), "it was not touched"
    trivy("HIGH")
    effects = await applied(task, await task.plan(TARGET))
    assert states(effects) == ["skipped", "done", "done"], effects
    assert isinstance(effects[1], Effect)
    assert "trivy: 1 high known vulnerabilities" in effects[1].detail
    assert house.digest() != first
