"""Sets whose files go through age: what is on disk, what can be proven of them, and what is said when it cannot."""

import hashlib
import random
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from exporter.backups import manifest as manifests
from exporter.backups.proofs import Proof, read
from remediator.model.task import TaskError
from remediator.tasks.backup import age
from remediator.tasks.backup.sink import Stopped
from remediator.tasks.backup_verification.checksums import differences
from remediator.tasks.backup_verification.readable import problems
from remediator.tasks.backup_verification.restored import problems as restored
from remediator.tasks.backup_verification.task import BackupVerification
from tests.helpers import require_program
from tests.remediator.tasks.backup.series import applied, made, series, task

STOP = threading.Event()
SEALED = manifests.SetFile("a.age", 1, "0" * 64)
SECRET = "plain-text-of-the-tests"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    keygen = require_program("age-keygen", "age")
    for name in ("key", "other"):
        subprocess.run([keygen, "-o", str(tmp_path / name)], check=True, capture_output=True)
    public = subprocess.run([keygen, "-y", str(tmp_path / "key")], check=True, capture_output=True).stdout
    (tmp_path / "recipients").write_bytes(public)
    (tmp_path / "sets").mkdir()
    (tmp_path / "pa").mkdir()
    (tmp_path / "pa" / ".env").write_text(f"KEY={SECRET}\n")
    (tmp_path / "pa" / "large").write_bytes(random.Random(1).randbytes(3_000_000))
    with closing(sqlite3.connect(tmp_path / "n8n.sqlite")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE credentials (id INTEGER PRIMARY KEY, secret TEXT)")
        database.executemany("INSERT INTO credentials (secret) VALUES (?)", [(SECRET,)] * 100)
        database.commit()
    return tmp_path


def make(house: Path, **encrypt: Any) -> dict[str, Any]:
    return {
        "files": [str(house / "pa")],
        "sqlite": [{"name": "n8n", "path": str(house / "n8n.sqlite")}],
        "encrypt": {"age_recipients_file": str(house / "recipients"), **encrypt},
    }


@pytest.fixture
async def whole(house: Path) -> Path:
    return await made(task(series(house / "sets", make(house))), house / "sets")


def test_of_a_set_of_an_older_reader_nothing_is_misread() -> None:
    plain = manifests.Manifest(backup="pa", started=1, finished=2, files=[manifests.SetFile("a", 1, "0" * 64)])
    sealed = manifests.Manifest(backup="pa", started=1, finished=2, files=[SEALED], members=[])
    assert b'"version": 1' in manifests.render(plain)
    assert b'"version": 2' in manifests.render(sealed)
    assert manifests.parse(manifests.render(sealed)) == sealed


async def test_everything_but_the_manifest_is_encrypted(house: Path, whole: Path) -> None:
    manifest, _ = manifests.read(whole)
    assert [file.path for file in manifest.files] == ["sqlite/n8n.sqlite.age", "files.tar.zst.age"]
    assert manifest.encrypted
    assert {path.name for path in whole.rglob("*") if path.is_file()} == {
        "n8n.sqlite.age", "files.tar.zst.age", "upkeeper-manifest.json",
    }  # fmt: skip
    for file in manifest.files:
        data = (whole / file.path).read_bytes()
        assert data.startswith(b"age-encryption.org/v1\n")
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file.bytes, file.sha256)
        assert SECRET.encode() not in data
    assert differences(whole, manifest, STOP) == []
    wrong, found = problems(whole, manifest, STOP, str(house / "key"))
    assert (wrong, found) == ([], ["sqlite:n8n: 100 rows", "files: 3 entries"])


async def test_it_is_restored_into_scratch_where_the_key_is_there(house: Path, whole: Path) -> None:
    """Nothing of it stays there. Without the key it cannot be told."""
    manifest, _ = manifests.read(whole)
    (house / "scratch").mkdir()
    shown = restored(whole, manifest, house / "scratch", STOP, str(house / "key"))
    assert shown == ([], ["sqlite:n8n: 100 rows", "files: 3 entries"])
    assert list((house / "scratch").iterdir()) == []
    with pytest.raises(TaskError):
        restored(whole, manifest, house / "scratch", STOP)


async def test_damage_is_found(house: Path, whole: Path) -> None:
    manifest, _ = manifests.read(whole)
    rng = random.Random(11)
    for entry in manifest.files:
        file = whole / entry.path
        data = file.read_bytes()
        file.write_bytes(data[:40] + bytes([data[40] ^ 4]) + data[41:])
        assert _complaint(whole, manifest, house)  # of another key, which age cannot tell from a damaged head
        assert len(differences(whole, manifest, STOP)) == 1
        for at in (len(data) - 1, rng.randrange(300, len(data)), rng.randrange(300, len(data))):
            file.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
            assert problems(whole, manifest, STOP, str(house / "key"))[0], (entry.path, at)
        file.write_bytes(data[: len(data) // 2])
        (wrong,) = problems(whole, manifest, STOP, str(house / "key"))[0]
        assert "cannot be decrypted" in wrong
        file.write_bytes(data)


def _complaint(whole: Path, manifest: manifests.Manifest, house: Path) -> str:
    try:
        return "; ".join(problems(whole, manifest, STOP, str(house / "key"))[0])
    except TaskError as error:
        return str(error)


async def test_a_wrong_key_does_not_make_a_set_damaged(house: Path, whole: Path) -> None:
    manifest, _ = manifests.read(whole)
    said = {"other": "is encrypted for other keys", "gone": "age_identity_file cannot be used: .*no such file"}
    for key, words in said.items():
        with pytest.raises(TaskError, match=words):
            problems(whole, manifest, STOP, str(house / key))


async def test_without_a_key_only_checksums_are_proven(house: Path, whole: Path) -> None:
    assert await _proven(house, whole, make(house)) == {"checksums"}
    verification = BackupVerification([series(house / "sets", make(house))], None)
    said = (await verification.measure("pa")).detail
    assert "; only checksums of encrypted sets can be proven, as make.encrypt names no age_identity_file" in said
    plan = await verification.plan("pa")
    assert plan.notes == [
        f"{whole.name}: encrypted, and make.encrypt names no age_identity_file: "
        "that the files are as they were written can be proven, not that they can be read."
    ]
    assert await _proven(house, whole, make(house, age_identity_file=str(house / "key"))) == {"checksums", "readable"}


async def _proven(house: Path, whole: Path, of: dict[str, Any]) -> set[Proof]:
    verification = BackupVerification([series(house / "sets", of)], None)
    for action in (await verification.plan("pa")).actions:
        await verification.apply("pa", action)
    return {proof for proof, shown in read(whole, manifests.digest(whole)).items() if shown.success}


async def test_what_is_missing_is_said_by_the_plan(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup = task(series(house / "sets", make(house)))
    (house / "recipients").write_text("nonsense\n")
    with pytest.raises(TaskError, match=r"nothing can be encrypted for age_recipients_file .*recipients: .*malformed"):
        await backup.plan("pa")
    (house / "recipients").unlink()
    with pytest.raises(TaskError, match=r"nothing can be encrypted for .*recipients: .*no such file"):
        await backup.plan("pa")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TaskError, match="age is not installed, which encrypts sets; install the package age"):
        await backup.plan("pa")
    assert list((house / "sets").iterdir()) == []


async def test_recipients_that_go_away_leave_no_set(house: Path) -> None:
    backup = task(series(house / "sets", make(house)))
    plan = await backup.plan("pa")
    (house / "recipients").unlink()
    effects = await applied(backup, plan)
    assert isinstance(effects[0], str)
    assert "age" in effects[0]
    assert list((house / "sets").iterdir()) == []


@pytest.fixture
def stopping() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_it_ends_when_it_is_told_to(house: Path, stopping: threading.Event) -> None:
    with age.EncryptedSink(house / "sets", "x", "x", stopping, str(house / "recipients")) as sink:
        sink.write(b"x" * 1_000_000)
        stopping.set()
        with pytest.raises(Stopped):
            sink.write(b"x")
    assert [path.name for path in (house / "sets").iterdir()] == ["x.age"]
