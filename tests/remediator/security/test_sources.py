"""What each source makes of what it reads, and that it says so when it cannot read it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exporter.base.programs import CommandFailed
from exporter.packages.manager import Update, Updates
from remediator.security.sources import containers, logins, ports, scanner, updates
from remediator.security.sources.ports import Listening

NOW = 1_790_000_000.0
DAY = 86400.0

LINES = """\
Failed password for invalid user admin from 203.0.113.9 port 4711 ssh2
Failed password for root from 203.0.113.9 port 4712 ssh2
Failed publickey for anna from 2001:db8::7 port 22 ssh2: RSA SHA256:abc
Failed none for invalid user from 198.51.100.1 from 203.0.113.9 port 1 ssh2
Accepted publickey for anna from 2001:db8::7 port 22 ssh2
pam_unix(sudo:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/0 ruser=bob rhost=  user=bob
Accepted password for root from 203.0.113.9 port 4713 ssh2
Connection closed by 203.0.113.9 port 4713
"""


def test_failed_logins_by_address_and_who_got_in_by_a_password_afterwards() -> None:
    found = logins.read(LINES.splitlines())
    assert found.failed == {"203.0.113.9": 3, "2001:db8::7": 1, logins.LOCAL: 1}
    assert found.accepted == [("203.0.113.9", "root")]
    assert [(risk.id, risk.severity) for risk in logins.judge(found, 3, DAY)] == [
        ("login-after-failures:203.0.113.9", "critical")
    ]
    tried = logins.read(LINES.splitlines()[:4])
    assert [(risk.id, risk.severity) for risk in logins.judge(tried, 3, DAY)] == [
        ("failed-logins:203.0.113.9", "warning")
    ]
    assert [risk.id for risk in logins.judge(tried, 4, DAY)] == ["failed-logins:many"]
    assert list(logins.judge(tried, 5, DAY)) == []


@pytest.mark.parametrize(
    ("line", "since"),
    [
        ("2026-09-21T13:00:00.123456+00:00 host sshd[1]: x", True),
        ("2026-09-19T13:00:00+00:00 host sshd[1]: x", False),
        ("no stamp at all", True),
        ("Xyz 99 99:99:99 host", True),
    ],
)
def test_lines_of_a_log_by_their_stamps(line: str, since: bool) -> None:
    assert logins.is_since(line, NOW - DAY, NOW) is since


def test_a_stamp_without_a_year_is_of_the_last_year_it_can_be() -> None:
    january = 1_767_600_000.0  # 2026-01-05
    assert logins.is_since("Jan  4 20:00:00 host sshd[1]: x", january - 2 * DAY, january)
    assert not logins.is_since("Dec 20 08:00:00 host sshd[1]: x", january - 2 * DAY, january)


async def test_logins_come_from_a_file_where_there_is_no_journal_and_else_are_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(within: float) -> Any:
        raise CommandFailed("no journal here")

    monkeypatch.setattr(logins, "_journal", none)
    log = tmp_path / "auth.log"
    log.write_text("".join(f"2026-09-21T13:00:00+00:00 h sshd[1]: {line}\n" for line in LINES.splitlines()[:4]))
    found = await logins.look(DAY, 3, NOW, [tmp_path / "none", log])
    assert [risk.id for risk in found.risks] == ["failed-logins:203.0.113.9"]
    assert found.looked == [f"logins ({log})"]
    gone = await logins.look(DAY, 3, NOW, [tmp_path / "none"])
    assert (gone.risks, len(gone.unknown)) == ((), 1)
    assert "no journal here" in gone.unknown[0]


def test_ports_by_whom_they_are_open_to() -> None:
    found = ports.judge(
        [
            Listening("tcp", "127.0.0.1", 5432),
            Listening("tcp", "::1", 5432),
            Listening("tcp", "0.0.0.0", 22),
            Listening("tcp", "::", 5432, "postgres"),
            Listening("tcp", "192.168.7.2", 6379),
            Listening("tcp", "10.0.0.1", 8080, "app"),
            Listening("udp", "0.0.0.0", 5353),
        ]
    )
    assert [(risk.id, risk.severity) for risk in found] == [
        ("port:tcp/5432", "critical"),
        ("port:tcp/6379", "warning"),
        ("port:tcp/8080", "info"),
        ("port:udp/5353", "info"),
    ]


@pytest.mark.parametrize(
    ("address", "whom"),
    [
        ("127.0.0.5", "nobody"),
        ("0.0.0.0", "everybody"),
        ("::", "everybody"),
        ("8.8.8.8", "everybody"),
        ("172.17.0.1", "the network of 172.17.0.1"),
        ("fe80::1%eth0", "the network of fe80::1%eth0"),
        ("odd", "everybody"),
    ],
)
def test_to_whom(address: str, whom: str) -> None:
    assert ports.to_whom(address) == whom


async def test_a_port_of_this_very_process_is_seen() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        listening, _ = ports._listening()
        assert any((one.port, one.address, one.protocol) == (port, "127.0.0.1", "tcp") for one in listening)
    assert (await ports.look()).looked


def test_containers_that_can_take_over_the_host() -> None:
    inspected = {
        "Name": "/web",
        "HostConfig": {"Privileged": True, "PidMode": "host"},
        "Mounts": [{"Source": "/var/run/docker.sock"}, {"Source": "/srv/data"}],
    }
    assert [risk.id for risk in containers.risks_of(inspected)] == [
        "container-privileged:web",
        "container-socket:web",
        "container-pid:web",
    ]
    assert list(containers.risks_of({"Name": "/ok", "HostConfig": None, "Mounts": None})) == []


@pytest.mark.parametrize(
    ("created", "severity"),
    [
        ("2026-09-01T00:00:00Z", None),
        ("2026-02-01T00:00:00.123456789Z", "info"),
        ("2025-02-01T00:00:00Z", "warning"),
        ("1970-01-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_old_images(created: str, severity: str | None) -> None:
    risk = containers.old_image("postgres:16", created, NOW, 180 * DAY)
    assert (risk.severity if risk else None) == severity


def test_security_updates() -> None:
    waiting = [Update(f"p{number}", "2", "1", security=True) for number in range(10)]
    (risk,) = updates.judge("apt", Updates(pending=[*waiting, Update("other", "2")]))
    assert risk.message.startswith("10 security updates wait: p0, p1")
    assert risk.message.endswith("and 2 more")
    assert list(updates.judge("apt", Updates(pending=[Update("other", "2")]))) == []


TRIVY = {
    "SchemaVersion": 2,
    "ArtifactName": "web:1",
    "Results": [
        {"Target": "web:1 (debian 12)", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": [
            {"VulnerabilityID": "CVE-2026-1", "PkgName": "openssl", "InstalledVersion": "3.0.1",
             "FixedVersion": "3.0.2", "Severity": "CRITICAL", "Title": "openssl: <script>"},
            {"VulnerabilityID": "CVE-2026-2", "PkgName": "zlib", "InstalledVersion": "1", "Severity": "HIGH"},
            {"VulnerabilityID": "CVE-2026-3", "PkgName": "curl", "InstalledVersion": "1", "FixedVersion": "2",
             "Severity": "MEDIUM"},
        ]},
        {"Target": "app", "Class": "lang-pkgs", "Type": "python-pkg"},
    ],
}  # fmt: skip
GRYPE = {
    "matches": [
        {"vulnerability": {"id": "CVE-2026-4", "severity": "High", "fix": {"versions": ["1.2"], "state": "fixed"},
                           "description": "one line\nand another"},
         "artifact": {"name": "libxml2", "version": "1.1", "type": "deb"}},
        {"vulnerability": {"id": "GHSA-x", "severity": "Low", "fix": {"versions": [], "state": "not-fixed"}},
         "artifact": {"name": "left-pad", "version": "1", "type": "npm"}},
    ],
    "source": {"type": "image"},
}  # fmt: skip


def test_what_trivy_says() -> None:
    grave, rest = scanner.judge("web:1", scanner.read_trivy(TRIVY))
    assert (grave.id, grave.severity) == ("vulnerability:CVE-2026-1:web:1:openssl", "critical")
    assert grave.remedy == "take an image that has openssl 3.0.2"
    assert (rest.id, rest.severity) == ("vulnerabilities:web:1", "info")
    assert rest.message == "image web:1 has 2 further known vulnerabilities: 1 high, 1 medium"


def test_what_grype_says() -> None:
    grave, rest = scanner.judge("web:1", scanner.read_grype(GRYPE))
    assert (grave.id, grave.severity) == ("vulnerability:CVE-2026-4:web:1:libxml2", "warning")
    assert grave.message.endswith(": one line")
    assert rest.message.endswith("1 further known vulnerabilities: 1 low")


def test_only_the_worst_are_findings_of_their_own() -> None:
    many = [scanner.Vulnerability(f"CVE-{number}", "p", "1", "2", "high") for number in range(scanner.NAMED + 7)]
    *named, rest = scanner.judge("web:1", many)
    assert len(named) == scanner.NAMED
    assert "7 further" in rest.message


@pytest.mark.parametrize("document", [{}, [], {"SchemaVersion": 1}, None, "x"])
def test_an_answer_of_another_shape_is_not_nothing_found(document: Any) -> None:
    with pytest.raises(scanner.NotUnderstood):
        scanner.read_trivy(document)
    with pytest.raises(scanner.NotUnderstood):
        scanner.read_grype(document)


def program(directory: Path, name: str, script: str) -> None:
    path = directory / name
    path.write_text(f"#!{sys.executable}\nimport json, sys, time\nimage = sys.argv[-1]\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is the whole PATH: a fake of trivy, which cannot be had here, answers in its shape."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


async def test_images_are_scanned_by_what_is_installed(path: Path) -> None:
    nothing = await scanner.look(["web:1"], 5.0)
    assert nothing.unknown == ["vulnerabilities of images are not known: neither trivy nor grype is installed"]
    program(path, "trivy", f"assert sys.argv[1:3] == ['image', '--quiet']\nprint({json.dumps(json.dumps(TRIVY))})")
    found = await scanner.look(["web:1", "-rf"], 20.0)
    assert [risk.id for risk in found.risks] == ["vulnerability:CVE-2026-1:web:1:openssl", "vulnerabilities:web:1"]
    assert found.unknown == ["trivy could not scan -rf: its name would be an option"]
    assert found.looked == ["1 images (trivy)"]


async def test_a_scanner_that_hangs_fails_or_babbles_is_said_to_know_nothing(path: Path) -> None:
    program(path, "grype", "if image == 'a': time.sleep(600)\nif image == 'b': sys.exit('no database')\nprint('hello')")
    found = await scanner.look(["b", "c", "a", "d"], 3.0)
    assert found.risks == []
    failed, babbled, late, never = found.unknown
    assert failed == "grype could not scan b: exit status 1: no database"
    assert babbled.startswith("grype could not scan c: Expecting value")
    assert late == "grype has not scanned a: 3s were not enough for all"
    assert never == "grype has not scanned d: 3s were not enough for all"
    left = subprocess.run(["/bin/ps", "-o", "args"], capture_output=True, text=True, check=False).stdout
    assert os.fspath(path) not in left
