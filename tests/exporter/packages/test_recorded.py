"""What package managers say, as recorded."""

from pathlib import Path

import pytest

from exporter.base.programs import CommandFailed
from exporter.packages.apt import parse_policy, parse_simulation
from exporter.packages.brew import Brew, parse_outdated
from exporter.packages.dnf import Dnf, parse_check_update, parse_needs_restarting
from exporter.packages.manager import Update, Updates
from exporter.packages.registry import found
from tests.exporter.scripts import path_first, script

RECORDED = Path(__file__).parents[1] / "recorded"


def read(name: str) -> str:
    return (RECORDED / name).read_text()


def names(updates: object) -> list[str]:
    assert isinstance(updates, list)
    return [update.name for update in updates]


def test_apt_of_debian_12() -> None:
    simulated = parse_simulation(read("apt_debian_12.txt"))
    assert simulated.upgraded[0] == Update("base-files", "12.4+deb12u15", "12.4+deb12u11", security=False)
    assert names(simulated.upgraded) == [
        "base-files",
        "libgcrypt20-dev",
        "libgcrypt20",
        "libpam-modules-bin",
        "openssl",
        "libgif7",
        "libpq5",
        "linux-libc-dev",
    ]
    assert [update.name for update in simulated.upgraded if update.security] == [
        "libgcrypt20-dev",
        "libgcrypt20",
        "openssl",
        "libpq5",
        "linux-libc-dev",
    ]
    assert (simulated.kept_back, simulated.phased) == ([], [])


def test_apt_of_ubuntu_22_04_with_packages_kept_back_and_a_new_kernel() -> None:
    simulated = parse_simulation(read("apt_ubuntu_22_04.txt"))
    assert names(simulated.upgraded) == ["libc6", "libc6:i386", "linux-image-generic", "google-chrome-stable"]
    assert [update.name for update in simulated.upgraded if update.security] == ["linux-image-generic"]
    assert simulated.kept_back == ["python3-distupgrade", "ubuntu-release-upgrader-core", "ubuntu-release-upgrader-gtk"]


def test_apt_of_ubuntu_24_04_with_phased_updates() -> None:
    simulated = parse_simulation(read("apt_ubuntu_24_04.txt"))
    assert names(simulated.upgraded) == ["openssl", "libssl3t64", "libexpat1", "python3-apt"]
    assert [update.name for update in simulated.upgraded if update.security] == ["openssl", "libssl3t64", "libexpat1"]
    assert (simulated.kept_back, simulated.phased) == (["docker.io"], ["distro-info-data"])


@pytest.mark.parametrize(
    "text", ["", "E: nothing\n", "Inst\n", "Inst a [1]\n", "The following packages have been kept back:"]
)
def test_apt_with_nothing_to_do(text: str) -> None:
    simulated = parse_simulation(text)
    assert (simulated.upgraded, simulated.kept_back, simulated.phased) == ([], [], [])


def test_a_package_without_a_release() -> None:
    assert parse_simulation("Inst own [1.0] (2.0 localhost [all])\n").upgraded == [Update("own", "2.0", "1.0")]


def test_the_policy_of_debian_12() -> None:
    policies = parse_policy(read("apt_policy_debian_12.txt"))
    assert {name: policy.security for name, policy in policies.items()} == {
        "openssl": True,
        "libpq5": True,
        "libgif7": False,
        "linux-libc-dev": True,
    }
    assert (policies["openssl"].installed, policies["openssl"].candidate) == ("3.0.19-1~deb12u2", "3.0.22-1~deb12u2")


def test_a_security_fix_that_a_newer_update_includes_is_one() -> None:
    policies = parse_policy(read("apt_policy_ubuntu_22_04.txt"))
    assert policies["libc6"].security
    assert not policies["libc6:i386"].security
    assert policies["python3-distupgrade"].candidate == "1:22.04.18"
    assert [name for name, policy in policies.items() if policy.phased] == ["python3-distupgrade"]


def test_a_security_fix_that_is_installed_is_none() -> None:
    text = """a:
  Installed: 2
  Candidate: 3
  Version table:
     3 500
        500 http://deb.example.org/debian bookworm/main amd64 Packages
 *** 2 500
        500 http://deb.example.org/debian-security bookworm-security/main amd64 Packages
        100 /var/lib/dpkg/status
"""
    assert not parse_policy(text)["a"].security
    assert parse_policy(text.replace("bookworm/main", "buster/updates/main"))["a"].security


def test_dnf_4() -> None:
    assert parse_check_update(read("dnf4_check_update.txt")) == [
        Update("NetworkManager.x86_64", "1:1.48.10-2.el9_5"),
        Update("kernel.x86_64", "5.14.0-503.15.1.el9_5"),
        Update("openssl.x86_64", "1:3.2.2-6.el9_5"),
        Update("selinux-policy-targeted-with-a-long-name.noarch", "38.1.45-3.el9_5"),
    ]
    assert parse_needs_restarting(read("dnf4_needs_restarting.txt")) is True


def test_dnf_5() -> None:
    assert names(parse_check_update(read("dnf5_check_upgrade.txt"))) == [
        "alsa-lib.x86_64",
        "kernel-core.x86_64",
        "zlib-ng-compat.i686",
        "zlib-ng-compat.x86_64",
    ]
    assert parse_needs_restarting(read("dnf5_needs_restarting.txt")) is False


def test_dnf_without_the_plugin_does_not_tell() -> None:
    assert parse_needs_restarting("No such command: needs-restarting.\n") is None


def test_brew() -> None:
    pending, pinned = parse_outdated(read("brew_outdated.json"))
    assert pending == [
        Update("jq", "1.7.1", "1.7"),
        Update("node", "23.2.0", "22.9.0 22.11.0"),
        Update("docker", "4.36.0,175267", "4.35.1,173168"),
    ]
    assert pinned == [Update("postgresql@16", "16.6", "16.4")]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"formulae": [1], "casks": []}', '{"formulae": [{}], "casks": []}'])
def test_brew_that_answers_otherwise(text: str) -> None:
    with pytest.raises(CommandFailed, match="brew: an unexpected answer"):
        parse_outdated(text)


def test_what_is_for_security_includes_what_is_held_back() -> None:
    plain, fix, held = Update("a", "2"), Update("b", "2", security=True), Update("c", "2", security=True)
    updates = Updates(pending=[plain, fix], held_back=[held], phased=[Update("d", "2", security=True)])
    assert updates.security == [fix, held]
    assert Updates(pending=[plain], knows_security=False).security is None


async def test_dnf_as_it_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a script in its place: the statuses, and that nothing is fetched."""
    body = f"""
echo "$@" >> {tmp_path}/asked
case "$*" in
  *--security*) cat {RECORDED}/dnf4_check_update_security.txt; exit 100;;
  *check-update*) cat {RECORDED}/dnf4_check_update.txt; exit 100;;
  *needs-restarting*) cat {RECORDED}/dnf4_needs_restarting.txt; exit 1;;
esac"""
    script(tmp_path / "bin", "dnf", body)
    path_first(monkeypatch, tmp_path / "bin")
    (tmp_path / "var/lib/rpm").mkdir(parents=True)
    (tmp_path / "var/cache/dnf/baseos-1/repodata").mkdir(parents=True)
    (tmp_path / "var/cache/dnf/baseos-1/repodata/repomd.xml").touch()
    dnf = Dnf.found(tmp_path)
    assert dnf is not None
    updates = await dnf.updates()
    assert len(updates.pending) == 4
    assert [update.name for update in updates.security or ()] == ["kernel.x86_64", "openssl.x86_64"]
    assert updates.reboot_required is True
    assert updates.held_back is None
    asked = (tmp_path / "asked").read_text().splitlines()
    assert len(asked) == 3
    assert all("--cacheonly" in line for line in asked)
    refreshed = (tmp_path / "var/cache/dnf/baseos-1/repodata/repomd.xml").stat().st_mtime
    assert dnf.lists_refreshed() == refreshed
    script(tmp_path / "bin", "dnf", "exit 0")
    assert (await dnf.updates()) == Updates(pending=[])
    script(tmp_path / "bin", "dnf", "echo 'Error: Cache-only enabled but no cache for baseos' >&2; exit 1")
    with pytest.raises(CommandFailed, match="dnf check-update: exit status 1: Error: Cache-only enabled"):
        await dnf.updates()


async def test_brew_as_it_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a script in its place: that it does not update itself, and reads what it has fetched."""
    asked = f'echo "$@" $HOMEBREW_NO_AUTO_UPDATE $HOMEBREW_NO_ANALYTICS $HOMEBREW_PREFIX > {tmp_path}/asked'
    program = script(tmp_path / "bin", "brew", f"{asked}; cat {RECORDED}/brew_outdated.json")
    path_first(monkeypatch, tmp_path / "bin")
    monkeypatch.setenv("HOMEBREW_PREFIX", "/opt/homebrew")
    brew = Brew(str(program), tmp_path / "cache")
    updates = await brew.updates()
    assert (len(updates.pending), len(updates.held_back or ()), updates.security) == (3, 1, None)
    assert (tmp_path / "asked").read_text() == "outdated --json=v2 1 1 /opt/homebrew\n"
    assert brew.lists_refreshed() is None
    before = brew.stamp()
    (tmp_path / "cache/api").mkdir(parents=True)
    (tmp_path / "cache/api/formula.jws.json").touch()
    assert brew.lists_refreshed() == (tmp_path / "cache/api/formula.jws.json").stat().st_mtime
    assert brew.stamp() != before
    script(tmp_path / "bin", "brew", "echo 'Error: no' >&2; exit 1")
    with pytest.raises(CommandFailed, match="brew outdated: exit status 1: Error: no"):
        await brew.updates()


def test_a_host_has_the_managers_whose_data_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("apt-get", "dnf"):
        script(tmp_path / "bin", program, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert [manager.name for manager in found(tmp_path)] == []
    (tmp_path / "usr/lib/sysimage/rpm").mkdir(parents=True)
    assert [manager.name for manager in found(tmp_path)] == ["dnf"]
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").touch()
    assert [manager.name for manager in found(tmp_path)] == ["apt", "dnf"]
    script(tmp_path / "bin", "brew", "exit 0")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert [manager.name for manager in found(tmp_path)] == ["apt", "dnf"], "brew refuses to run as root"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert [manager.name for manager in found(tmp_path)] == ["apt", "dnf", "brew"]
