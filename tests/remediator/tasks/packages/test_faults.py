"""What is killed, hangs, asks or finds no space in the middle of an update, by real apt and dpkg."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from remediator.model.task import TaskError
from remediator.tasks.packages.locks import holder
from remediator.tasks.packages.system import System
from tests.apt_chroot.debian import Deb
from tests.helpers import long_form, wait_until
from tests.remediator.tasks.packages.conftest import House

pytestmark = pytest.mark.servers

STANDS = "touch /tmp/in; while [ ! -e /tmp/go ]; do sleep 0.05; done"
APPLY = """
import asyncio, sys
from pathlib import Path
from remediator.config.packages import Packages
from remediator.model.task import Action
from remediator.tasks.packages.apt.apt import Apt
from remediator.tasks.packages.system import System
from remediator.tasks.packages.task import SystemUpdate
system = System(Path(sys.argv[1]))
apt = Apt(Packages(), system)
asyncio.run(SystemUpdate(Packages(), lambda: [apt], system).apply("apt", Action.model_validate_json(sys.argv[2])))
"""


def standing(house: House) -> None:
    """Packages to update, the script of one of which stands until it is let go."""
    house.debian.install(Deb("app", "1.0", {"Depends": "lib"}), Deb("lib", "1.0"))
    house.debian.run("apt-mark", "auto", "lib")
    house.debian.publish(Deb("app", "2.0", {"Depends": "lib"}), Deb("lib", "2.0", scripts={"postinst": STANDS}))


async def begun(house: House) -> int:
    """Once the script stands: the process that holds dpkg's lock."""
    root = house.debian.root
    await wait_until((root / "tmp/in").exists, what="the script of lib")
    found = holder([root / "var/lib/dpkg/lock-frontend"])
    assert found is not None
    assert found.program == "apt-get"
    return found.pid


async def test_apt_goes_on_to_its_end_where_the_remediator_is_killed(house: House) -> None:
    standing(house)
    (action,) = (await house.everything.plan("apt")).actions
    with subprocess.Popen([sys.executable, "-c", APPLY, house.debian.root, action.model_dump_json()]) as remediator:
        try:
            await begun(house)
        finally:
            remediator.kill()
    again = asyncio.create_task(house.do(house.everything, [action]))
    (house.debian.root / "tmp/go").touch()
    (told,) = await again
    assert told.startswith(("done: ", "skipped: all of it")), "it waited for the lock"
    assert (house.debian.version("app"), house.debian.version("lib")) == ("2.0", "2.0")
    assert house.debian.run("apt-mark", "showauto").split() == ["lib"]


async def test_what_a_killed_apt_left_is_mended_first(house: House) -> None:
    standing(house)
    acting = asyncio.create_task(house.do(house.everything))
    os.killpg(await begun(house), signal.SIGKILL)
    (told,) = await acting
    assert told.startswith("failed: "), told
    assert "lib 2.0 is half-configured" in told
    (house.debian.root / "tmp/go").touch()
    plan = await house.everything.plan("apt")
    assert plan.actions[0].kind == "mend"
    mended, *updated = await house.do(house.everything, list(plan.actions))
    assert mended.startswith("done: mended ")
    assert all(each.startswith(("done", "skipped")) for each in updated)
    assert (house.debian.version("app"), house.debian.version("lib")) == ("2.0", "2.0")
    assert not (await house.everything.plan("apt")).actions


async def test_killed_at_any_moment_the_next_runs_bring_it_to_its_end(house: House) -> None:
    """Before, while and after each package is unpacked and configured, as its scripts tell."""
    debian = house.debian
    kills = "[ ! -e /tmp/kill-{0} ] || {{ rm /tmp/kill-{0}; kill -9 0; }}"
    moments = ("preinst", "postinst", "prerm", "postrm") if long_form() else ("preinst", "postrm")
    scripts = {moment: kills.format(moment) for moment in moments}
    debian.install(Deb("app", "1.0", scripts=scripts), Deb("lib", "1.0"))
    version = 1
    for moment in moments:
        version += 1
        debian.publish(Deb("app", f"{version}.0", scripts=scripts), Deb("lib", f"{version}.0"))
        (debian.root / f"tmp/kill-{moment}").touch()
        first = await house.do(house.everything)
        assert first[0].startswith(("failed: ", "partial: ")), (moment, first)
        assert not (debian.root / f"tmp/kill-{moment}").exists(), "it was killed"
        told = await house.do(house.everything)
        assert all(each.startswith(("done: ", "skipped: ")) for each in told), (moment, told)
        assert (debian.version("app"), debian.version("lib")) == (f"{version}.0", f"{version}.0"), moment
    assert not (await house.everything.plan("apt")).actions


async def test_a_question_hangs_nothing(house: House) -> None:
    debian = house.debian
    asks = 'read answer < /dev/tty; read answer; echo "answered:$answer" > /etc/answered'
    debian.install(Deb("app", "1.0", files={"/etc/app.conf": "old\n"}))
    (debian.root / "etc/app.conf").write_text("mine\n")
    debian.publish(Deb("app", "2.0", files={"/etc/app.conf": "new\n"}, scripts={"postinst": asks}))
    (told,) = await house.do(house.everything)
    assert told.startswith("done: 1 package updated; changed configuration files were kept")
    assert (debian.root / "etc/answered").read_text() == "answered:\n"
    assert (debian.root / "etc/app.conf").read_text() == "mine\n"


async def test_no_program_works_for_longer_than_it_may(tmp_path: Path) -> None:
    tells = f"echo $$ > {tmp_path}/pid; trap '' TERM; while :; do sleep 0.1; done"
    with pytest.raises(TaskError, match=r"^sh was ended after 1s, packages.time_limit; the next run mends"):
        await System(euid=0).act("sh", "-c", "sleep 60", seconds=1)
    acting = asyncio.create_task(System(euid=0, grace=(0.0, 0.5)).act("sh", "-c", tells, seconds=600))
    await wait_until((tmp_path / "pid").exists)
    acting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await acting
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@contextlib.contextmanager
def small(directory: Path, size: str) -> Iterator[None]:
    """A file system of so many bytes in place of a directory."""
    directory.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


async def test_no_space_leaves_what_was_there(house: House) -> None:
    debian = house.debian
    debian.install(Deb("app", "1.0"), Deb("big", "1.0", files={"/opt/big/data": "old"}), Deb("fine", "1.0"))
    debian.publish(Deb("app", "2.0", {"Installed-Size": str(2**42)}))
    (told,) = await house.do(house.everything)
    assert told.startswith("failed: nothing was changed: the new versions take 4096 TiB more, and "), told
    debian.publish(Deb("fine", "2.0"), Deb("big", "2.0", files={"/opt/big/data": "x" * 100_000}))
    with small(debian.root / "var/cache/apt/archives", "16k"):
        (told,) = await house.do(house.everything)
    assert told.startswith("failed: nothing was changed: ")
    assert "enough free space in /var/cache/apt/archives/" in told
    with small(debian.root / "opt/big", "16k"):
        (debian.root / "opt/big/data").write_text("old")
        (told,) = await house.do(house.everything)
        assert told.startswith("partial: 1 package updated; big is still 1.0 (processing archive ")
        assert "No space left on device" in told
        assert (debian.root / "opt/big/data").read_text() == "old"
    assert (debian.version("fine"), debian.version("big"), debian.version("app")) == ("2.0", "1.0", "1.0")
    assert (await house.do(house.everything))[0].startswith("done: 1 package updated")
