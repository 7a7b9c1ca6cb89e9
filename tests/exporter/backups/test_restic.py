"""restic: what is asked of it, what its answers mean, and what becomes of one that hangs."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from exporter.backups.restic import (
    Restic,
    ResticFailed,
    Snapshot,
    parse_size,
    parse_snapshots,
    read_env_file,
    reason_of,
)
from exporter.base.threads import StillStuck
from exporter.inventory.backups import ResticRepository
from tests.helpers import wait_until
from tests.restic import PASSWORD, write_password


def test_snapshots_of_old_and_new_versions() -> None:
    old = {"time": "2026-11-24T13:44:18.563945948Z", "id": "a1", "paths": ["/data"], "hostname": "vm"}
    new = old | {
        "time": "2026-11-24T14:44:18.5+01:00",
        "id": "b2",
        "program_version": "restic 0.18.1",
        "summary": {"backup_end": "2026-11-24T13:45:00Z", "total_files_processed": 3, "total_bytes_processed": 400_000},
    }
    assert parse_snapshots(json.dumps([old, new])) == [
        Snapshot("a1", 1795527858.563945, None),
        Snapshot("b2", 1795527858.5, 400_000),
    ]
    assert parse_snapshots("null") == parse_snapshots("[]") == []


@pytest.mark.parametrize("answer", ["", "{", "7", '["a"]', '[{"id": "x"}]', '[{"id": "x", "time": "noon"}]', "\ufffd"])
def test_answers_of_another_form(answer: str) -> None:
    with pytest.raises(ResticFailed, match="not understood"):
        parse_snapshots(answer)


def test_sizes() -> None:
    assert parse_size('{"total_size":400000,"total_file_count":3,"snapshots_count":1}') == 400_000
    for answer in ("", "[]", "null", '{"total_size": null}'):
        with pytest.raises(ResticFailed, match="not understood"):
            parse_size(answer)
    with pytest.raises(ResticFailed, match="is gone"):
        parse_size('{"total_size":0,"total_file_count":0,"snapshots_count":0}')


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        ("Fatal: wrong password or no key found\n", "restic: wrong password or no key found"),
        (
            '{"message_type":"exit_error","code":12,"message":"Fatal: wrong password or no key found"}\n',
            "restic: wrong password or no key found",
        ),
        ("a warning\nFatal: unable to open config file\nIs there one?\n", "restic: unable to open config file"),
        ("something else\n", "restic: something else"),
        ("", "restic: exit status 3"),
        ("Fatal: Head https://me:secret@host/x: refused", "restic: Head https://***@host/x: refused"),
        ("Fatal: key hunter2-hunter2 is bad", "restic: key *** is bad"),
        ("Fatal: \ufffd" + "x" * 900, "restic: \ufffd" + "x" * 299),
    ],
)
def test_why_it_failed(errors: str, reason: str) -> None:
    assert reason_of(errors, 3, [PASSWORD]) == reason


def test_env_files(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# credentials\n\nexport A=1\nB = no\n")
    with pytest.raises(ResticFailed, match="line 4 is not NAME=value"):
        read_env_file(file)
    file.write_text("# credentials\n\nexport A=1\n B='two words'\nC=\"x=y\"\nD=\nE=it's\n")
    assert read_env_file(file) == {"A": "1", "B": "two words", "C": "x=y", "D": "", "E": "it's"}
    with pytest.raises(ResticFailed, match="cannot be read: No such file"):
        read_env_file(tmp_path / "gone")


def stand_in(tmp_path: Path, script: str) -> str:
    program = tmp_path / "restic-stand-in"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def repository(tmp_path: Path, **keys: Any) -> ResticRepository:
    defaults = {"repository": str(tmp_path / "repo"), "password_file": str(write_password(tmp_path))}
    return ResticRepository.model_validate(defaults | keys)


async def test_what_restic_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters and files as arguments, credentials in its environment only, and nothing of ours that it would read."""
    monkeypatch.setenv("RESTIC_PASSWORD", "of another repository")
    (tmp_path / "env").write_text("AWS_SECRET_ACCESS_KEY=topsecret\n")
    program = stand_in(tmp_path, f'printf "%s\\n" "$@" > {tmp_path}/args; env > {tmp_path}/environ; echo null')
    wanted = repository(tmp_path, host="vm", tags=["daily", "pa"], paths=["/a", "/b"], env_file=str(tmp_path / "env"))
    assert await Restic(wanted, tmp_path / "cache", program).snapshots() == []
    assert (tmp_path / "args").read_text().splitlines() == [
        "--json", "--no-lock", f"--password-file={tmp_path}/password", f"--repo={tmp_path}/repo",
        f"--cache-dir={tmp_path}/cache", "snapshots", "--host=vm", "--tag=daily,pa", "--path=/a", "--path=/b",
    ]  # fmt: skip
    environ = (tmp_path / "environ").read_text()
    assert "AWS_SECRET_ACCESS_KEY=topsecret" in environ
    assert "RESTIC_PASSWORD" not in environ
    by_file = repository(tmp_path, repository=None, repository_file="/etc/where")
    await Restic(by_file, None, program).snapshots()
    assert {"--repository-file=/etc/where", "--no-cache"} < set((tmp_path / "args").read_text().splitlines())


async def test_secrets_are_not_quoted_whatever_it_prints(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("AWS_SECRET_ACCESS_KEY=topsecret\n")
    (tmp_path / "where").write_text("rest:https://me:pass-in-url@127.0.0.1/\n")
    everything = f'$AWS_SECRET_ACCESS_KEY $(cat {tmp_path}/password {tmp_path}/where | tr "\\n" " ")'
    program = stand_in(tmp_path, f'echo "Fatal: {everything}" >&2; exit 1')
    wanted = repository(
        tmp_path, repository=None, repository_file=str(tmp_path / "where"), env_file=str(tmp_path / "env")
    )
    with pytest.raises(ResticFailed) as caught:
        await Restic(wanted, None, program).snapshots()
    assert str(caught.value) == "restic: *** *** ***"


async def test_no_restic(tmp_path: Path) -> None:
    with pytest.raises(ResticFailed, match="no-such-restic is not on PATH"):
        await Restic(repository(tmp_path), None, "no-such-restic").snapshots()
    program = tmp_path / "text"
    program.write_text("this is no program\n")
    program.chmod(0o755)
    with pytest.raises(ResticFailed, match="cannot be run: Exec format error"):
        await Restic(repository(tmp_path), None, str(program)).snapshots()


async def test_one_that_hangs_ends_with_its_children_when_it_is_given_up(tmp_path: Path) -> None:
    program = stand_in(tmp_path, f"cd {tmp_path}; sleep 1000 & echo $! $$ > pids.tmp; mv pids.tmp pids; wait")
    restic = Restic(repository(tmp_path), None, program)
    call = asyncio.ensure_future(restic.snapshots())
    pids = [int(pid) for pid in (await wait_until(lambda: (tmp_path / "pids").read_text())).split()]
    assert len(pids) == 2
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    async def free() -> bool:
        with pytest.raises(ResticFailed, match="exit status 1"):
            await Restic(repository(tmp_path), None, "false").snapshots()
        return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids)

    await wait_until(free)
    (tmp_path / "restic-stand-in").write_text("#!/bin/sh\necho null\n")

    async def answers() -> bool:
        try:
            return await restic.snapshots() == []
        except StillStuck:
            return False

    await wait_until(answers)


async def test_hundreds_of_calls_leave_no_thread_and_no_file_open(tmp_path: Path) -> None:
    """A third of them fail, a third are given up."""
    modes = "fail) echo no >&2; exit 1;; hang) sleep 1000;; *) echo null;;"
    program = stand_in(tmp_path, f"case $(cat {tmp_path}/mode) in {modes} esac")
    restic = Restic(repository(tmp_path), None, program)
    process = psutil.Process()

    async def call(mode: str) -> None:
        (tmp_path / "mode").write_text(mode)
        try:
            async with asyncio.timeout(0.01 if mode == "hang" else 30):
                await restic.snapshots()
        except (TimeoutError, ResticFailed, StillStuck):
            pass

    await call("fine")
    before = process.num_fds(), threading.active_count(), process.memory_info().rss
    others = set(process.children(recursive=True))  # servers of other tests
    for number in range(300):
        await call(("fine", "fail", "hang")[number % 3])
    await wait_until(lambda: threading.active_count() <= before[1] and process.num_fds() <= before[0])
    children = set(process.children(recursive=True)) - others
    assert not [child for child in children if child.status() != "zombie"]
    assert process.memory_info().rss - before[2] < 20_000_000
