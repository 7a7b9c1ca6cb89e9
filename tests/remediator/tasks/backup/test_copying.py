"""backup, copy_to: a set in a real restic repository, found there whole; what is in the way, and that the set stays."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from exporter.backups import copies
from exporter.backups import manifest as manifests
from exporter.inventory.backups import MANIFEST
from remediator.model.task import Effect, TaskError
from remediator.tasks.backup.copies import repository
from remediator.tasks.backup.journal import Owner
from remediator.tasks.backup_verification.task import BackupVerification
from tests.helpers import wait_until
from tests.remediator.tasks.backup.series import applied, series, task
from tests.restic import Real, make_cheap, on_path, programs, write_password

pytestmark = pytest.mark.servers


@pytest.fixture(params=programs())
def real(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Real:
    on_path(request.param, tmp_path, monkeypatch)
    one = Real(tmp_path / "repo", write_password(tmp_path))
    one.run("init")
    make_cheap(one)
    return one


class House:
    """A series whose sets go to a repository."""

    def __init__(self, directory: Path, real: Real, **restic: Any) -> None:
        self.sets, self.state, self.real = directory / "sets", directory / "state", real
        for each in (self.sets, self.state, directory / "pa"):
            each.mkdir(exist_ok=True)
        (directory / "pa" / ".env").write_text("KEY=secret\n")
        (directory / "pa" / "data").write_bytes(os.urandom(200_000))
        to = {"repository": str(real.path), "password_file": str(real.password_file), **restic}
        one = series(self.sets, {"files": [str(directory / "pa")]}, copy_to=[{"restic": to}])
        self.series = one
        self.backup = task(one, owner=Owner(host="kitchen", state=str(self.state)))

    async def made(self) -> list[Effect | str]:
        return await applied(self.backup)

    def snapshots(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.real.run("snapshots", "--json", "--no-lock").stdout)
        return found

    @property
    def noted(self) -> copies.Copy:
        return copies.read(self.state, "pa")["restic"]


async def test_the_copy_is_whole_dated_as_the_set_and_found_again(tmp_path: Path, real: Real) -> None:
    house = House(tmp_path, real)
    effects = await house.made()
    assert [each.state for each in effects if isinstance(each, Effect)] == ["done", "done", "done"], effects
    (one,) = list(house.sets.iterdir())
    manifest, digest = manifests.read(one)
    (snapshot,) = house.snapshots()
    assert set(snapshot["tags"]) == {"upkeeper", "backup=pa", f"manifest={digest}"}
    assert (snapshot["hostname"], snapshot["paths"]) == ("kitchen", [str(one)])
    assert snapshot["time"].startswith(one.name.removeprefix("backup-")[:13])
    real.run("restore", snapshot["id"], f"--target={tmp_path / 'back'}")
    back = tmp_path / "back" / str(one).lstrip("/")
    for path in [MANIFEST, *(file.path for file in manifest.files)]:
        assert (back / path).read_bytes() == (one / path).read_bytes()
    assert (house.noted.success, house.noted.copied, house.noted.set) == (True, manifest.started, one.name)
    # A second time it is only looked at.
    plan = await house.backup.plan("pa", {"only_copy": True})
    (again,) = await applied(house.backup, plan)
    assert isinstance(again, Effect)
    assert again.detail.endswith("; it was there")
    assert len(house.snapshots()) == 1
    # A snapshot that lacks a file, as restic makes one with exit status 3, is no copy: there is a new one then.
    real.run("forget", snapshot["id"])
    partial = tmp_path / "partial" / str(one).lstrip("/")
    partial.mkdir(parents=True)
    shutil.copy(one / MANIFEST, partial)
    tags = [f"--tag={tag}" for tag in snapshot["tags"]]
    real.run("backup", *tags, str(partial))
    (mended,) = await applied(house.backup, plan)
    assert isinstance(mended, Effect)
    assert "it was there" not in mended.detail
    assert len(house.snapshots()) == 2


async def test_a_copy_that_fails_leaves_the_set_and_says_what_helps(
    tmp_path: Path, real: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer restic would try for a quarter of an hour to reach what refuses its connection."""
    monkeypatch.setattr(repository, "PATIENCE_SECONDS", 5.0)
    wrong = tmp_path / "wrong"
    wrong.write_text("not the password\n")
    told = {
        "password": (
            {"password_file": str(wrong)},
            f"the password in {wrong} does not open the repository {real.path}",
        ),
        "nowhere": ({"repository": str(tmp_path / "no")}, "is no repository"),
        "refused": ({"repository": "rest:http://127.0.0.1:9/"}, "cannot be used"),
    }
    for index, (restic, expected) in enumerate(told.values(), 1):
        house = House(tmp_path, real, **restic)
        *_, finished, failed = await house.made()
        assert isinstance(finished, Effect)
        assert finished.state == "done"
        assert isinstance(failed, str)
        assert expected in failed
        assert failed.endswith("; then: upkeeper run backup pa --param only_copy=true")
        assert len(list(house.sets.iterdir())) == index
        assert (house.noted.success, house.noted.copied) == (False, None)
        assert expected in house.noted.detail


async def test_a_lock_of_a_dead_restic_goes_and_a_living_or_another_hosts_one_stays(tmp_path: Path, real: Real) -> None:
    """The locks are real: their holders are killed, stopped, or say that they are of another host."""
    house = House(tmp_path, real)
    holder = await _holding(real)
    try:
        *_, copied = await house.made()
        assert isinstance(copied, Effect), copied  # beside a living lock that is not exclusive
        assert "removed" not in copied.detail
        assert _locks(real)
        holder.kill()
        holder.wait()
        assert _locks(real)  # which would stop check, forget and prune for good
        plan = await house.backup.plan("pa", {"only_copy": True})
        (copied,) = await applied(house.backup, plan)
        assert isinstance(copied, Effect), copied
        assert f"removed the lock of process {holder.pid} of root on {socket.gethostname()}" in copied.detail
        assert not _locks(real)
    finally:
        holder.kill()
        holder.communicate()


async def _holding(real: Real) -> "subprocess.Popen[bytes]":
    """A restic that holds a lock: it waits for the end of its input."""
    holder = subprocess.Popen(
        real.command("backup", "--stdin"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    await wait_until(lambda: _locks(real))
    return holder


def _locks(real: Real) -> list[str]:
    return os.listdir(real.path / "locks")


async def test_a_copy_that_has_gone_or_changed_is_noticed_later(tmp_path: Path, real: Real) -> None:
    house = House(tmp_path, real)
    await house.made()
    (first,) = list(house.sets.iterdir())
    verification = BackupVerification([house.series], house.state)

    async def looked() -> str:
        plan = await verification.plan("pa", {"level": "checksums"})
        (action,) = [each for each in plan.actions if each.kind == "look-at-copy"]
        assert action.reason == f"whether the copy of {house.noted.set} is still there, all of it"
        try:
            return (await verification.apply("pa", action)).detail
        except TaskError as error:
            return str(error)

    assert (await looked()).startswith("it is there: the repository ")
    assert house.noted.success
    copied_first = house.noted.copied
    # Away: nothing is said of it, and nothing noted.
    before = house.noted
    (real.path / "config").rename(tmp_path / "config")
    assert "is no repository" in await looked()
    assert house.noted == before
    (tmp_path / "config").rename(real.path / "config")
    # A second one, of which somebody forgets the copy: the first is the newest that is there.
    await house.made()
    assert house.noted.copied is not None
    assert copied_first is not None
    assert house.noted.copied > copied_first
    newest = max(house.snapshots(), key=lambda each: each["time"])
    real.run("forget", newest["id"])
    told = await looked()
    assert f"is not in the repository {real.path} any more; then: upkeeper run backup pa" in told
    assert (house.noted.success, house.noted.copied) == (False, copied_first)
    # One under the same name and tags that lacks a file, and one of another content.
    shutil.copytree(first, tmp_path / "elsewhere")
    (first / "files.tar.zst").rename(tmp_path / "aside")
    last = house.snapshots()[0]
    real.run("forget", last["id"])
    tags = [f"--tag={tag}" for tag in last["tags"]]
    real.run("backup", str(first), "--host=kitchen", *tags)
    copies.note(house.state, "pa", "restic", copies.Copy(first.name, True, 1.0, "", 1.0), looked=True)
    assert "is not whole: files.tar.zst is missing; then:" in await looked()
    assert house.noted.copied is None
    assert await verification.plan("pa", {"level": "checksums"}) is not None
    (tmp_path / "aside").rename(first / "files.tar.zst")
    (first / MANIFEST).write_bytes((first / MANIFEST).read_bytes().replace(b"kitchen", b"kitchem"))
    real.run("forget", house.snapshots()[0]["id"])
    real.run("backup", str(first), "--host=kitchen", *tags)
    copies.note(house.state, "pa", "restic", copies.Copy(first.name, True, 1.0, "", 1.0), looked=True)
    assert f"is not whole: {MANIFEST} has another content" in await looked()
