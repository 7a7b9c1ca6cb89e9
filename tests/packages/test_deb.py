"""The Debian package, built and put through its life under a systemd of its own, with the drill by its units."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.helpers import require_program, wait_until
from tests.packages.systemd_root import SystemdRoot, base, booted, repacked
from tests.packages.wiring import wired
from tests.ports import free_port_range
from upkeeper.up.ports import Ports

pytestmark = [pytest.mark.slow, pytest.mark.servers, pytest.mark.heavy]

ROOT = Path(__file__).resolve().parents[2]
UNITS = ("upkeeper-exporter", "upkeeper-remediator")
NEXT = "99.0.0"
DEFAULTS = "# of the next version\n"


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_program("dpkg-deb", "dpkg")
    directory = tmp_path_factory.mktemp("deb")
    environment = {**os.environ, "UPKEEPER_DEB_COMPRESSION": "1"}
    done = subprocess.run(
        [str(ROOT / "scripts/build-deb"), str(directory)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = directory.glob("*.deb")
    return made


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdRoot]:
    with booted(tmp_path_factory.mktemp("system"), base()) as running:
        yield running


def active(system: SystemdRoot) -> list[str]:
    return system.run("systemctl", "is-active", *UNITS, check=False).stdout.split()


async def test_its_life(deb: Path, system: SystemdRoot, tmp_path: Path) -> None:
    """In one test, as each part needs the one before: installed, started, drilled, upgraded, removed, purged."""
    package = system.work / deb.name
    package.write_bytes(deb.read_bytes())

    # Installed: a user, directories, nothing started.
    said = system.run("dpkg", "--force-unsafe-io", "--install", str(package)).stdout
    assert "nothing of it is started" in said
    assert active(system) == ["inactive", "inactive"]
    stat = system.run("stat", "--format=%U:%G %a", "/etc/upkeeper", "/var/lib/upkeeper").stdout.splitlines()
    assert stat == ["root:upkeeper 750", "root:root 700"]
    assert system.run("upkeeper", "check").returncode == 0
    assert system.run("upkeeper", "--version").stdout.startswith("upkeeper ")

    # Started by its units, as a person would.
    first = free_port_range(2)
    ports = {unit: first + index for index, unit in enumerate(UNITS)}
    config = {
        "collectors": {"logs": {"interval": "1s"}, "docker": {"enabled": False}, "docker_usage": {"enabled": False}},
        "schedule": {"jobs": []},
    }
    write(system, "/etc/upkeeper/upkeeper.yml", yaml.safe_dump(config))
    for unit, port in ports.items():
        write(system, f"/etc/default/{unit}", f'ARGS="--listen 127.0.0.1:{port}"\n')
    done = system.run("systemctl", "enable", "--now", *UNITS, check=False)
    assert done.returncode == 0, system.run("journalctl", "--no-pager", "-n", "80").stdout
    assert active(system) == ["active", "active"]
    shown = system.run("systemctl", "show", "--property=StatusText,User,NRestarts", *UNITS).stdout.split("\n")
    assert shown.count("NRestarts=0") == 2
    assert {f"StatusText=listening on 127.0.0.1:{port}" for port in ports.values()} <= {*shown}
    pid = system.run("systemctl", "show", "--value", "--property=MainPID", UNITS[0]).stdout.strip()
    status = dict(
        line.split(":\t", 1) for line in system.run("cat", f"/proc/{pid}/status").stdout.splitlines() if ":\t" in line
    )
    assert status["Uid"].split()[0] != "0"
    assert int(status["CapEff"], 16) == 1 << 2, "CAP_DAC_READ_SEARCH, and no other"
    assert status["NoNewPrivs"] == "1"

    await drilled(system, tmp_path, first)

    # Upgraded: what runs is restarted, what a person changed stays, the record stays.
    runs = system.run("upkeeper", "history", "--json").stdout
    assert '"outcome": "effective"' in runs
    changed = {"/etc/default/upkeeper-exporter": DEFAULTS, "/usr/share/doc/upkeeper/copyright": "next\n"}
    following = repacked(deb, system.work, NEXT, changed, tmp_path)
    system.run("dpkg", "--force-unsafe-io", "--install", "--force-confold", str(following))
    assert active(system) == ["active", "active"]
    after = system.run("systemctl", "show", "--value", "--property=MainPID", UNITS[0]).stdout.strip()
    assert after != pid
    assert f"127.0.0.1:{first}" in system.run("cat", "/etc/default/upkeeper-exporter").stdout
    assert system.run("cat", "/etc/default/upkeeper-exporter.dpkg-dist").stdout == DEFAULTS
    await wait_until(lambda: system.run("upkeeper", "history", "--json", check=False).stdout == runs, what="the record")

    # Removed, and purged: the record is nobody's to delete.
    system.run("dpkg", "--force-unsafe-io", "--remove", "upkeeper")
    assert active(system) == ["inactive", "inactive"]
    assert system.run("ls", "/usr/lib/upkeeper", check=False).returncode != 0
    assert "logs" in system.run("cat", "/etc/upkeeper/upkeeper.yml").stdout
    purged = system.run("dpkg", "--purge", "upkeeper").stdout
    assert "The record of Upkeeper stays in /var/lib/upkeeper" in purged
    assert system.run("ls", "/etc/upkeeper", check=False).returncode != 0
    system.run("test", "-f", "/var/lib/upkeeper/upkeeper.db")


def write(system: SystemdRoot, path: str, text: str) -> None:
    (system.work / "text").write_text(text)
    system.run("sh", "-c", f'cat "$0" >{path}', str(system.work / "text"))


async def drilled(system: SystemdRoot, directory: Path, first: int) -> None:
    token = system.run("cat", "/var/lib/upkeeper/tokens/alertmanager").stdout
    async with wired(directory, Ports.from_base(first), token) as peers:
        done = system.run("upkeeper", "drill", *peers, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
