"""What the machine tells of itself, from files as they are there, and from a systemctl of the test's."""

import os
from pathlib import Path

import pytest

from exporter.base.programs import CommandFailed
from remediator.model.task import TaskError
from remediator.tasks.reboot.machine import Machine

NOW = 1_800_000_000.0
RELEASE = "6.1.0-40-amd64"
NEWER = "6.1.0-41-amd64"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("run", "boot", "proc/self", "proc/sys/kernel/random"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "boot" / f"vmlinuz-{RELEASE}").touch()
    return tmp_path


def machine(root: Path, clock: float = NOW) -> Machine:
    return Machine(root, release=RELEASE, clock=lambda: clock, euid=0)


async def test_packages_that_ask_for_a_reboot_are_named(root: Path) -> None:
    (root / "run/reboot-required").touch()
    (root / "run/reboot-required.pkgs").write_text("libc6\nlinux-image-amd64\nlibc6\n")

    waits = await machine(root).waits()

    assert (waits.required, waits.packages, waits.in_vain) == (True, ["libc6", "linux-image-amd64"], False)
    assert str(waits) == "updates wait for a reboot: libc6, linux-image-amd64"


async def test_a_kernel_of_before_the_last_start_makes_another_one_vain(root: Path) -> None:
    newer = root / "boot" / f"vmlinuz-{NEWER}"
    newer.touch()
    changed = newer.stat().st_ctime

    (root / "proc/uptime").write_text("100.00 50.00\n")
    started_later = await machine(root, changed + 101).waits()
    started_before = await machine(root, changed + 99).waits()

    assert (started_later.required, started_later.in_vain) == (True, True)
    assert "boot loader" in str(started_later)
    assert (started_before.required, started_before.in_vain) == (True, False)


async def test_a_marker_of_this_start_is_never_in_vain(root: Path) -> None:
    newer = root / "boot" / f"vmlinuz-{NEWER}"
    newer.touch()
    (root / "run/reboot-required").touch()
    (root / "proc/uptime").write_text("100.00 50.00\n")

    assert not (await machine(root, newer.stat().st_ctime + 1000).waits()).in_vain


async def test_a_machine_that_does_not_tell(root: Path) -> None:
    (root / "boot" / f"vmlinuz-{RELEASE}").unlink()

    waits = await machine(root).waits()

    assert waits.required is None
    assert "not known" in str(waits)


def test_which_start_it_is_must_be_known(root: Path) -> None:
    with pytest.raises(TaskError, match="which start"):
        machine(root).boot()
    started(root, "1f573717-e49d", 2)
    assert machine(root).boot() == "1f573717-e49d/2"
    started(root, "", 2)
    with pytest.raises(TaskError, match="which start"):
        machine(root).boot()


def test_a_container_with_its_hosts_identity_is_told_apart_by_its_first_process(root: Path) -> None:
    started(root, "1f573717-e49d", 100)
    former = machine(root).boot()
    started(root, "1f573717-e49d", 4711)

    assert machine(root).boot() != former


def started(root: Path, boot_id: str, ticks: int) -> None:
    (root / "proc/sys/kernel/random/boot_id").write_text(f"{boot_id}\n")
    (root / "proc/1").mkdir(exist_ok=True)
    (root / "proc/1/stat").write_text(f"1 (a (strange) name) S {' '.join(['0'] * 18)} {ticks} 1024 77\n")


@pytest.mark.parametrize(
    ("groups", "unit"),
    [
        ("0::/system.slice/upkeeper-remediator.service\n", "upkeeper-remediator.service"),
        ("1:name=systemd:/system.slice/system-upkeeper.slice/upkeeper@a.service\n", "upkeeper@a.service"),
        ("0::/user.slice/user-0.slice/session-3.scope\n", ""),
        ("0::/\n", ""),
    ],
)
def test_the_unit_that_it_runs_as(root: Path, groups: str, unit: str) -> None:
    (root / "proc/self/cgroup").write_text(groups)

    assert machine(root).own_unit() == unit


def systemctl(directory: Path, version: str, status: int = 0) -> Path:
    """A stand-in, as this machine must not reboot: it writes down what it is told."""
    program = directory / "systemctl"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "systemd {version}"; exit 0; }}\n'
        f'printf "%s\\n" "$*" >> {directory}/told\necho "Operation inhibited by \\"dpkg\\"" >&2\nexit {status}\n'
    )
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("version", "respected"), [("252 (252.39-1)", True), ("248", True), ("239 (239-82.el8)", False)]
)
async def test_what_keeps_the_machine_from_stopping_is_respected(tmp_path: Path, version: str, respected: bool) -> None:
    program = systemctl(tmp_path, version)

    await Machine(tmp_path, systemctl=[os.fspath(program)]).reboot("for the test")

    told = (tmp_path / "told").read_text()
    assert told.startswith("reboot --no-ask-password --message=for the test")
    assert ("--check-inhibitors=yes" in told) == respected


async def test_a_refusal_is_told_in_its_words(tmp_path: Path) -> None:
    program = systemctl(tmp_path, "252", status=1)

    with pytest.raises(CommandFailed, match='inhibited by "dpkg"'):
        await Machine(tmp_path, systemctl=[os.fspath(program)]).reboot("for the test")
