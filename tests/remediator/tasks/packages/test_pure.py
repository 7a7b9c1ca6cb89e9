"""What is decided about packages, without any."""

import asyncio
from typing import Any, cast

import pytest

from exporter.docker.engine import DockerEngine, DockerUnavailable
from remediator.model.task import TaskError
from remediator.tasks.packages.apt import simulation, status
from remediator.tasks.packages.containers import Containers, Running, engines, note, unwell
from remediator.tasks.packages.judge import judge
from remediator.tasks.packages.manager import Change, Installed, LeftOut, Proposal, State, Worked
from remediator.tasks.packages.restarts import parse_needrestart
from remediator.tasks.packages.task import measured, mend_action, notes_on, update_action


def state(**versions: str) -> State:
    """Installed versions; what comes after a space is the state of one that is broken."""
    return State({name: Installed(*version.split(" ", 1)) for name, version in versions.items()})


APP, LIB, GONE = Change("app", "1", "2"), Change("lib", "1", "2"), Change("gone", "1", "")


@pytest.mark.parametrize(
    ("after", "worked", "expected"),
    [
        (state(app="2", lib="2"), Worked("exit status 100"), ("done", "2 packages updated and 1 package removed")),
        (state(app="2", lib="1", gone="1"), Worked("no space"),
         ("partial", "1 package updated; lib is still 1 (no space); gone is still there")),
        (state(app="2 half-configured", lib="2"), Worked("its script failed"),
         ("partial", "1 package updated and 1 package removed; app 2 is half-configured (its script failed)")),
        (state(app="2", lib="1"), Worked(left_alone={"lib": "it is held by now"}),
         ("done", "1 package updated and 1 package removed; lib was left alone, as it is held by now")),
        (state(app="1", lib="1", gone="1"), Worked(left_alone=dict.fromkeys(("app", "lib", "gone"), "it is held")),
         ("skipped", "app was left alone, as it is held; lib was left alone, as it is held; "
                     "gone was left alone, as it is held")),
        (state(app="2", lib="2", other="3"), Worked(kept=["/etc/a.dpkg-dist"]),
         ("done", "2 packages updated and 1 package removed; beside the plan: other new -> 3; "
                  "changed configuration files were kept, the new ones are /etc/a.dpkg-dist")),
    ],
)  # fmt: skip
def test_what_became_of_it_is_what_is_installed(after: State, worked: Worked, expected: tuple[str, str]) -> None:
    effect = judge([APP, LIB, GONE], state(app="1", lib="1", gone="1"), after, worked)
    assert (effect.state, effect.detail) == expected


def test_nothing_gained_is_a_failure_and_all_there_is_none() -> None:
    before = state(app="1", lib="1", gone="1")
    with pytest.raises(TaskError, match=r"^app is still 1 \(no space\); lib is still 1; gone is still there$"):
        judge([APP, LIB, GONE], before, before, Worked("no space"))
    there = state(app="2", lib="2")
    assert judge([APP, LIB, GONE], there, there, Worked()).state == "skipped"


def test_what_names_the_same_is_the_same_action() -> None:
    one, other = update_action([APP, LIB]), update_action([LIB, APP])
    assert one.identity == other.identity
    assert update_action([APP, Change("lib", "1", "3")]).identity != one.identity
    assert update_action([APP, Change("lib", "1.5", "2")]).identity != one.identity
    assert update_action([APP]).identity != one.identity
    broken = mend_action("apt", state(app="1 unpacked", lib="1"))
    assert (broken.object, broken.reason) == ("app", "app is unpacked")
    assert mend_action("apt", State({}, interrupted=True)).reason == "apt was interrupted"


@pytest.mark.parametrize(
    ("left", "broken", "breached"),
    [
        ([], 0, False),
        ([LeftOut("a", "1", "2", "held", "it is held", security=True)], 0, True),
        ([LeftOut("a", "1", "2", "phased", "step by step", security=True)], 0, False),
        ([LeftOut("a", "1", "2", "held", "it is held")], 0, False),
        ([], 1, True),
    ],
)
def test_a_hold_does_not_close_the_hole(left: list[LeftOut], broken: int, breached: bool) -> None:
    assert measured(Proposal([], left), broken, security=True).breached is breached


def test_a_system_update_is_not_due_by_a_limit_and_says_what_waits() -> None:
    found = measured(Proposal([Change("app", "1", "2", security=True), LIB, GONE]), 0, security=False)
    assert (found.breached, found.values["updates"], found.detail) == (False, 2, "2 updates to install, 1 for security")


def test_notes_end_somewhere() -> None:
    many = [Change(f"p{number}", "1", "2", download_bytes=1024, installed_bytes=-10) for number in range(150)]
    notes = notes_on(Proposal(many))
    assert notes[0] == "150 KiB to fetch, 1.46 KiB less when installed."
    assert notes[1] == "p0 1 -> 2, 1 KiB."
    assert notes[-1] == "And 50 more: --json lists all of them."


def test_states_of_dpkg() -> None:
    text = (
        "app\tamd64\t1.0\tii \t10\nforeign\ti386\t1\tii \t\nall\tall\t1\thi \t1\ngone\tamd64\t1\trc \t1\n"
        "half\tamd64\t1\tiF \t1\nhurt\tamd64\t1\tiHR\t1\nnever\tamd64\t\tun \t\nwaits\tamd64\t1\tiW \t1\n"
    )
    found = status.parse(text, "amd64", {"app", "foreign:i386"})
    assert list(found) == ["app", "foreign:i386", "all", "half", "hurt", "waits"]
    assert found["app"] == Installed("1.0", automatic=True, bytes=10240)
    assert found["foreign:i386"].automatic
    assert found["all"].held
    assert [found[name].broken for name in ("half", "hurt", "waits")] == [
        "half-configured", "to be reinstalled", "waiting for triggers",
    ]  # fmt: skip
    extended = (
        "Package: app\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: x\nArchitecture: i386\nAuto-Installed: 1\n"
    )
    assert status.parse_extended(f"{extended}\nPackage: y\nArchitecture: amd64\nAuto-Installed: 0\n", "amd64") == {
        "app", "x:i386",
    }  # fmt: skip


def test_complaints_of_apt() -> None:
    said = (
        "dpkg: error processing package sick (--configure):\n installed sick package post-installation "
        "script subprocess returned error exit status 3\nErrors were encountered while processing:\n sick\n"
        "E: Sub-process /usr/bin/dpkg returned an error code (1)\n"
    )
    expected = (
        "processing package sick (--configure): installed sick package post-installation script subprocess returned"
    )
    assert simulation.complaint(said) == f"{expected} error exit status 3"
    assert simulation.complaint("E: Sub-process /usr/bin/dpkg returned an error code (1)").startswith("Sub-process")
    assert simulation.complaint("E: Failed to fetch http://me:secret@deb.example.org/a.deb  404") == (
        "Failed to fetch http://deb.example.org/a.deb  404"
    )
    assert simulation.complaint("all is well\n") == ""


def test_simulations_of_apt() -> None:
    """Phased ones as apt 2.7 has them, and packages of another architecture."""
    text = (
        "The following upgrades have been deferred due to phasing:\n  later\n"
        "The following packages have been kept back:\n  held later\n"
        "Inst lib:i386 [1.0] (1.1 Ubuntu:24.04/noble-updates, Ubuntu:24.04/noble-security [i386]) [app:amd64 ]\n"
        "Inst new (2:1.0-1 Ubuntu:24.04/noble [all])\n"
        "Remv old [1.0-1] [x:amd64 ]\nConf new (2:1.0-1 Ubuntu:24.04/noble [all])\n"
    )
    found = simulation.parse(text)
    assert [(one.name, one.installed, one.candidate) for one in found.installs] == [
        ("lib:i386", "1.0", "1.1"), ("new", "", "2:1.0-1"),
    ]  # fmt: skip
    assert found.installs[0].origin == "Ubuntu:24.04/noble-updates, Ubuntu:24.04/noble-security"
    assert (found.removals, found.kept_back, found.phased) == ([("old", "1.0-1")], ["held"], ["later"])
    uris = "'http://a/b/new_2%3a1.0-1_all.deb' new_2%3a1.0-1_all.deb 1234 SHA256:00\nNeed to get 1 B\n"
    assert simulation.parse_uris(uris) == {"new_2:1.0-1": 1234}


def test_needrestart_that_says_nothing_knows_nothing() -> None:
    said = (
        "NEEDRESTART-VER: 3.6\nNEEDRESTART-KCUR: 6.1.0-27-amd64\nNEEDRESTART-KEXP: 6.1.0-28-amd64\n"
        "NEEDRESTART-KSTA: 3\nNEEDRESTART-SVC: ssh.service\nNEEDRESTART-SVC: cron.service\n"
    )
    assert parse_needrestart(said) == ["cron.service", "ssh.service"]
    assert parse_needrestart("NEEDRESTART-VER: 3.6\n") == []
    assert parse_needrestart("") is None


class FakeEngine:
    """Stands for a Docker engine that an update restarts."""

    def __init__(self, *lists: list[dict[str, Any]], live_restore: bool = False, down: bool = False) -> None:
        self.lists = list(lists)
        self.live_restore = live_restore
        self.down = down

    async def call(self, work: Any) -> Any:
        if self.down:
            raise DockerUnavailable("cannot reach the Docker engine")
        return work(self)

    def info(self) -> dict[str, Any]:
        return {"LiveRestoreEnabled": self.live_restore}

    def containers(self, all: bool) -> list[dict[str, Any]]:
        return self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]


def listed(**states: str) -> list[dict[str, Any]]:
    return [{"Names": [f"/{name}"], "State": how.split()[0], "Status": how} for name, how in states.items()]


def of(engine: FakeEngine) -> Containers:
    return Containers(lambda: cast(DockerEngine, engine), within=0.05)


def test_containers_that_an_update_takes_down_are_said_before() -> None:
    changes = [
        Change("docker.io", "20", "24"),
        Change("containerd", "", "1"),
        APP,
        Change("containerd.io.x86_64", "1", "2"),
    ]
    assert engines(changes) == ["docker.io", "containerd.io.x86_64"]
    running = asyncio.run(of(FakeEngine(listed(web="running", db="running"))).running())
    assert note(["docker.io"], running) == (
        "docker.io: the update restarts the container engine; 2 containers would be down meanwhile: db, web."
    )
    assert note(["docker.io"], Running(["a"], live_restore=True)).endswith("so containers go on meanwhile.")
    assert note(["docker.io"], Running([], live_restore=False)).endswith("no container runs.")
    assert asyncio.run(of(FakeEngine(down=True)).running()) is None
    assert "did not answer" in note(["docker.io"], None)


def test_containers_are_well_again_or_named() -> None:
    down = listed(web="exited (137)", db="running (health: starting)")
    running = Running(["db", "gone", "web"], live_restore=False)
    assert unwell(down, running.names) == ["db (health: starting)", "gone (gone)", "web (exited)"]
    both = Running(["db", "web"], live_restore=False)
    well = listed(web="running", db="running (healthy)")
    assert asyncio.run(of(FakeEngine(down, well)).not_back(both)) == []
    assert asyncio.run(of(FakeEngine(down)).not_back(both)) == ["db (health: starting)", "web (exited)"]
    assert asyncio.run(of(FakeEngine(down=True)).not_back(both)) == ["cannot reach the Docker engine"]
