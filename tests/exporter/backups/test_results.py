"""The results that tasks leave about backups."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from exporter.backups.results import Result, Results, ResultsBroken, path_of, read, write

GOOD: dict[str, Any] = {
    "version": 1,
    "backup": "pa",
    "verifications": {"checksums": {"set": "backup-2026-11-24", "success": True, "finished": 1.5, "detail": "3 files"}},
    "restore_test": None,
}


def put(state: Path, text: bytes) -> None:
    path_of(state, "pa").parent.mkdir(exist_ok=True)
    path_of(state, "pa").write_bytes(text)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    results = Results(
        {
            "checksums": Result("backup-2026-11-24", True, 1000.25),
            "restored": Result("not UTF-8: \udcff\n", False, 2000.0, "the archive is truncated"),
        },
        Result("backup-2026-11-24", True, 3000.0, "", 341.5, 0.0),
    )
    write(tmp_path, "pa", results)
    assert read(tmp_path, "pa") == results
    write(tmp_path, "pa", Results())
    assert read(tmp_path, "pa") == Results()
    assert os.listdir(tmp_path / "backups") == ["pa.json"], "no temporary file is left"


def test_without_a_file_there_are_no_results(tmp_path: Path) -> None:
    assert read(tmp_path, "pa") == Results()


def test_the_documented_form_is_read(tmp_path: Path) -> None:
    put(tmp_path, json.dumps(GOOD | {"a_key_of_a_later_version": 1}).encode())
    assert read(tmp_path, "pa") == Results({"checksums": Result("backup-2026-11-24", True, 1.5, "3 files")})


def changed(level: str = "checksums", **fields: object) -> dict[str, Any]:
    return GOOD | {"verifications": {level: GOOD["verifications"]["checksums"] | fields}}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "it must be an object"),
        ({}, "version must be 1"),
        (GOOD | {"version": 2}, "version must be 1"),
        (GOOD | {"backup": "other"}, "not about the backup pa"),
        (GOOD | {"verifications": None}, "verifications must be an object"),
        (GOOD | {"verifications": {"checksums": 1}}, "verifications.checksums must be an object"),
        (changed(level="deep"), "'deep' is no level"),
        (changed(success=1), "success must be true or false"),
        (changed(finished="now"), "finished must be Unix seconds"),
        (changed(finished=True), "finished must be Unix seconds"),
        (changed(finished=-1), "finished must be Unix seconds"),
        (changed(finished=float("nan")), "finished must be Unix seconds"),
        (changed(finished=10**400), "finished must be Unix seconds"),
        (changed(set=None), "must be text"),
        (changed(detail=5), "must be text"),
        (GOOD | {"restore_test": "yes"}, "restore_test must be an object"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, document: object, says: str) -> None:
    put(tmp_path, json.dumps(document).encode())
    with pytest.raises(ResultsBroken, match=says) as caught:
        read(tmp_path, "pa")
    assert str(path_of(tmp_path, "pa")) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    text = json.dumps(GOOD).encode()
    for length in range(len(text)):
        put(tmp_path, text[:length])
        with pytest.raises(ResultsBroken):
            read(tmp_path, "pa")


@pytest.mark.parametrize(
    "text", [b"\xff", b"[" * 60_000, b" " * 70_000 + b"{}", b"1" * 10_000], ids=["latin", "nested", "large", "number"]
)
def test_no_content_breaks_the_reader(tmp_path: Path, text: bytes) -> None:
    put(tmp_path, text)
    with pytest.raises(ResultsBroken):
        read(tmp_path, "pa")


def test_a_writer_that_fails_leaves_the_former_results(tmp_path: Path) -> None:
    former = Results(restore_test=Result("a", True, 1.0))
    write(tmp_path, "pa", former)
    with pytest.raises(TypeError):
        write(tmp_path, "pa", Results(restore_test=Result("a", True, object())))  # type: ignore[arg-type]
    assert read(tmp_path, "pa") == former
    assert os.listdir(tmp_path / "backups") == ["pa.json"]
