"""backup-verification: what it plans, what it notes, and how that is measured."""

from pathlib import Path
from typing import Any

import pytest

from exporter.backups import proofs, results
from exporter.backups.directory import BackupDirectory
from exporter.backups.sets import figures
from exporter.inventory.backups import MANIFEST
from exporter.inventory.backups import Backup as Series
from remediator.model.task import Effect, TaskError
from remediator.tasks.backup_verification.task import BackupVerification
from tests.remediator.tasks.backup.series import made, series, task


class House:
    """Some sets, and who verifies them."""

    def __init__(self, root: Path) -> None:
        self.sets, self.state = root / "sets", root / "state"
        self.sets.mkdir()
        (root / "file").write_text("content")
        self.series: Series = series(self.sets, {"files": [str(root / "file")]})
        self.now = 1_795_485_600.0
        self.verification = BackupVerification([self.series], self.state, lambda: self.now)

    async def add(self) -> Path:
        self.now += 3600
        return await made(task(self.series, clock=lambda: self.now), self.sets)

    async def verify(self, **params: Any) -> list[Effect | str]:
        found: list[Effect | str] = []
        for action in (await self.verification.plan("pa", params)).actions:
            self.now += 1
            try:
                found.append(await self.verification.apply("pa", action))
            except TaskError as error:
                found.append(str(error))
        return found

    def figures(self) -> Any:
        return figures(BackupDirectory(self.series, lambda: self.now).read())


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_the_newest_set_is_proven(house: House) -> None:
    await house.add()
    newest = await house.add()
    before = await house.verification.measure("pa")
    plan = await house.verification.plan("pa")
    assert [action.object for action in plan.actions] == [f"{newest.name}: checksums", f"{newest.name}: readable"]
    effects = await house.verify()
    assert [effect.detail for effect in effects if isinstance(effect, Effect)] == [
        effects[0].detail, "files: 1 entry",
    ]  # fmt: skip
    found = house.figures()
    made_at = house.now - 2
    assert found.proven == {"checksums": made_at, "readable": made_at}
    assert found.failed == {"checksums": 0, "readable": 0}
    kept = results.read(house.state, "pa").verifications
    assert {level: (one.set, one.success) for level, one in kept.items()} == {
        "checksums": (newest.name, True), "readable": (newest.name, True),
    }  # fmt: skip
    after = await house.verification.measure("pa")
    assert house.verification.improved(before, after)
    assert not after.breached
    assert after.detail.startswith("1 of 2 sets read to the end")


async def test_which_sets_and_how_deep(house: House) -> None:
    first, second = await house.add(), await house.add()
    assert len(await house.verify(all="true", level="checksums")) == 2
    plan = await house.verification.plan("pa", {"set": first.name, "level": "checksums"})
    assert [action.object for action in plan.actions] == [f"{first.name}: checksums"]
    with pytest.raises(TaskError, match=r"pa has no complete set 'nope'; see: upkeeper sets pa"):
        await house.verification.plan("pa", {"set": "nope"})
    assert second.exists()


async def test_a_damaged_set_stays_known_though_the_newest_is_sound(house: House) -> None:
    old = await house.add()
    with (old / "files.tar.zst").open("r+b") as file:
        file.seek(20)
        byte = file.read(1)
        file.seek(20)
        file.write(bytes([byte[0] ^ 1]))
    effects = await house.verify()
    assert effects[0] == f"{old.name} is damaged: files.tar.zst has another content"
    assert isinstance(effects[1], str)
    assert (await house.verification.measure("pa")).breached
    await house.add()
    assert all(isinstance(effect, Effect) for effect in await house.verify())
    found = house.figures()
    assert found.failed == {"checksums": 1, "readable": 1}
    assert found.proven["readable"] == found.newest
    assert (await house.verification.measure("pa")).detail.endswith("; 1 damaged")


async def test_a_damaged_manifest_is_a_damaged_set(house: House) -> None:
    new = await house.add()
    data = (new / MANIFEST).read_bytes()
    (new / MANIFEST).write_bytes(data.replace(b"kitchen", b"kitcheN"))
    effects = await house.verify(level="checksums")
    assert effects == [f"{new.name} is damaged: {new / MANIFEST} does not match its own checksum"]
    assert house.figures().failed == {"checksums": 1}
    (new / MANIFEST).write_bytes(data)
    assert house.figures().failed == {}, "a proof about another manifest proves nothing"


async def test_a_set_that_was_swapped_with_another_series(house: House) -> None:
    new = await house.add()
    other = series(house.sets, {"files": ["/etc/hosts"]}, name="other")
    verification = BackupVerification([other], None, lambda: house.now)
    plan = await verification.plan("other", {"level": "checksums"})
    with pytest.raises(TaskError, match="its manifest is that of another backup, pa"):
        await verification.apply("other", plan.actions[0])
    assert proofs.read(new, "") == {}


async def test_without_a_set_there_is_nothing_to_verify(house: House) -> None:
    plan = await house.verification.plan("pa")
    assert (plan.actions, plan.notes) == ([], ["pa has no complete set."])
