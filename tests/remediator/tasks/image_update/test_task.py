"""image-update on a real engine, with a real registry and each generation of Compose."""

import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.backups.directory import BackupDirectory
from exporter.base.replace_file import replace_file
from exporter.inventory.docker import CleanupPolicy, Docker
from remediator.config.config import Config
from remediator.images import documents
from remediator.model.task import Effect, Plan, TaskError
from remediator.peers.places import Peers
from remediator.tasks.backup.task import Backup
from remediator.tasks.backup_verification.task import BackupVerification
from remediator.tasks.disaster_recovery.task import DisasterRecoveryTest
from remediator.tasks.docker_cleanup.task import DockerCleanup
from remediator.tasks.image_update import journal as journals
from remediator.tasks.image_update import overrides
from remediator.tasks.image_update.alerts import Alerts
from remediator.tasks.image_update.compose import Compose
from remediator.tasks.image_update.data import Data, Tasks
from remediator.tasks.restore_in_place.task import RestoreInPlace
from tests.compose import require_compose
from tests.helpers import LONG, long_form, missing, wait_until
from tests.remediator.tasks.backup.series import OWNER, series
from tests.remediator.tasks.image_update.house import (
    PROJECT,
    TARGET,
    House,
    Make,
    applied,
    differences,
    essence,
    states,
    updated,
)
from tests.servers import alertmanager

pytestmark = pytest.mark.servers


async def test_new_and_fine(house: House) -> None:
    house.check()
    first = house.push()
    house.up()
    before = house.container()
    task = house.task()
    assert await task.targets() == [TARGET]
    assert not (await task.measure(TARGET)).breached
    plan = await task.plan(TARGET)
    assert not plan.actions, plan
    assert plan.rows[0].model_dump()["verdict"] == "current", plan
    second = house.push()
    assert (await task.measure(TARGET)).breached
    there = house.everything()
    plan = await task.plan(TARGET)
    assert house.everything() == there, "a plan changes nothing"
    assert not plan.asks, "its label says auto"
    assert [(each.kind, each.object) for each in plan.actions] == [
        ("pull-image", f"{house.app}:1@{second}"),
        ("update-service", TARGET),
    ], plan
    effects = await applied(task, plan)
    assert states(effects) == ["done", "done"]
    assert "its alerts were not asked: no Alertmanager is known" in str(effects[1])
    assert house.digest() == second != first
    after = house.container()
    assert after["Id"] != before["Id"]
    assert after["State"]["Health"]["Status"] == "healthy"
    assert not differences(essence(before, with_image=False), essence(after, with_image=False))
    assert not (await task.measure(TARGET)).breached
    assert states(await applied(task, plan)) == ["skipped", "skipped"], "done twice changes nothing"
    for _ in range(9 if long_form() else 0):
        second = house.push()
        assert states(await updated(task)) == ["done", "done"]
        assert house.digest() == second
        assert not differences(essence(before, with_image=False), essence(house.container(), with_image=False))
    house.compose("up", "-d")  # by hand and without our file the same image runs on
    assert house.digest() == second


@pytest.mark.parametrize("generation", ["newest", *(["1"] if long_form() else [])])
async def test_what_shares_its_network_goes_with_it(
    houses: Make, generation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where Compose was killed in between, and has left it with the network of the former container."""
    old = shutil.which("docker-compose")  # each call of it takes a second of a processor: in the long form alone
    if generation == "1" and old is None:
        missing("docker-compose 1.29 is not on PATH (Debian package docker-compose)")
    house = houses(str(old) if generation == "1" else require_compose()[-1].program)
    house.share()
    house.push()
    house.up()
    assert house.old == (generation == "1")
    before = house.container()
    second = house.push()
    up = Compose.up

    async def interrupted(self: Compose, project: str, files: Any, service: str, sharers: Any, scales: Any) -> None:
        await up(self, project, files, service, [], scales)

    with monkeypatch.context() as patched:
        patched.setattr(Compose, "up", interrupted)
        assert states(await updated(house.task())) == ["done", "done"]
    after, side = house.container(), house.container("side")
    assert house.digest() == second
    assert after["Id"] != before["Id"]
    assert not differences(essence(before, with_image=False), essence(after, with_image=False))
    assert side["HostConfig"]["NetworkMode"] == f"container:{after['Id']}"
    assert side["State"]["Running"]
    if not long_form():
        return
    house.push("1", "sick")
    (_, problem) = await updated(house.task())
    assert isinstance(problem, str)
    assert "went back" in problem
    back, side = house.container(), house.container("side")
    assert house.digest() == second
    assert not differences(essence(after), essence(back))
    assert side["HostConfig"]["NetworkMode"] == f"container:{back['Id']}"
    assert side["State"]["Running"]


async def test_what_never_becomes_healthy_goes_back_exactly(house: House) -> None:
    house.check()
    house.services["app"] |= {"networks": {"inner": {"aliases": ["application"], "ipv4_address": "10.213.7.7"}}}
    del house.services["app"]["network_mode"]
    house.more["networks"] = {"inner": {"ipam": {"config": [{"subnet": "10.213.7.0/24"}]}, "internal": True}}
    first = house.push()
    house.up()
    before = house.container()
    house.push("1", "sick")
    (_, problem) = await updated(house.task())
    assert isinstance(problem, str)
    assert "it has not become healthy" in problem, problem
    assert "went back" in problem, problem
    assert house.digest() == first
    assert not differences(essence(before), essence(house.container()))
    left = [each.name for each in house.state.rglob("*") if each.is_file()]
    assert left == ["app.result.json"], "nothing else of ours is left"
    assert not [tag for image in house.dockerd.client.images.list() for tag in image.tags if "upkeeper-former" in tag]


class FakeAlerts:
    """What Alertmanager would say: a stand-in. firing: by fingerprint, of each question in turn; the last one stays."""

    def __init__(self, *firing: Mapping[str, str] | str) -> None:
        self._firing = list(firing)

    async def firing(self, *_: object) -> Mapping[str, str] | str:
        return self._firing.pop(0) if len(self._firing) > 1 else self._firing[0]


async def test_a_new_alert_after_it_was_healthy(house: House) -> None:
    house.services["app"]["volumes"] = ["./data:/data"]
    (house.project / "data").mkdir()
    first = house.push()
    house.up()
    before = house.container()
    second = house.push()
    known, more = {"a": "Old"}, {"a": "Old", "b": "ErrorsOfApp"}
    (_, problem) = await updated(house.task(alerts=FakeAlerts(known, known, more)))
    assert isinstance(problem, str)
    assert "ErrorsOfApp" in problem, "nobody wrote"
    assert "went back" in problem, "nobody wrote"
    assert house.digest() == first
    assert not differences(essence(before), essence(house.container()))

    class Writing(FakeAlerts):
        async def firing(self, *_: object) -> Mapping[str, str] | str:
            said = await super().firing()
            if said is more:
                (house.project / "data" / "written").write_text("by a client")
            return said

    (_, problem) = await updated(house.task(alerts=Writing(known, known, more)), again=True)
    assert isinstance(problem, str)
    assert "Say what is to stay" in problem, problem
    assert house.digest() == second, "both are kept: a person must say"
    cleanup = DockerCleanup(house.engine, Docker(cleanup=CleanupPolicy(images_min_age=0)))
    for action in (await cleanup.plan("docker")).actions:
        await cleanup.apply("docker", action)
    task = house.task(alerts=FakeAlerts("is away"))
    assert (await task.measure(TARGET)).breached
    assert not (await task.plan(TARGET)).actions
    (went,) = await updated(task, settle="image")
    assert isinstance(went, Effect)
    assert "went back" in went.detail
    assert house.digest() == first
    assert not differences(essence(before), essence(house.container()))


async def test_what_is_left_alone(house: House) -> None:
    house.push()
    for name, more in {
        "never": {"labels": {"upkeeper.update": "never"}},
        "kept": {"labels": {"upkeeper.keep": ""}},
        "odd": {"labels": {"upkeeper.update": "please"}},
        "asked": {"labels": {}},
        "built": {"build": "."},
        "stopped": {},
    }.items():
        house.services[name] = {**house.services["app"], **more}
    house.push("2")
    house.dockerd.client.api.pull(house.app, tag="1")
    house.compose("up", "-d", "--no-build")
    house.compose("stop", "stopped")
    house.push()
    task = house.task()
    there = house.everything()
    for name, why in {
        "never": "it is never updated",
        "kept": "has the label upkeeper.keep",
        "odd": "must be auto, approve or never",
        "built": "it is built here",
        "stopped": "is not running, and stays as it is",
    }.items():
        plan = await task.plan(f"{PROJECT}.{name}")
        assert not plan.actions, plan
        assert why in plan.notes[0], (name, plan)
    asked = await task.plan(f"{PROJECT}.asked")
    assert asked.actions
    assert "a person must approve" in asked.asks
    assert "Other major versions: 2." in asked.notes
    assert house.everything() == there
    (house.project / ".env").write_text("MODE=other\n")
    plan = await task.plan(TARGET)
    assert not plan.actions, plan
    assert any("Compose would change more than the image" in note for note in plan.notes)
    (house.project / ".env").unlink()
    await applied(task, await task.plan(TARGET))
    assert not house.container("stopped")["State"]["Running"]
    with pytest.raises(TaskError, match=r"no container of a Compose service pa\.gone"):
        await task.plan(f"{PROJECT}.gone")


async def test_an_alertmanager_is_asked(tmp_path: Path) -> None:
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    async with alertmanager(tmp_path / "am", config) as server:
        known = Config.model_validate({"alertmanager": {"url": server.url}})
        alerts = Alerts(Peers(lambda: known, tmp_path))
        assert await alerts.firing(["pa-app-1"], "pa", {"app"}) == {}
        posted = [
            {"labels": {"alertname": "Errors", "container": "pa-app-1"}},
            {"labels": {"alertname": "Errors", "container": "pa-db-1"}},
        ]
        async with httpx.AsyncClient() as client:
            assert (await client.post(f"{server.url}/api/v2/alerts", json=posted)).status_code == 200

        async def names() -> list[str]:
            found = await alerts.firing(["pa-app-1"], "pa", {"app"})
            assert not isinstance(found, str), found
            return list(found.values())

        await wait_until(names, equals=["Errors"])
    unasked = await alerts.firing(["pa-app-1"], "pa", {"app"})
    assert isinstance(unasked, str)
    assert "cannot reach Alertmanager" in unasked
    assert "no Alertmanager is known" in str(await Alerts(Peers(Config, tmp_path)).firing(["pa-app-1"], "pa", {"app"}))


class Killed(BaseException):
    """As by kill -9: nothing gets to clean up."""


@pytest.mark.parametrize("sick", [True, *([False] if long_form() else [])])
async def test_killed_between_any_two_steps(house: House, sick: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each note, and before and after each call of Compose that changes something; in CI after the first call."""
    first = house.push()
    house.up()
    before = house.container()
    note, up = journals.write, Compose.up
    left = 0

    def die() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    def write(path: Path, journal: journals.Journal) -> None:
        note(path, journal)
        die()

    async def go_up(self: Compose, *given: Any) -> None:
        die()
        await up(self, *given)
        die()

    monkeypatch.setattr(journals, "write", write)
    monkeypatch.setattr(Compose, "up", go_up)
    killed = 0
    for point in range(1, 30) if long_form() else (4,):
        left = 0
        new = house.push("1", *(["sick"] if sick else []))
        task = house.task()
        pull, change = (await task.plan(TARGET)).actions
        await task.apply(TARGET, pull)
        left = point
        try:
            await task.apply(TARGET, change)
        except Killed:
            killed += 1
            left = 0
            again = house.task()
            assert [each.kind for each in (await again.plan(TARGET)).actions] == ["finish-update"]
            await updated(again)
        except TaskError:
            assert sick
        assert house.digest() == (first if sick else new), f"killed at {point}"
        differing = differences(essence(before, with_image=sick), essence(house.container(), with_image=sick))
        assert not differing, f"killed at {point}"
        assert not list(house.state.rglob("*.update.json"))
        if left > 0:
            break
    assert killed


async def test_no_room_for_a_note_leaves_nothing_half_done(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first note, before anything is changed; in the long form each in its turn."""
    house.push()
    house.up()
    before = house.container()
    left = 0
    kept = replace_file

    def full(*given: Any, **more: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        kept(*given, **more)

    for module in (documents, overrides):
        monkeypatch.setattr(module, "replace_file", full)
    for point in range(1, 12) if long_form() else (1,):
        left, running = 0, house.container()
        new = house.push()
        task = house.task()
        (pull, change) = (await task.plan(TARGET)).actions
        await task.apply(TARGET, pull)
        left = point
        (said,) = await applied(task, Plan(actions=[change]))
        assert isinstance(said, Effect) or "No space left on device" in said, point
        if point == 1:
            assert isinstance(said, str)
            assert house.container()["Id"] == running["Id"], "nothing was changed"
            tags = [tag for image in house.dockerd.client.images.list() for tag in image.tags]
            assert not [tag for tag in tags if "upkeeper-former" in tag]
        reached, left = left <= 0, 0
        await updated(house.task(), again=True)  # finishes it, where it was not
        await updated(house.task(), again=True)
        assert house.digest() == new, point
        assert not differences(essence(before, with_image=False), essence(house.container(), with_image=False)), point
        assert not list(house.state.rglob("*.update.json")), point
        if not reached:
            break


async def test_image_and_data_go_back_as_one_pair(house: House, tmp_path: Path) -> None:
    """The new image migrates its data and then does not become healthy."""
    data, sets = house.project / "data", tmp_path / "sets"
    for each in (data, sets):
        each.mkdir()
    (data / "rows").write_text("as they were")
    house.services["app"] |= {
        "volumes": ["./data:/data"],
        "command": ["test -f /migrates && echo migrated > /data/rows; test -f /sick && exit 1; exec sleep 1000"],
    }
    first = house.push()
    house.up()
    before = house.container()
    house.push("1", "sick", "migrates")
    one = series(sets, {"files": [str(data)]})
    owner = OWNER.model_copy(update={"state": str(house.state)})
    own = Tasks(
        Backup([one], (), owner, "tests", lambda: house.engine),
        BackupVerification([one], house.state),
        RestoreInPlace([one], (), owner, "tests", lambda: house.engine),
        DisasterRecoveryTest([one], lambda: house.engine, house.state),
    )
    settings = {"services": [{"project": PROJECT, "service": "app", "backup": "pa", "at_rest": True}]}
    task = house.task(settings, data=Data([one], own))
    plan = await task.plan(TARGET)
    assert "a set of pa, made with the service stopped" in plan.actions[-1].reason
    problem = (await applied(task, plan))[-1]
    assert isinstance(problem, str)
    assert "its data from the set backup-" in problem, problem
    assert (data / "rows").read_text() == "as they were"
    assert house.digest() == first
    assert not differences(essence(before), essence(house.container()))
    copies = list(sets.glob(".before-restore-*"))
    assert len(copies) == 1, "what the new image made of it is kept"
    # With a set that is recent enough the service is not stopped for one; without, one is made first.
    settings["services"][0] |= {"at_rest": False}
    task = house.task(settings, data=Data([one], own))
    held = await task.plan(TARGET)
    assert not held.actions, "it went back from exactly this image"
    assert "-p again=true tries it again" in held.notes[-1], held
    again = {"again": True}
    assert [each.kind for each in (await task.plan(TARGET, again)).actions] == ["pull-image", "update-service"]
    for each in BackupDirectory(one, time.time).read():
        shutil.rmtree(sets / each.name)
    plan = await task.plan(TARGET, again)
    assert [each.kind for each in plan.actions] == ["back-up", "pull-image", "update-service"]
    done = await task.apply(TARGET, plan.actions[0])
    assert "made and proven (readable)" in done.detail


async def test_a_new_image_is_rehearsed_on_the_newest_set_first(house: House, tmp_path: Path) -> None:
    sets, database = tmp_path / "sets", tmp_path / "x.sqlite"
    sets.mkdir()
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("CREATE TABLE t (x)")
        opened.commit()
    prove = ["sh", "-c", "test -s /set/sqlite/x.sqlite && test ! -f /sick && echo it can"]
    drilled = {"name": "app", "image": f"{house.app}:some", "set_at": "/set", "prove": prove, "command": ["sleep", "9"]}
    one = series(
        sets, {"sqlite": [{"name": "x", "path": str(database)}]}, drill={"services": [drilled], "memory": "64MiB"}
    )
    owner = OWNER.model_copy(update={"state": str(house.state)})
    own = Tasks(
        Backup([one], (), owner, "tests", lambda: house.engine),
        BackupVerification([one], house.state),
        RestoreInPlace([one], (), owner, "tests", lambda: house.engine),
        DisasterRecoveryTest([one], lambda: house.engine, house.state),
    )
    settings = {"services": [{"project": PROJECT, "service": "app", "backup": "pa", "rehearse": True}]}
    first = house.push()
    house.up()
    before = house.container()
    task = house.task(settings, data=Data([one], own))
    house.push("1", "sick")
    plan = await task.plan(TARGET)
    assert [each.kind for each in plan.actions] == ["back-up", "pull-image", "rehearse", "update-service"]
    effects = await applied(task, plan)
    assert "app cannot use its data" in str(effects[2])
    assert states(effects)[3] == "skipped"
    assert (house.container()["Id"], house.digest()) == (before["Id"], first), "it was not touched"
    second = house.push()
    effects = await updated(task)
    assert states(effects) == ["done", "done", "done"], effects
    assert isinstance(effects[1], Effect)
    assert "app proved it: it can" in effects[1].detail
    assert house.digest() == second
    assert not house.dockerd.client.api.networks(filters={"label": "upkeeper.sandbox"}), "nothing of it is left"


@LONG
@pytest.mark.torture
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("number", [0, 1, "old"])
async def test_ten_updates_in_a_row_lose_nothing(houses: Make, number: int | str) -> None:
    """Of a service with about everything that updaters lose, and of one that has its network: every inspected field."""
    programs = [each.program for each in require_compose()]
    if number == "old":
        program = shutil.which("docker-compose") or ""
        if not program:
            missing("docker-compose 1.29 is not on PATH (Debian package docker-compose)")
    elif number < len(programs):
        program = programs[number]
    else:
        pytest.skip("UPKEEPER_COMPOSE names no second one")
    house = houses(program)
    house.check()
    house.share()
    (house.project / "data").mkdir()
    (house.project / "secret").write_text("s3cret")
    house.services["app"] |= {
        "networks": {
            "inner": {"aliases": ["application", "api"], "ipv4_address": "10.213.7.7"},
            "other": {"aliases": ["second"]},
        },
        "volumes": ["./data:/data", "named:/named", "/anonymous"],
        "cap_add": ["NET_ADMIN"],
        "cap_drop": ["MKNOD"],
        "sysctls": {"net.core.somaxconn": "200"},
        "ulimits": {"nofile": {"soft": 2000, "hard": 3000}},
        "extra_hosts": ["elsewhere:10.213.7.99"],
        "dns": ["10.213.7.53"],
        "tmpfs": ["/scratch:size=1m"],
        "user": "0:0",
        "working_dir": "/data",
        "hostname": "application",
        "domainname": "example.org",
        "init": True,
        "read_only": True,
        "restart": "unless-stopped",
        "shm_size": "2m",
        "mem_limit": "64m",
        "pids_limit": 50,
        "security_opt": ["no-new-privileges"],
        "logging": {"driver": "json-file", "options": {"max-size": "1m"}},
        "labels": {"upkeeper.update": "auto", "odd.label": "with $$ and 'quotes'"},
    }
    del house.services["app"]["network_mode"]
    if not house.old:  # Compose 1 mounts secrets as the file's version 3 says, which has none of the above
        house.services["app"]["secrets"] = ["key"]
        house.more["secrets"] = {"key": {"file": "./secret"}}
    internal = {"internal": True}
    house.more["networks"] = {
        "inner": {"ipam": {"config": [{"subnet": "10.213.7.0/24"}]}, **internal},
        "other": internal,
    }
    house.more["volumes"] = {"named": {}}
    house.push()
    house.up()
    app, side = house.container(), house.container("side")
    for turn in range(10):
        new = house.push()
        assert states(await updated(house.task())) == ["done", "done"], turn
        assert house.digest() == new
        after, sharer = house.container(), house.container("side")
        assert not differences(essence(app, with_image=False), essence(after, with_image=False)), turn
        assert sharer["State"]["Running"]
        assert sharer["HostConfig"].pop("NetworkMode") == f"container:{after['Id']}"
        ours = essence(side, with_image=False)
        ours["HostConfig"].pop("NetworkMode")
        assert not differences(ours, essence(sharer, with_image=False)), turn
