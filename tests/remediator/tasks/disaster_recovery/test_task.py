"""A drill on a private engine: what cannot be used is found, whatever the checksums say."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from exporter.backups import proofs, results
from exporter.backups.manifest import digest
from exporter.configfile.file import load
from exporter.configfile.problem import ConfigError
from exporter.docker.engine import DockerEngine
from remediator.config.config import Config
from remediator.model.task import Effect, TaskError
from remediator.tasks.disaster_recovery.task import DisasterRecoveryTest
from tests.docker_images import BUSYBOX
from tests.dockerd import Dockerd
from tests.helpers import rounds, wait_until
from tests.remediator.tasks.backup.series import made, series, task

pytestmark = pytest.mark.servers
root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root writes where the engine keeps volumes")
NOW = 1_795_485_600.0
SEED = 31
ROOT = Path(__file__).parents[4]
PROVE = ["/bin/busybox", "sh", "-c", "busybox grep -q $(cat /data/key) /data/sealed && echo 1 credential opened"]
APP: Mapping[str, Any] = {
    "name": "app",
    "image": BUSYBOX,
    "command": ["sleep", "3600"],
    "volumes": {"app_data": "/data"},
    "sqlite": {"app": "/data/app.sqlite"},
    "ready": ["/bin/busybox", "test", "-f", "/data/app.sqlite"],
    "prove": PROVE,
    "expect": "^1 credential",
}


class Estate:
    """An application with a volume and a database in it, and its backups."""

    def __init__(self, dockerd: Dockerd, directory: Path) -> None:
        dockerd.import_busybox()
        self.dockerd = dockerd
        self.engine = DockerEngine(dockerd.host, 30.0)
        self.sets = directory / "sets"
        self.sets.mkdir()
        self.root = Path(dockerd.client.volumes.create("app_data").attrs["Mountpoint"])
        (self.root / "key").write_text("swordfish\n")
        (self.root / "sealed").write_text("sealed with swordfish\n")
        with closing(sqlite3.connect(self.root / "app.sqlite")) as database:
            database.execute("CREATE TABLE t (x)")
            database.commit()
        self.now = NOW

    async def backup(self) -> Path:
        self.now += 3600
        make = {
            "volumes": ["app_data"],
            "sqlite": [{"name": "app", "volume": "app_data", "file": "app.sqlite"}],
        }
        return await made(task(series(self.sets, make), engine=self.engine, clock=lambda: self.now), self.sets)

    def drill(self, **service: Any) -> DisasterRecoveryTest:
        drill = {"services": [{**APP, **service}], "memory": "32MiB", "spare": 0, "within": 120}
        one = series(self.sets, {"files": ["/x"]}, drill=drill)
        return DisasterRecoveryTest([one], lambda: self.engine, self.sets.parent / "state", clock=lambda: self.now)

    async def drilled(self, **service: Any) -> str:
        """What came of a drill of the newest set."""
        drill = self.drill(**service)
        (action,) = (await drill.plan("pa")).actions
        try:
            effect = await drill.apply("pa", action)
        except TaskError as error:
            return str(error)
        assert effect == Effect(state="done", detail=effect.detail)
        return effect.detail

    def objects(self) -> tuple[int, int, int]:
        """How many containers, networks and volumes there are."""
        api = self.dockerd.client.api
        volumes: Any = api.volumes()["Volumes"] or []
        return len(api.containers(all=True)), len(api.networks()), len(volumes)


@pytest.fixture
def estate(clean_dockerd: Dockerd, tmp_path: Path) -> Iterator[Estate]:
    made = Estate(clean_dockerd, tmp_path)
    yield made
    made.engine.close()


@root_only
async def test_an_application_that_can_use_its_data_proves_the_set(estate: Estate) -> None:
    directory = await estate.backup()
    before, there = estate.objects(), {path.name: path.read_bytes() for path in estate.root.iterdir()}
    estate.now += 7200
    drill = estate.drill()
    plan = await drill.plan("pa")
    assert [(action.kind, action.object) for action in plan.actions] == [("drill", directory.name)]
    assert "volume:app_data, sqlite:app restored into a sandbox, where app must prove" in plan.actions[0].reason
    assert proofs.read(directory, digest(directory)) == {}, "a plan changes nothing"
    said = await estate.drilled()
    assert said == "app proved it: 1 credential opened; recovered in 0s, to what was there 2h before"
    shown = proofs.read(directory, digest(directory))["drilled"]
    assert (shown.success, shown.finished, shown.detail) == (True, estate.now, said)
    assert results.read(estate.sets.parent / "state", "pa").restore_test == results.Result(
        directory.name, True, estate.now, said, 0.0, 7200.0
    )
    assert estate.objects() == before
    assert {path.name: path.read_bytes() for path in estate.root.iterdir()} == there
    measured = await drill.measure("pa")
    assert not measured.breached
    assert measured.detail == "the newest drilled set is 2h old"


@root_only
async def test_a_set_that_was_made_with_another_key_is_whole_and_worth_nothing(estate: Estate) -> None:
    (estate.root / "key").write_text("forgotten\n")
    directory = await estate.backup()
    said = await estate.drilled()
    assert said == f"{directory.name} could not be used: app cannot use its data: exit status 1 (exit status 1)"
    assert not proofs.read(directory, digest(directory))["drilled"].success
    measured = await estate.drill().measure("pa")
    assert measured.breached
    assert measured.detail == "no set was drilled yet; 1 set could not be used"
    again = await estate.drilled(prove=["/bin/busybox", "grep", "swordfish", "/data/sealed"], expect="sealed")
    assert "app proved it" in again, "a set whose drill failed can be drilled again, and restored"
    assert proofs.read(directory, digest(directory))["drilled"].success


@root_only
@pytest.mark.parametrize(
    ("service", "why"),
    [
        ({"expect": "2 credentials"}, "app does not say '2 credentials': 1 credential opened"),
        ({"ready": ["/bin/false"], "ready_within": 0.5}, "app was not ready within 500ms"),
        ({"command": ["/bin/busybox", "sh", "-c", "echo no; exit 7"]}, "app has ended, exit status 7: no"),
    ],
)
async def test_what_does_not_come_up_is_told_with_its_reason(estate: Estate, service: Any, why: str) -> None:
    await estate.backup()
    before = estate.objects()
    said = await estate.drilled(**service)
    assert f"could not be used: {why}" in said
    assert estate.objects() == before


@root_only
async def test_what_keeps_a_drill_from_being_tried_says_nothing_of_the_set(estate: Estate) -> None:
    directory = await estate.backup()
    said = await estate.drilled(image="no/such:1")
    why = "the image no/such:1 of app is not on this engine; docker pull it first"
    assert said == f"{directory.name} could not be drilled: {why}"
    assert proofs.read(directory, digest(directory)) == {}


@root_only
async def test_what_is_no_archive_is_loaded_by_the_tools_of_the_image(estate: Estate) -> None:
    await estate.backup()
    load = ["/bin/busybox", "cp", "/set/sqlite/app.sqlite", "/tmp-of-app"]
    prove = ["/bin/busybox", "sh", "-c", "busybox cmp /tmp-of-app /data/app.sqlite && echo the same"]
    own = {"set_at": "/set", "load": [load], "prove": prove, "expect": "the same"}
    assert "app proved it: the same" in await estate.drilled(**own)
    said = await estate.drilled(**{**own, "load": [load, ["/bin/busybox", "cat", "/set/gone"]]})
    assert "could not be used: /bin/busybox in app cannot load the set: cat: can't open '/set/gone'" in said


@root_only
async def test_a_damaged_set_is_found_before_anything_starts(estate: Estate) -> None:
    directory = await estate.backup()
    archive = directory / "volumes" / "app_data.tar.zst"
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    archive.write_bytes(data)
    assert "could not be used: volumes/app_data.tar.zst" in await estate.drilled()
    assert not proofs.read(directory, digest(directory))["drilled"].success


async def test_what_the_set_does_not_hold_is_told_by_the_plan(tmp_path: Path) -> None:
    sets = tmp_path / "sets"
    sets.mkdir()
    (tmp_path / "file").write_text("x")
    make = {"files": [str(tmp_path / "file")]}
    await made(task(series(sets, make)), sets)
    one = series(sets, make, drill={"services": [APP]})
    with pytest.raises(TaskError, match="volume:app_data is not in the set"):
        await DisasterRecoveryTest([one], DockerEngine).plan("pa")


@pytest.mark.parametrize(
    ("drill", "problem"),
    [
        ("services: []", "services"),
        ("services: [{name: a, image: b}]", "prove nothing: that a container starts says nothing of its data"),
        ("services: [{name: a, image: b, prove: [x]}, {name: a, image: b}]", "a"),
        ("services: [{name: a, image: b, expect: x}]", "is about the output of prove, which is missing"),
        ("services: [{name: a, image: b, prove: [x], load: [[y]]}]", "has nothing to load"),
        (
            "services: [{name: a, image: b, prove: [x], volumes: {v: /data}, sqlite: {d: /other/x}}]",
            "must be a file in one of the volumes",
        ),
    ],
)
def test_a_drill_that_proves_nothing_is_refused(tmp_path: Path, drill: str, problem: str) -> None:
    path = tmp_path / "upkeeper.yml"
    text = f'backups:\n  - name: pa\n    path: /sets\n    pattern: "backup-*"\n    drill: {{{drill}}}\n'
    path.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        load(path, Config)


N8N = """#!/bin/busybox sh
[ "$1 $2 $3" = "export:credentials --all --decrypted" ] || exit 2
busybox grep -q $(busybox cat /data/key) /data/sealed || { echo 'Error: Credentials could not be decrypted'; exit 1; }
echo '[{"name":"mail","data":{"password":"hunter2-hunter2"}}]'
"""
"""Stands for n8n's own program, whose image is not to be had here: it opens what its key has sealed."""


@root_only
async def test_a_ready_made_proof_finds_the_wrong_key_and_tells_no_secret(estate: Estate) -> None:
    """Two applications, one after the other: of what is over nothing runs on."""
    (estate.root / "bin").mkdir()
    (estate.root / "bin" / "n8n").write_text(N8N)
    (estate.root / "bin" / "n8n").chmod(0o755)
    await estate.backup()
    one = {key: value for key, value in APP.items() if key not in ("prove", "expect")}
    n8n = {**one, "name": "n8n", "proof": "n8n", "environment": {"PATH": "/data/bin:/bin"}}
    alone = ["/bin/busybox", "sh", "-c", "busybox nslookup n8n >/dev/null 2>&1 && exit 1; echo alone"]
    drill = {
        "services": [n8n, {**one, "name": "after", "prove": alone}],
        "one_by_one": True, "memory": "32MiB", "spare": 0, "within": 120,
    }  # fmt: skip
    series_ = series(estate.sets, {"files": ["/x"]}, drill=drill)
    task_ = DisasterRecoveryTest([series_], lambda: estate.engine, estate.sets.parent / "state", lambda: estate.now)
    (action,) = (await task_.plan("pa")).actions
    said = (await task_.apply("pa", action)).detail
    assert said.startswith("n8n proved it: 1 credential decrypted, after proved it: alone; recovered in")
    assert "hunter2" not in said
    (estate.root / "key").write_text("forgotten\n")
    await estate.backup()
    (action,) = (await task_.plan("pa")).actions
    with pytest.raises(TaskError, match="n8n cannot use its data: Error: Credentials could not be decrypted"):
        await task_.apply("pa", action)


@root_only
@pytest.mark.torture
async def test_a_killed_drill_proves_nothing_and_the_next_one_clears_up_after_it(estate: Estate) -> None:
    """SIGKILL at random moments, from the first volume to the proof: what ran in the sandbox runs on until then."""
    directory, rng = await estate.backup(), random.Random(SEED)
    estate.now = time.time()
    before, left = estate.objects(), 0
    given = [estate.dockerd.host, str(estate.sets), str(estate.sets.parent / "state"), json.dumps(dict(APP))]
    command = [sys.executable, "-m", "tests.remediator.tasks.disaster_recovery.killed", *given]
    for turn in range(rounds("DRILL_KILLS", 2, 100)):
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == b"planned\n"
            await wait_until(lambda: estate.objects() != before or running.poll() is not None)
            with suppress(subprocess.TimeoutExpired):
                running.wait(rng.uniform(0, 0.6))
            running.send_signal(signal.SIGKILL)
            status = running.wait()
        shown = proofs.read(directory, digest(directory))
        assert "drilled" not in shown or status == 0 or shown["drilled"].success, (SEED, turn)
        left += estate.objects() != before
    assert left, "no moment left anything behind"
    assert (await estate.drilled()).startswith("app proved it")
    assert estate.objects() == before
