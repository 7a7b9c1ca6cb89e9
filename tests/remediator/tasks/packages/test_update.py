"""Updates by real apt and dpkg, in a Debian of the test's own."""

import os
import subprocess
from pathlib import Path

import pytest

from remediator.model.approval import former_plan_hash as hash_of
from tests.apt_chroot.debian import Deb
from tests.remediator.tasks.packages.conftest import House, rows_of

pytestmark = pytest.mark.servers

HOLDS = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print(flush=True)
    sys.stdin.read()
"""


def everything_of(root: Path) -> list[tuple[str, int, int]]:
    """All that packages or package managers have, to compare."""
    return sorted(
        (str(each), each.lstat().st_size, each.lstat().st_mtime_ns)
        for top in ("etc", "var", "opt", "usr/local")
        for each in (root / top).rglob("*")
    )


def estate(house: House) -> None:
    """What a house has, and what is published of it."""
    debian = house.debian
    debian.install(
        Deb("app", "1.0", {"Depends": "lib"}), Deb("held", "1.0"), Deb("phased", "1.0"), Deb("blocked", "1.0"),
        Deb("victim", "1.0"), Deb("kernel", "1.0"), Deb("conf", "1.0", files={"/etc/conf.d/a": "old\n"}),
        Deb("lib", "1.0"),
    )  # fmt: skip
    debian.run("apt-mark", "auto", "lib")
    debian.run("apt-mark", "hold", "held")
    debian.publish(
        Deb("app", "2.0", {"Depends": "lib (>= 1.1)"}), Deb("lib", "1.1", security=True),
        Deb("held", "1.1", security=True), Deb("phased", "2.0", {"Phased-Update-Percentage": "0"}),
        Deb("blocked", "2.0", {"Conflicts": "victim"}), Deb("kernel", "2.0", {"Depends": "kernel-2"}),
        Deb("kernel-2", "2.0"), Deb("conf", "2.0", files={"/etc/conf.d/a": "new\n"}),
    )  # fmt: skip


async def test_a_plan_changes_nothing_and_says_everything(house: House) -> None:
    estate(house)
    before = everything_of(house.debian.root)
    plan = await house.everything.plan("apt")
    (action,) = plan.actions
    assert everything_of(house.debian.root) == before
    assert (action.kind, action.items) == ("update", 5)
    assert action.object == "5 packages: lib, app, conf, kernel-2, kernel"
    rows = {row.package: row.model_dump() for row in rows_of(plan)}
    lib = rows["lib"]
    assert (lib["installed"], lib["candidate"], lib["security"], lib["does"]) == ("1.0", "1.1", True, "upgrade")
    assert lib["origin"] == "Debian-Security:12.8/stable-security"
    assert lib["download_bytes"] == (house.debian.archive / "pool/lib_1.1_amd64.deb").stat().st_size
    assert (lib["installed_bytes"], rows["kernel-2"]["installed_bytes"]) == (0, 100 * 1024)
    assert (rows["kernel-2"]["does"], rows["app"]["security"]) == ("install", False)
    left = {name: row["reason"] for name, row in rows.items() if row["does"] == "left-out"}
    assert left == {
        "held": "held: it is held (apt-mark unhold releases it)",
        "phased": "phased: the distribution rolls it out step by step",
        "blocked": "kept-back: it could only be installed together with removing victim",
    }
    assert "held 1.1 is left out: it is held (apt-mark unhold releases it)." in plan.notes
    assert hash_of((await house.everything.plan("apt")).actions) == hash_of(plan.actions)
    house.debian.publish(Deb("conf", "2.1"))
    assert hash_of((await house.everything.plan("apt")).actions) != hash_of(plan.actions)


async def test_what_was_planned_is_installed_and_a_second_time_nothing(house: House) -> None:
    estate(house)
    debian = house.debian
    (debian.root / "etc/conf.d/a").write_text("mine\n")
    before = await house.everything.measure("apt")
    plan = await house.everything.plan("apt")
    (told,) = await house.do(house.everything, list(plan.actions))
    versions = {name: debian.version(name) for name in ("app", "lib", "kernel", "kernel-2", "conf", "held", "victim")}
    assert versions == {
        "app": "2.0", "lib": "1.1", "kernel": "2.0", "kernel-2": "2.0", "conf": "2.0", "held": "1.0", "victim": "1.0",
    }  # fmt: skip
    assert told.startswith(
        "done: 5 packages updated; changed configuration files were kept, the new ones are /etc/conf.d/a.dpkg-dist"
    )
    assert "whether services need a restart is not known" in told
    assert (debian.root / "etc/conf.d/a").read_text() == "mine\n"
    assert debian.run("apt-mark", "showauto").split() == ["kernel-2", "lib"], "what was automatic still is"
    after = await house.everything.measure("apt")
    assert house.everything.improved(before, after)
    assert (before.values["updates"], after.values["updates"], after.values["left_out"]) == (4, 0, 3)
    assert not (await house.everything.plan("apt")).actions
    assert await house.do(house.everything, list(plan.actions)) == ["skipped: all of it was there already"]


async def test_only_security_updates_and_what_they_need(house: House) -> None:
    estate(house)
    assert (await house.security.measure("apt")).breached
    plan = await house.security.plan("apt")
    assert [row.package for row in rows_of(plan)] == ["lib", "held"]
    (told,) = await house.do(house.security)
    assert told.startswith("done: 1 package updated")
    assert (house.debian.version("lib"), house.debian.version("app")) == ("1.1", "1.0")
    after = await house.security.measure("apt")
    assert after.breached
    assert after.detail == "0 updates to install, 0 for security; left out: held (held)"
    house.debian.run("apt-mark", "unhold", "held")
    assert (await house.do(house.security))[0].startswith("done")
    assert not (await house.security.measure("apt")).breached


async def test_what_changed_since_the_plan_is_left_alone(house: House) -> None:
    debian = house.debian
    names = ("newer", "held", "other", "gone", "fine")
    debian.install(*(Deb(name, "1.0") for name in names))
    debian.publish(*(Deb(name, "2.0") for name in names))
    plan = await house.everything.plan("apt")
    debian.publish(Deb("newer", "3.0"), Deb("held", "2.0"), Deb("other", "2.0"), Deb("fine", "2.0"), Deb("gone", "2.0"))
    debian.run("apt-mark", "hold", "held")
    debian.install(Deb("other", "1.5"))
    debian.run("apt-get", "remove", "-y", "gone")
    (told,) = await house.do(house.everything, list(plan.actions))
    assert told.startswith("done: 1 package updated; ")
    assert "newer was left alone, as 2.0 is no longer offered; plan again" in told
    assert "held was left alone, as it is held by now" in told
    assert "other was left alone, as it is 1.5 by now" in told
    assert "gone was left alone, as it is not installed by now" in told
    assert [debian.version(name) for name in names] == ["1.0", "1.0", "1.5", "", "2.0"]


async def test_more_than_planned_is_refused(house: House) -> None:
    debian = house.debian
    debian.install(Deb("app", "1.0"), Deb("victim", "1.0"))
    debian.publish(Deb("app", "2.0"))
    plan = await house.everything.plan("apt")
    debian.publish(Deb("app", "2.0", {"Depends": "surprise"}), Deb("surprise", "1.0"))
    assert await house.do(house.everything, list(plan.actions)) == [
        "failed: refused: apt would now also install surprise 1.0, which the plan does not list; plan again"
    ]
    debian.publish(Deb("app", "2.0", {"Conflicts": "victim"}))
    (told,) = await house.do(house.everything, list(plan.actions))
    assert told == "failed: refused: apt would now also remove victim, which the plan does not list; plan again"
    assert (debian.version("app"), debian.version("victim"), debian.version("surprise")) == ("1.0", "1.0", "")


async def test_removals_only_where_the_config_allows_them_and_the_plan_lists_them(house: House) -> None:
    estate(house)
    house.configure(allow_removals=True)
    plan = await house.everything.plan("apt")
    assert "Would be removed: victim." in plan.notes
    (action,) = plan.actions
    assert action.reason == "1 security update; removes victim"
    (told,) = await house.do(house.everything, [action])
    assert told.startswith("done: 6 packages updated and 1 package removed")
    assert (house.debian.version("blocked"), house.debian.version("victim")) == ("2.0", "")


async def test_one_whose_script_fails_is_named_and_mended_first_next_time(house: House) -> None:
    debian = house.debian
    debian.install(Deb("fine", "1.0"), Deb("sick", "1.0"))
    debian.publish(Deb("fine", "2.0"), Deb("sick", "2.0", scripts={"postinst": "test -e /etc/cured"}))
    (told,) = await house.do(house.everything)
    assert told.startswith(
        "partial: 1 package updated; sick 2.0 is half-configured (processing package sick (--configure): "
    )
    assert debian.version("sick") == "2.0 (iF)"
    measured = await house.everything.measure("apt")
    assert (measured.breached, measured.values["broken"]) == (True, 1)
    debian.publish(Deb("fine", "3.0"), Deb("sick", "2.0", scripts={"postinst": "test -e /etc/cured"}))
    plan = await house.everything.plan("apt")
    assert [(action.kind, action.object) for action in plan.actions] == [
        ("mend", "sick"),
        ("update", "1 package: fine"),
    ]
    mended, updated = await house.do(house.everything, list(plan.actions))
    assert mended.startswith("failed: sick is half-configured; ")
    assert updated.startswith("done: 1 package updated"), "a broken one keeps no other from its update"
    (debian.root / "etc/cured").touch()
    assert await house.do(house.everything) == ["done: mended sick"]
    assert (debian.version("sick"), debian.version("fine")) == ("2.0", "3.0")
    assert await house.do(house.everything, [plan.actions[0]]) == ["skipped: nothing is interrupted any more"]


async def test_no_answer_at_the_archive_changes_nothing(house: House) -> None:
    debian = house.debian
    debian.install(Deb("app", "1.0"), Deb("lib", "1.0"))
    debian.publish(Deb("app", "2.0"), Deb("lib", "2.0"))
    plan = await house.everything.plan("apt")
    pool = debian.archive / "pool/app_2.0_amd64.deb"
    content = pool.read_bytes()
    before = everything_of(debian.root / "var/lib/dpkg")
    for bad, expected in (
        (None, "404"),
        (content[:-1] + b"?", "Hash Sum mismatch"),
        (content + b"more", "unexpected size"),
    ):
        pool.unlink(missing_ok=True)
        if bad is not None:
            pool.write_bytes(bad)
        (told,) = await house.do(house.everything, list(plan.actions))
        assert told.startswith("failed: nothing was changed: Failed to fetch http://127.0.0.1"), told
        assert expected in told
        assert told.endswith("(the lists are older than the archive: apt-get update, then plan again)")
    debian.disconnect()
    (told,) = await house.do(house.everything, list(plan.actions))
    assert "Could not connect to 127.0.0.1" in told
    house.configure(refresh_after="0s")
    refreshed, _ = await house.do(house.everything)
    assert refreshed.startswith("failed: the package lists could not be fetched: Failed to fetch http://127.0.0.1")
    assert everything_of(debian.root / "var/lib/dpkg") == before
    assert (debian.version("app"), debian.version("lib")) == ("1.0", "1.0")


async def test_old_lists_are_fetched_first(house: House) -> None:
    debian = house.debian
    debian.install(Deb("app", "1.0"))
    debian.publish(Deb("app", "2.0"), refresh=False)
    assert not (await house.everything.plan("apt")).actions
    house.configure(refresh_after="0s")
    for name in ("lists", "lists/partial"):
        os.utime(debian.root / "var/lib/apt" / name, (1_700_000_000, 1_700_000_000))
    assert await house.do(house.everything) == ["done: fetched"]
    house.configure()
    assert [action.kind for action in (await house.everything.plan("apt")).actions] == ["update"]
    for _ in range(2):
        for name in ("lists", "lists/partial"):
            os.utime(debian.root / "var/lib/apt" / name, (1_700_000_000, 1_700_000_000))
        first, *_ = (await house.everything.plan("apt")).actions
        assert first.kind == "refresh-lists"
        assert await house.do(house.everything, [first]) == ["done: fetched"], "though there is nothing new"
        assert [action.kind for action in (await house.everything.plan("apt")).actions] == ["update"]


async def test_whoever_is_not_root_may_plan_and_is_told(house: House) -> None:
    estate(house)
    house.euid = 1000
    house.configure()
    plan = await house.security.plan("apt")
    assert plan.notes[-1].startswith("Only root may change packages")
    (told,) = await house.do(house.security, list(plan.actions))
    assert told.startswith("failed: only root may change packages: run the remediator, or this command, as root")
    assert house.debian.version("lib") == "1.0"


async def test_who_holds_the_lock_is_waited_for_and_named(house: House) -> None:
    debian = house.debian
    debian.install(Deb("app", "1.0"))
    debian.publish(Deb("app", "2.0"))
    with subprocess.Popen(
        ["python3", "-c", HOLDS, debian.root / "var/lib/dpkg/lock-frontend"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as other:  # fmt: skip
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        plan = await house.everything.plan("apt")
        house.configure(lock_timeout="1s")
        assert await house.do(house.everything, list(plan.actions)) == [
            f"failed: python3 (process {other.pid}) holds the lock of the package manager, and still did after "
            "1 second (packages.lock_timeout); run this again when it is done"
        ]
        other.stdin.close()
    assert (await house.do(house.everything, list(plan.actions)))[0].startswith("done")


async def test_the_way_back_is_said_where_there_is_one(house: House) -> None:
    debian = house.debian
    debian.install(Deb("app", "1.0"), Deb("lib", "1.0"), Deb("lost", "1.0"))
    (debian.root / "var/cache/apt/archives/lib_1.0_amd64.deb").write_bytes(b"")
    debian.publish(Deb("app", "1.0"), Deb("app", "2.0"), Deb("lib", "2.0"), Deb("lost", "2.0"))
    (told,) = await house.do(house.everything)
    expected = "apt-get install --allow-downgrades app=1.0 /var/cache/apt/archives/lib_1.0_amd64.deb"
    assert told.endswith(f"to go back: {expected}")
    debian.run(*expected.split()[:3], "-y", "app=1.0")
    assert debian.version("app") == "1.0"
