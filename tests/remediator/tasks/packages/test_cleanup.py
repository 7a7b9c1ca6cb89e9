"""package-cleanup by real apt, in a Debian of the test's own."""

import os
import time

import pytest

from tests.apt_chroot.debian import Deb
from tests.remediator.tasks.packages.conftest import House, rows_of

pytestmark = pytest.mark.servers
KERNEL = "6.1.0-test"


async def test_what_nothing_needs_goes_and_all_else_stays(house: House) -> None:
    debian = house.debian
    kernel = [
        Deb(f"linux-image-{KERNEL}", "1"),
        Deb(f"linux-headers-{KERNEL}-common", "1"),
        Deb("linux-image-6.0.0-old", "1"),
    ]
    debian.install(Deb("app", "1.0", {"Depends": "needed"}), Deb("asked", "1.0"), Deb("needed", "1.0"))
    debian.install(
        Deb("needed", "1.0"), Deb("old", "1.0"), Deb("older", "1.0"), Deb("precious", "1.0"), *kernel, automatic=True
    )
    (debian.root / "etc/apt/apt.conf.d/01autoremove").write_text("")
    house.configure(exclude=["prec*"])
    before = await house.cleanup.measure("apt")
    plan = await house.cleanup.plan("apt")
    (action,) = plan.actions
    assert sorted(row.package for row in rows_of(plan)) == ["linux-image-6.0.0-old", "old", "older"]
    assert action.estimated_bytes == 300 * 1024
    assert f"linux-image-{KERNEL} stays: it belongs to the running kernel." in plan.notes
    assert "precious stays: packages.exclude names it." in plan.notes
    debian.run("apt-mark", "manual", "older")
    debian.install(Deb("user", "1.0", {"Depends": "linux-image-6.0.0-old"}))
    (told,) = await house.do(house.cleanup, [action])
    assert told == (
        "done: 1 package removed; linux-image-6.0.0-old was left alone, as something needs it by now; "
        "older was left alone, as something needs it by now"
    )
    there = (
        "app",
        "asked",
        "needed",
        "old",
        "older",
        "precious",
        f"linux-image-{KERNEL}",
        f"linux-headers-{KERNEL}-common",
    )
    assert [debian.version(name) != "" for name in there] == [True] * 3 + [False] + [True] * 4
    assert house.cleanup.improved(before, await house.cleanup.measure("apt"))
    assert not (await house.cleanup.plan("apt")).actions
    assert (await house.do(house.cleanup, [action]))[0].startswith("skipped: ")


async def test_old_downloads_go_and_those_that_changed_stay(house: House) -> None:
    archives = house.debian.root / "var/cache/apt/archives"
    month = time.time() - 31 * 86400
    for name in ("a_1_amd64.deb", "b_1_amd64.deb", "c_1_amd64.deb", "lock"):
        (archives / name).write_bytes(b"x" * 10000)
        os.utime(archives / name, (month, month))
    (archives / "young_1_amd64.deb").write_bytes(b"x" * 10000)
    (archives / "z_1_amd64.deb").symlink_to("/etc/passwd")
    (action,) = (await house.cleanup.plan("apt")).actions
    assert (action.kind, action.items, action.estimated_bytes) == ("delete-downloads", 3, 3 * 12288)
    (archives / "b_1_amd64.deb").write_bytes(b"another")
    effect = await house.cleanup.apply("apt", action)
    assert (effect.state, effect.freed_bytes) == ("done", 2 * 12288)
    assert {path.name for path in archives.iterdir()} >= {"b_1_amd64.deb", "young_1_amd64.deb", "z_1_amd64.deb", "lock"}
    assert not (archives / "a_1_amd64.deb").exists()
    assert await house.do(house.cleanup, [action]) == ["skipped: gone or changed by now"]


async def test_nothing_to_spare_is_nothing_to_do(house: House) -> None:
    house.debian.install(Deb("app", "1.0"))
    measured = await house.cleanup.measure("apt")
    assert (measured.breached, measured.values["removable"]) == (False, 0)
    assert not (await house.cleanup.plan("apt")).actions
