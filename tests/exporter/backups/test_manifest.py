"""The manifest and the proofs of a set: written, read back, and damaged in every byte."""

import hashlib
import json
from pathlib import Path

import pytest

from exporter.backups import manifest as manifests
from exporter.backups import proofs
from exporter.backups.manifest import Manifest, ManifestBroken, Member, SetFile
from exporter.backups.proofs import Shown
from exporter.inventory.backups import MANIFEST

SUM = hashlib.sha256(b"x").hexdigest()
WHOLE = Manifest(
    backup="pa", host="kitchen", made_by="upkeeper 1", started=1.0, finished=2.5,
    files=[SetFile("a/b.dump", 1, SUM, "postgres:a"), SetFile("odd\udcff", 0, SUM)],
    members=[Member("postgres", "a", ["a/b.dump"], {"rows": {"t": 3}})],
)  # fmt: skip


def test_read_back_as_written(tmp_path: Path) -> None:
    data = manifests.render(WHOLE)
    assert manifests.parse(data) == WHOLE
    (tmp_path / MANIFEST).write_bytes(data)
    assert manifests.read(tmp_path) == (WHOLE, hashlib.sha256(data).hexdigest())


def test_any_changed_byte_of_it_is_noticed() -> None:
    data = manifests.render(WHOLE)
    for at in range(len(data)):
        for change in (1, 0x20):
            with pytest.raises(ManifestBroken):
                manifests.parse(data[:at] + bytes([data[at] ^ change]) + data[at + 1 :])


def test_any_cut_of_it_is_noticed() -> None:
    data = manifests.render(WHOLE)
    for end in range(len(data)):
        with pytest.raises(ManifestBroken):
            manifests.parse(data[:end])


def test_a_script_may_write_a_plain_one() -> None:
    plain = {
        "version": 1, "backup": "pa", "started": 1, "finished": 2, "more": 1,
        "files": [{"path": "x", "bytes": 1, "sha256": SUM.upper()}],
    }  # fmt: skip
    found = manifests.parse(json.dumps(plain).encode())
    assert found.files == [SetFile("x", 1, SUM)]
    assert found.members == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 3}, "has the version 3"),
        ({"started": "now"}, "started must be Unix seconds"),
        ({"files": [{"path": "../x", "bytes": 1, "sha256": SUM}]}, "names a file outside the set"),
        ({"files": [{"path": "/x", "bytes": 1, "sha256": SUM}]}, "names a file outside the set"),
        ({"files": [{"path": "x", "bytes": -1, "sha256": SUM}]}, "must be a number of bytes"),
        ({"files": [{"path": "x", "bytes": 1, "sha256": "ab"}]}, "must be 64 hexadecimal digits"),
        ({"files": [{"path": "x", "bytes": 1, "sha256": SUM}] * 2}, "names a file twice"),
        ({"files": {}}, "files must be a list"),
    ],
)
def test_nonsense_is_refused(change: dict[str, object], why: str) -> None:
    document = {"version": 1, "backup": "pa", "started": 1, "finished": 2, "files": [], **change}
    with pytest.raises(ManifestBroken, match=why):
        manifests.parse(json.dumps(document).encode())


def test_what_was_shown_of_a_set(tmp_path: Path) -> None:
    assert proofs.read(tmp_path, "m") == {}
    first, second = Shown(True, 10.0, "3 files"), Shown(False, 11.0, "x differs")
    proofs.record(tmp_path, "m", "checksums", first)
    proofs.record(tmp_path, "m", "readable", second)
    assert proofs.read(tmp_path, "m") == {"checksums": first, "readable": second}
    assert proofs.read(tmp_path, "of another set") == {}
    proofs.record(tmp_path, "n", "checksums", second)
    assert proofs.read(tmp_path, "n") == {"checksums": second}


def test_damaged_proofs_prove_nothing(tmp_path: Path) -> None:
    proofs.record(tmp_path, "m", "checksums", Shown(False, 10.0))
    file = tmp_path / proofs.PROOFS
    data = file.read_bytes()
    for at in range(len(data)):
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert proofs.read(tmp_path, "m") == {}
