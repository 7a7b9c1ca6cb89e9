"""service-restart of real units: of a systemd of the test's own, a user's, in a mount namespace of its own.

There is no journal in it: what units wrote is read by a stand-in for journalctl.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from exporter.docker.engine import DockerEngine
from exporter.inventory.services import Probe, Service
from exporter.probing.result import ProbeResult
from remediator.model.task import Plan, TaskError
from remediator.tasks.service_restart.restarter import Pacing
from remediator.tasks.service_restart.task import ServiceRestart
from remediator.tasks.service_restart.units import Units
from tests.helpers import missing, wait_until

pytestmark = pytest.mark.servers

FAST = Pacing(attempts=3, backoff=0.02, poll=0.02, probes=1.0, settle=0.1)
_CGROUPS = [Path(root) for root in ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")]
_START = """
for root in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    [ -e $root/cgroup.procs ] && mkdir $root/{group} && echo $$ > $root/{group}/cgroup.procs
done
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/user/0 /run/units
export XDG_RUNTIME_DIR=/run/user/0 HOME={home}
exec /lib/systemd/systemd --user --unit=basic.target
"""
UNITS = {
    "well": "ExecStart=/bin/sleep 1000",
    "sick": "ExecStart=/bin/sleep 1000",
    "crashed": "ExecStart=/bin/sh -c '[ -e {home}/mended ] && exec sleep 1000; exit 3'",
    "dies": "ExecStart=/bin/sh -c 'exit 4'\nRestart=always\nRestartSec=20ms",
}


class Systemd:
    """Its programs reach it through its namespace."""

    def __init__(self, home: Path) -> None:
        self.home = home
        units = home / ".config" / "systemd" / "user"
        units.mkdir(parents=True)
        for name, lines in UNITS.items():
            (units / f"{name}.service").write_text(f"[Service]\n{lines.format(home=home)}\n")
        # Else another one, of tests that run beside these, would take away the groups of the same names.
        self.group = f"upkeeper-tests-{os.getpid()}"
        script = _START.format(home=home, group=self.group)
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        self.systemctl = [
            "nsenter", f"--target={self.process.pid}", "--mount", "--", "env", "XDG_RUNTIME_DIR=/run/user/0",
            "systemctl", "--user",
        ]  # fmt: skip
        self.journalctl = [sys.executable, "-c", "print('Cannot connect to the database\\nFATAL: permission denied')"]

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run([*self.systemctl, *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def invocation(self, name: str) -> str:
        return self("show", "--value", "--property=InvocationID", f"{name}.service")

    def close(self) -> None:
        self("stop", *(f"{name}.service" for name in UNITS))
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for root in _CGROUPS:
            for directory, _, _ in os.walk(root / self.group, topdown=False):
                with contextlib.suppress(OSError):  # a process of it is still ending
                    Path(directory).rmdir()


@pytest.fixture(scope="module")
def systemd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    if os.geteuid() != 0:
        pytest.skip("only root makes a mount namespace of its own")
    if not Path("/lib/systemd/systemd").exists() or shutil.which("nsenter") is None:
        missing("there is no systemd to start (Debian package systemd)")
    made = Systemd(tmp_path_factory.mktemp("systemd"))
    try:
        yield made
    finally:
        made.close()


class House:
    """The task, with a service for each unit, whose probes say what the test wants."""

    def __init__(self, systemd: Systemd) -> None:
        self.systemd = systemd
        self.problems: dict[str, list[str]] = {}
        probes = [Probe(url="tcp://127.0.0.1:1")]
        services = [Service(name=name, unit=f"{name}.service", probes=probes) for name in (*UNITS, "gone")]
        self.task = ServiceRestart(
            services, DockerEngine("unix:///nowhere/docker.sock"), pacing=FAST, probe=self.probe,
            units=Units(systemd.systemctl, systemd.journalctl),
        )  # fmt: skip

    async def probe(self, name: str, probe: Probe) -> ProbeResult:
        """Fails for as many looks as there are problems."""
        left = self.problems.get(name, [])
        problem = left.pop(0) if left else ""
        return ProbeResult(name, "live", not problem, problem, duration=0.0, checked_at=0.0)

    async def plan(self, name: str) -> Plan:
        return await self.task.plan(name)


@pytest.fixture
async def house(systemd: Systemd) -> AsyncIterator[House]:
    await wait_until(lambda: systemd("is-system-running") in ("running", "degraded"), what="systemd to run")
    (systemd.home / "mended").unlink(missing_ok=True)
    yield House(systemd)
    systemd("stop", *(f"{name}.service" for name in UNITS))
    systemd("reset-failed")


async def test_targets_are_services_with_a_unit(house: House) -> None:
    assert await house.task.targets() == [*UNITS, "gone"]
    with pytest.raises(TaskError, match=r"there is no unit gone\.service"):
        await house.plan("gone")


async def test_one_that_is_well_or_stopped_is_left_alone(house: House) -> None:
    house.systemd("start", "well.service")
    measured = await house.task.measure("well")
    assert (measured.breached, measured.detail) == (False, "well.service: active (running)")
    assert (await house.plan("well")).notes == ["well.service is active, and no probe of it fails."]
    house.systemd("stop", "well.service")
    plan = await house.plan("well")
    assert (plan.actions, plan.notes) == ((), ["well.service was stopped by someone, or has finished."])
    assert (await house.task.measure("well")).breached


async def test_one_whose_probe_fails_is_restarted_until_it_is_well(house: House) -> None:
    house.systemd("start", "well.service", "sick.service")
    before, other = house.systemd.invocation("sick"), house.systemd.invocation("well")
    house.problems["sick"] = ["refused"] * 2
    measured = await house.task.measure("sick")
    assert (measured.breached, measured.detail) == (True, "sick.service: active (running); probe sick/live: refused")
    (action,) = (await house.plan("sick")).actions
    assert (action.kind, action.object) == ("restart", "sick.service")
    house.problems["sick"] = ["refused"] * 4
    effect = await house.task.apply("sick", action)
    assert (effect.state, effect.detail) == ("done", "recovered after 1 restart")
    assert house.systemd.invocation("sick") not in ("", before)
    assert house.systemd.invocation("well") == other
    assert house.task.improved(measured, await house.task.measure("sick"))
    house.problems["sick"] = ["refused"]
    again = await house.task.apply("sick", action)
    assert (again.state, again.detail) == ("skipped", "it was started again since the plan, and has recovered")


async def test_one_that_stays_sick_is_given_up(house: House) -> None:
    house.systemd("start", "sick.service")
    house.problems["sick"] = ["refused"]
    (action,) = (await house.plan("sick")).actions
    house.problems["sick"] = ["refused"] * 10_000
    with pytest.raises(TaskError, match=r"has not recovered after 3 restarts: active \(running\); probe sick/live"):
        await house.task.apply("sick", action)


async def test_one_that_crashed_is_started(house: House) -> None:
    house.systemd("start", "crashed.service")
    await wait_until(lambda: house.systemd("is-active", "crashed.service") == "failed", what="it to crash")
    (action,) = (await house.plan("crashed")).actions
    assert (action.kind, action.reason) == ("start", "failed (failed): exit-code, exit status 3")
    with pytest.raises(TaskError, match="has not recovered after 3 restarts: failed"):
        await house.task.apply("crashed", action)
    (house.systemd.home / "mended").touch()
    assert (await house.task.apply("crashed", action)).state == "done"


async def test_one_that_dies_over_and_over_is_explained(house: House) -> None:
    house.systemd("start", "dies.service")
    await wait_until(lambda: house.systemd("is-active", "dies.service") == "failed", what="systemd to give up")
    plan = await house.plan("dies")
    assert plan.actions == ()
    assert plan.notes[0].startswith("dies.service dies over and over: failed (failed): ")
    assert plan.notes[1:] == [
        "It looks as if it may not use something: owner or mode.",
        "It said last: Cannot connect to the database | FATAL: permission denied",
    ]
    sections = [await source.gather() for source in house.task.evidence("dies")]
    assert sections[0][0].startswith("dies.service: failed")
    assert sections[1][-1] == "FATAL: permission denied"
