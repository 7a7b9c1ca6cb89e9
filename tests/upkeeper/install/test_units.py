"""The units, judged by systemd's own programs. How they run under a real systemd: tests/packages/."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.helpers import require_program
from upkeeper.install.files import write
from upkeeper.install.units import EXPORTER, REMEDIATOR, Wanted, exporter, files, remediator

HOW_TO = Path(__file__).parents[3] / "docs/how-to/systemd.md"
BELONGING = ("sysinit", "basic", "shutdown", "network-online", "multi-user")


@pytest.fixture(scope="module", params=[False, True], ids=["", "packages"])
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the units, and with what they refer to."""
    made = tmp_path_factory.mktemp("root")
    write(made, files(Wanted("/usr/bin/upkeeper", "1", packages=request.param)))
    for name in ("usr/bin/upkeeper", "bin/kill"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("/bin/true", made / name)
    for name in BELONGING:
        (made / f"etc/systemd/system/{name}.target").write_text(f"[Unit]\nDescription={name}\n")
    return made


def test_systemd_has_nothing_to_say_against_them(root: Path) -> None:
    program = require_program("systemd-analyze", "systemd")
    units = [str(root / "etc/systemd/system" / name) for name in (EXPORTER, REMEDIATOR)]
    command = [program, "verify", f"--root={root}", "--man=no", "--recursive-errors=yes", *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def exposure(program: str, directory: Path, name: str, text: str) -> str:
    unit = directory / name
    unit.write_text(text)
    command = [program, "security", "--offline=true", "--no-pager", str(unit)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", said)
    assert found is not None, said
    return found[1]


def test_how_exposed_each_is_stands_in_the_docs(tmp_path: Path) -> None:
    program = require_program("systemd-analyze", "systemd")
    wanted, trusted = Wanted("/usr/bin/upkeeper", "1"), Wanted("/usr/bin/upkeeper", "1", packages=True)
    found = [
        ("exporter", exposure(program, tmp_path, EXPORTER, exporter(wanted))),
        ("remediator", exposure(program, tmp_path, REMEDIATOR, remediator(wanted))),
        ("remediator, with `--packages`", exposure(program, tmp_path, REMEDIATOR, remediator(trusted))),
    ]
    written = re.findall(r"^\| (exporter|remediator.*?) \|.*\| (\d+\.\d) \|$", HOW_TO.read_text(), re.MULTILINE)
    assert written == found


def settings(unit: str) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_the_exporter_is_nobody_who_may_read() -> None:
    unit = settings(exporter(Wanted("/opt/x/upkeeper", "1")))
    assert unit["User"] == ["upkeeper"]
    assert unit["CapabilityBoundingSet"] == unit["AmbientCapabilities"] == ["CAP_DAC_READ_SEARCH"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["ExecStart"] == ["/opt/x/upkeeper exporter --state-dir /var/lib/upkeeper $ARGS"]


def test_the_remediator_has_no_rights_over_the_kernel_unless_packages_are_its_business() -> None:
    unit = settings(remediator(Wanted("/usr/bin/upkeeper", "1")))
    bounded = " ".join(unit["CapabilityBoundingSet"]).split()
    assert not {"CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_NET_ADMIN", "CAP_SYS_RAWIO", "CAP_SYS_BOOT"} & {*bounded}
    assert unit["ProtectSystem"] == ["full"]
    free = settings(remediator(Wanted("/usr/bin/upkeeper", "1", packages=True)))
    assert not {"CapabilityBoundingSet", "ProtectSystem", "NoNewPrivileges", "SystemCallFilter"} & free.keys()


def test_what_the_distribution_ships_lies_where_it_belongs() -> None:
    wanted = Wanted("/usr/bin/upkeeper", "1")
    assert [path.rpartition("/")[0] for path in files(wanted, vendor=True)] == [
        *["/usr/lib/systemd/system"] * 2,
        "/usr/lib/sysusers.d",
        "/usr/lib/tmpfiles.d",
    ]
    assert list(files(wanted, vendor=True).values()) == list(files(wanted).values())
