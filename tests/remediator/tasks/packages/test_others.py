"""dnf and brew behind the same tasks. Their programs are fakes: they print what was recorded and note what they get."""

import json
import os
from pathlib import Path

import pytest

from exporter.base.errors import UpkeeperError
from remediator.config.packages import Packages
from remediator.model.task import TaskError
from remediator.tasks.packages.brew import Brew, parse_autoremove
from remediator.tasks.packages.dnf import Dnf, complaint, parse_installed, parse_replaced, parse_transaction
from remediator.tasks.packages.system import System
from remediator.tasks.packages.task import PackageCleanup, SecurityUpdate, SystemUpdate
from tests.remediator.tasks.packages.conftest import rows_of

RECORDED = Path(__file__).parent / "recorded"
LONG = "a-package-with-a-very-long-name-that-dnf-breaks-the-line-after.noarch"
PACKAGES = Packages(refresh_after=1e9)


class Fakes:
    """Programs on PATH. Each prints the file whose name its arguments have as theirs, and notes these."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.told = directory / "told"
        monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")

    def program(self, name: str, *cases: tuple[str, Path | str, int]) -> str:
        """cases: a pattern of the shell for the arguments, what is printed, and the exit status."""
        lines = [f"{pattern}) cat {self._kept(said)}; exit {status};;" for pattern, said, status in cases]
        script = f'#!/bin/sh\nprintf "%s\\n" "{name} $*" >> {self.told}\ncase "$*" in\n' + "\n".join(lines) + "\nesac\n"
        path = self.directory / name
        path.write_text(script)
        path.chmod(0o755)
        return str(path)

    def _kept(self, said: Path | str) -> Path:
        if isinstance(said, Path):
            return said
        path = self.directory / f"said-{len(list(self.directory.iterdir()))}"
        path.write_text(said)
        return path

    @property
    def acted(self) -> list[str]:
        """What was told but did not only look."""
        looks = ("--assumeno", "check-update", "rpm ", "list", "outdated", "--dry-run")
        lines = self.told.read_text().splitlines() if self.told.exists() else []
        return [line for line in lines if not any(word in line for word in looks)]


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    return Fakes(tmp_path, monkeypatch)


def dnf_of(fakes: Fakes, installed: Path | str = RECORDED / "rpm_installed.txt") -> tuple[Dnf, System]:
    table = (RECORDED / "dnf4_upgrade.txt").read_text()
    only = "".join(line for line in table.splitlines(keepends=True) if line.startswith(("Upgrading", " lib")))
    fakes.program("rpm", ("*", installed, 0))
    fakes.program(
        "dnf",
        ("*check-update*--security*", RECORDED / "dnf4_check_update_security.txt", 100),
        ("*check-update*", RECORDED / "dnf4_check_update.txt", 100),
        ("*--assumeno*upgrade*--security*", only, 1),
        ("*--assumeno*upgrade\\ lib*", only, 1),
        ("*--assumeno*upgrade*", RECORDED / "dnf4_upgrade.txt", 1),
        ("*--assumeno*autoremove*", RECORDED / "dnf4_autoremove.txt", 1),
        ("*--assumeno*remove*", RECORDED / "dnf4_autoremove.txt", 1),
        ("*", "", 0),
    )
    system = System(euid=0)
    return Dnf(PACKAGES, "dnf", system), system


async def test_dnf_is_given_exactly_what_was_planned(fakes: Fakes) -> None:
    dnf, system = dnf_of(fakes)
    task = SystemUpdate(PACKAGES, lambda: [dnf], system)
    plan = await task.plan("dnf")
    found = {row.package: (row.does, row.installed, row.candidate, row.security) for row in rows_of(plan)}
    assert found == {
        LONG: ("upgrade", "1.0-1", "2.0-1", False),
        "app.noarch": ("upgrade", "1.0-1", "2.0-1", False),
        "kernel-core.noarch": ("upgrade", "6.1.0-1", "6.2.0-1", False),
        "lib.noarch": ("upgrade", "1.0-1", "1.1-1", True),
        "user.noarch": ("upgrade", "1.0-1", "2.0-1", False),
        "fresh.noarch": ("install", "", "1.0-1", False),
    }
    assert fakes.acted == []
    with pytest.raises(UpkeeperError, match=r"app.noarch is still 1.0-1"):
        await task.apply("dnf", plan.actions[0])
    named = f"{LONG.removesuffix('.noarch')}-2.0-1.noarch app-2.0-1.noarch kernel-core-6.2.0-1.noarch lib-1.1-1.noarch"
    assert fakes.acted == [
        f"dnf --assumeyes --downloadonly upgrade {named} user-2.0-1.noarch",
        f"dnf --assumeyes --setopt=clean_requirements_on_remove=False upgrade {named} user-2.0-1.noarch",
    ]


async def test_dnf_security_only(fakes: Fakes) -> None:
    dnf, system = dnf_of(fakes)
    task = SecurityUpdate(PACKAGES, lambda: [dnf], system)
    (action,) = (await task.plan("dnf")).actions
    assert action.object == "1 package: lib.noarch"
    assert (await task.measure("dnf")).values["security_updates"] == 1
    dnf_of(fakes, (RECORDED / "rpm_installed.txt").read_text().replace("lib.noarch\t0\t1.0-1", "lib.noarch\t0\t1.1-1"))
    assert (await task.apply("dnf", action)).detail == "all of it was there already"
    dnf_of(fakes, (RECORDED / "rpm_installed.txt").read_text().replace("lib.noarch\t0\t1.0-1", "lib.noarch\t0\t1.0-9"))
    assert (await task.apply("dnf", action)).detail == "lib.noarch was left alone, as it is 1.0-9 by now"
    assert fakes.acted == []


async def test_dnf_does_nothing_beside_the_plan(fakes: Fakes) -> None:
    dnf, system = dnf_of(fakes)
    task = SystemUpdate(PACKAGES, lambda: [dnf], system)
    (action,) = (await task.plan("dnf")).actions
    more = (
        (RECORDED / "dnf4_upgrade.txt")
        .read_text()
        .replace("\nTransaction", "Removing:\n user noarch 1.0-1 @local 4.9 k\n")
    )
    fakes.program("dnf", ("*--assumeno*", more.replace(" user   ", " xuser  "), 1))
    with pytest.raises(
        UpkeeperError, match=r"^refused: dnf would now also install xuser.noarch 2.0-1, remove user.noarch"
    ):
        await task.apply("dnf", action)
    with pytest.raises(
        UpkeeperError, match=r"^these updates would remove user.noarch; packages.allow_removals permits"
    ):
        await task.plan("dnf")
    assert fakes.acted == []


async def test_dnf_cleanup(fakes: Fakes) -> None:
    dnf, system = dnf_of(fakes)
    task = PackageCleanup(PACKAGES, lambda: [dnf], system)
    (action,) = (await task.plan("dnf")).actions
    with pytest.raises(UpkeeperError, match=r"^old.noarch is still there$"):
        await task.apply("dnf", action)
    assert fakes.acted == ["dnf --assumeyes --setopt=clean_requirements_on_remove=False remove old-1.0-1.noarch"]


def test_tables_of_dnf_5_and_kernels_side_by_side() -> None:
    there, gone = parse_transaction((RECORDED / "dnf5_upgrade.txt").read_text())
    assert [(one.name, one.version, one.bytes) for one in there] == [
        ("lib.x86_64", "1:1.1-1.fc41", int(1.2 * 1024**2)),
        ("kernel-core.x86_64", "6.12.4-200.fc41", int(70.4 * 1024**2)),
    ]  # fmt: skip
    assert [(one.name, one.version) for one in gone] == [("kernel-core.x86_64", "6.11.4-301.fc41")]
    installed = parse_installed(
        "20\tkernel-core.x86_64\t0\t6.2-1\t5\n10\tkernel-core.x86_64\t0\t6.1-1\t5\n9\ta.i686\t2\t1-1\t(none)\n"
    )
    assert (installed["kernel-core.x86_64"].version, installed["a.i686"].version) == ("6.2-1", "2:1-1")
    assert complaint("Last metadata\nError: No packages marked for upgrade.\n") == "No packages marked for upgrade."


async def test_a_kernel_that_makes_room_for_the_next_is_no_removal(fakes: Fakes) -> None:
    fakes.program("rpm", ("*", "1\tkernel-core.x86_64\t0\t6.11.9-300.fc41\t5\n1\tlib.x86_64\t1\t1.0-1.fc41\t5\n", 0))
    fakes.program("dnf5", ("*--assumeno*", RECORDED / "dnf5_upgrade.txt", 1), ("*", "", 0))
    dnf = Dnf(PACKAGES, "dnf5", System(euid=0))
    plan = await SystemUpdate(PACKAGES, lambda: [dnf]).plan("dnf")
    assert [(row.package, row.does) for row in rows_of(plan)] == [
        ("lib.x86_64", "upgrade"),
        ("kernel-core.x86_64", "upgrade"),
    ]
    assert "kernel-core.x86_64 6.11.4-301.fc41 goes, the oldest by dnf's installonly_limit." in plan.notes


def brew_of(fakes: Fakes, version: str = "1.7.1") -> tuple[Brew, System]:
    jq = {"name": "jq", "installed_versions": ["1.7"], "current_version": version, "pinned": False}
    node = {"name": "node", "installed_versions": ["22.2.0"], "current_version": "23.0.0", "pinned": True}
    outdated = json.dumps({"formulae": [jq, node], "casks": []})
    program = fakes.program(
        "brew",
        ("list*", RECORDED / "brew_versions.txt", 0),
        ("outdated*", outdated, 0),
        ("autoremove*", RECORDED / "brew_autoremove.txt", 0),
        ("*", "", 0),
    )
    system = System(euid=501)
    return Brew(PACKAGES, program, system), system


async def test_brew_installs_what_was_planned_or_nothing(fakes: Fakes) -> None:
    brew, system = brew_of(fakes)
    task = SystemUpdate(PACKAGES, lambda: [brew], system)
    plan = await task.plan("brew")
    assert [(row.package, row.does, row.candidate) for row in rows_of(plan)] == [
        ("jq", "upgrade", "1.7.1"), ("node", "left-out", "23.0.0"),
    ]  # fmt: skip
    assert not any("root" in note for note in plan.notes)
    with pytest.raises(UpkeeperError, match=r"jq is still 1.7"):
        await task.apply("brew", plan.actions[0])
    assert fakes.acted == ["brew fetch jq", "brew upgrade jq"]
    brew_of(fakes, "1.8")
    assert (
        await task.apply("brew", plan.actions[0])
    ).detail == "jq was left alone, as brew would now install 1.8; plan again"
    assert len(fakes.acted) == 2


async def test_brew_knows_no_security_and_what_is_spare(fakes: Fakes) -> None:
    brew, system = brew_of(fakes)
    plan = await SecurityUpdate(PACKAGES, lambda: [brew], system).plan("brew")
    assert (list(plan.actions), plan.notes) == (
        [], ["Homebrew does not tell which updates are for security: see system-update."],
    )  # fmt: skip
    cleanup = PackageCleanup(PACKAGES, lambda: [brew], system)
    (action,) = (await cleanup.plan("brew")).actions
    assert action.object == "2 packages: libyaml, xz"
    with pytest.raises(UpkeeperError, match="libyaml is still there"):
        await cleanup.apply("brew", action)
    assert fakes.acted == ["brew uninstall libyaml xz"]
    assert parse_autoremove("") == []


async def test_a_unit_that_may_not_write_usr_refuses_before_a_package_is_left_broken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert System(euid=0).refusal() == ""
    readonly = os.statvfs_result((4096, 4096, 1, 1, 1, 1, 1, 1, os.ST_RDONLY, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: readonly)
    assert "/usr is read-only here" in System(euid=0).refusal()
    with pytest.raises(TaskError, match="upkeeper install --systemd --packages"):
        await System(euid=0).act("touch", "/nowhere/never", seconds=1)


def test_what_another_package_takes_the_place_of_is_told() -> None:
    """As dnf5's transaction_table.cpp and dnf 4's output.py write it: no line among the removals speaks of it."""
    five = (RECORDED / "dnf5_upgrade.txt").read_text()
    assert parse_replaced(five) == [], "its own former version is none"
    obsoleting = "   replacing old-lib    noarch 1.0-9.fc41       fedora       1.1 MiB\n"
    assert parse_replaced(five.replace("Installing:", f"{obsoleting}Installing:")) == [("old-lib.noarch", "lib.x86_64")]
    four = (RECORDED / "dnf4_upgrade.txt").read_text()
    with_it = four.replace("\nTransaction", "     replacing  old-fresh.noarch 0.9-1\n\nTransaction")
    assert parse_replaced(four) == []
    assert parse_replaced(with_it) == [("old-fresh.noarch", "fresh.noarch")]
    assert parse_transaction(with_it) == parse_transaction(four)
