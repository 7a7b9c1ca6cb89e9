"""restic: what is asked of it, what its answers mean, and real repositories in every state."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from exporter.restic import Restic, ResticFailed, Snapshot, parse_size, parse_snapshots, read_env_file, reason_of
from exporter.settings.backups import ResticRepository
from exporter.threads import StillStuck
from tests.helpers import require_program, wait_until
from tests.hung_mount import hung_mount

PASSWORD = "hunter2-hunter2"


def test_snapshots_of_old_and_new_versions() -> None:
    old = {"time": "2026-11-24T13:44:18.563945948Z", "id": "a1", "paths": ["/data"], "hostname": "vm"}
    new = old | {
        "time": "2026-11-24T14:44:18.5+01:00",
        "id": "b2",
        "program_version": "restic 0.18.1",
        "summary": {"backup_end": "2026-11-24T13:45:00Z", "total_files_processed": 3, "total_bytes_processed": 400_000},
    }
    assert parse_snapshots(json.dumps([old, new]).encode()) == [
        Snapshot("a1", pytest.approx(1795527858.563945), None),
        Snapshot("b2", pytest.approx(1795527858.5), 400_000),
    ]
    assert parse_snapshots(b"null") == parse_snapshots(b"[]") == []


@pytest.mark.parametrize(
    "answer", [b"", b"{", b"7", b'["a"]', b'[{"id": "x"}]', b'[{"id": "x", "time": "noon"}]', b"\xff"]
)
def test_answers_of_another_form(answer: bytes) -> None:
    with pytest.raises(ResticFailed, match="not understood"):
        parse_snapshots(answer)


def test_sizes() -> None:
    assert parse_size(b'{"total_size":400000,"total_file_count":3,"snapshots_count":1}') == 400_000
    for answer in (b"", b"[]", b"null", b'{"total_size": null}'):
        with pytest.raises(ResticFailed, match="not understood"):
            parse_size(answer)
    with pytest.raises(ResticFailed, match="is gone"):
        parse_size(b'{"total_size":0,"total_file_count":0,"snapshots_count":0}')


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        (b"Fatal: wrong password or no key found\n", "restic: wrong password or no key found"),
        (
            b'{"message_type":"exit_error","code":12,"message":"Fatal: wrong password or no key found"}\n',
            "restic: wrong password or no key found",
        ),
        (b"a warning\nFatal: unable to open config file\nIs there one?\n", "restic: unable to open config file"),
        (b"something else\n", "restic: something else"),
        (b"", "restic: exit status 3"),
        (b"Fatal: Head https://me:secret@host/x: refused", "restic: Head https://***@host/x: refused"),
        (b"Fatal: key hunter2-hunter2 is bad", "restic: key *** is bad"),
        (b"Fatal: \xff" + b"x" * 900, "restic: \ufffd" + "x" * 299),
    ],
)
def test_why_it_failed(errors: bytes, reason: str) -> None:
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


def secret(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    return file


def repository(tmp_path: Path, **keys: Any) -> ResticRepository:
    defaults = {"repository": str(tmp_path / "repo"), "password_file": str(secret(tmp_path))}
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
    for number in range(300):
        await call(("fine", "fail", "hang")[number % 3])
    await wait_until(lambda: threading.active_count() <= before[1] and process.num_fds() <= before[0])
    assert not [child for child in process.children(recursive=True) if child.status() != "zombie"]
    assert process.memory_info().rss - before[2] < 20_000_000


@dataclass(frozen=True)
class Real:
    """A real repository."""

    path: Path
    password_file: Path

    def run(self, *arguments: str, **keys: Any) -> "subprocess.CompletedProcess[bytes]":
        command = self.command(*arguments)
        return subprocess.run(command, check=True, capture_output=True, **keys)

    def command(self, *arguments: str) -> list[str]:
        options = [f"--repo={self.path}", f"--password-file={self.password_file}", "--no-cache", "--quiet"]
        return ["restic", *options, *arguments]

    def settings(self, **keys: Any) -> ResticRepository:
        return ResticRepository.model_validate(
            {"repository": str(self.path), "password_file": str(self.password_file), **keys}
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Real:
    """With three snapshots: two of one host and tag, one of another."""
    require_program("restic", "restic")
    top = tmp_path_factory.mktemp("restic")
    real = Real(top / "repo", secret(top))
    data = top / "data"
    data.mkdir()
    real.run("init")
    (data / "a").write_bytes(os.urandom(300_000))
    real.run("backup", str(data), "--host=vm", "--tag=daily", "--tag=pa", "--time=2026-11-20 02:00:00")
    (data / "b").write_bytes(os.urandom(100_000))
    real.run("backup", str(data), "--host=vm", "--tag=daily", "--time=2026-11-21 02:00:00")
    real.run("backup", str(data / "a"), "--host=other", "--time=2026-11-22 02:00:00")
    return real


@pytest.fixture
def real(made: Real, tmp_path: Path) -> Iterator[Real]:
    """A copy of it, to be changed at will."""
    shutil.copytree(made.path, tmp_path / "repo")
    yield Real(tmp_path / "repo", made.password_file)
    for path in tmp_path.rglob("*"):
        path.chmod(0o700)


@pytest.mark.servers
async def test_a_real_repository(real: Real, tmp_path: Path) -> None:
    restic = Restic(real.settings(), tmp_path / "cache")
    snapshots = sorted(await restic.snapshots(), key=lambda each: each.time)
    assert [each.time for each in snapshots] == sorted({each.time for each in snapshots})
    assert snapshots[1].time - snapshots[0].time == 86400
    assert [await restic.size(each.id) for each in snapshots] == [300_000, 400_000, 300_000]
    assert (tmp_path / "cache").is_dir()
    assert os.listdir(real.path / "locks") == []


@pytest.mark.servers
@pytest.mark.parametrize(
    ("keys", "count"),
    [
        ({"host": "vm"}, 2),
        ({"host": "nobody"}, 0),
        ({"tags": ["daily"]}, 2),
        ({"tags": ["daily", "pa"]}, 1),
        ({"paths": ["/no/such"]}, 0),
    ],
)
async def test_only_the_snapshots_that_are_asked_for(made: Real, keys: dict[str, Any], count: int) -> None:
    assert len(await Restic(made.settings(**keys), None).snapshots()) == count


@pytest.mark.servers
async def test_a_snapshot_that_was_forgotten(real: Real) -> None:
    restic = Restic(real.settings(), None)
    oldest = min(await restic.snapshots(), key=lambda each: each.time)
    real.run("forget", oldest.id)
    assert len(await restic.snapshots()) == 2
    with pytest.raises(ResticFailed, match="is gone"):
        await restic.size(oldest.id)


@pytest.mark.servers
async def test_a_locked_repository_is_read_and_a_backup_under_way_does_not_count(real: Real) -> None:
    writer = subprocess.Popen(
        real.command("backup", "--stdin"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert writer.stdin is not None
        writer.stdin.write(b"x" * 1_000_000)
        writer.stdin.flush()
        await wait_until(lambda: os.listdir(real.path / "locks"), what="restic to lock the repository")
        assert len(await Restic(real.settings(), None).snapshots()) == 3
        writer.stdin.close()
        assert writer.wait(30) == 0
    finally:
        writer.kill()
        writer.wait()
    assert len(await Restic(real.settings(), None).snapshots()) == 4


@pytest.mark.servers
async def test_an_exclusive_lock_does_not_keep_us_from_reading(real: Real) -> None:
    """As that of a check, or a prune."""

    def locked() -> bool:
        listing = real.command("snapshots")
        return subprocess.run(listing, check=False, capture_output=True, timeout=60).returncode != 0

    for _ in range(20):
        check = subprocess.Popen(real.command("check", "--read-data"), stdout=subprocess.DEVNULL)
        try:
            while check.poll() is None and not os.listdir(real.path / "locks"):
                await asyncio.sleep(0)
            check.send_signal(signal.SIGSTOP)
            if locked():
                assert len(await Restic(real.settings(), None).snapshots()) == 3
                return
        finally:
            check.kill()
            check.wait()
            for lock in (real.path / "locks").iterdir():
                lock.unlink()
    raise AssertionError("restic check was not caught with its lock in twenty tries")


@pytest.mark.servers
async def test_a_wrong_password_and_a_missing_password_file(real: Real, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong-password\n")
    with pytest.raises(ResticFailed, match=r"^restic: wrong password or no key found$"):
        await Restic(real.settings(password_file=str(tmp_path / "wrong")), None).snapshots()
    with pytest.raises(ResticFailed, match="gone does not exist"):
        await Restic(real.settings(password_file=str(tmp_path / "gone")), None).snapshots()


@pytest.mark.servers
async def test_a_missing_and_a_broken_repository(real: Real, tmp_path: Path) -> None:
    with pytest.raises(ResticFailed, match="no such file or directory"):
        await Restic(real.settings(repository=str(tmp_path / "nowhere")), None).snapshots()
    (real.path / "config").chmod(0o600)
    (real.path / "config").write_bytes(b"")
    with pytest.raises(ResticFailed, match=r"^restic: "):
        await Restic(real.settings(), None).snapshots()


@pytest.mark.servers
async def test_a_repository_on_a_mount_that_never_answers(real: Real, tmp_path: Path) -> None:
    """The kernel ends no process that waits for it: one restic and one thread stay until it is unmounted, no more."""
    point = tmp_path / "hung"
    point.mkdir()
    restic = Restic(real.settings(repository=str(point / "repo")), None)
    threads = threading.active_count()
    children = psutil.Process().children
    others = {child.pid for child in children()}
    async with hung_mount(point):
        others |= {child.pid for child in children() if "tests.hung_mount" in child.cmdline()}
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await restic.snapshots()
        for _ in range(50):
            with pytest.raises(StillStuck):
                await restic.snapshots()
        assert len({child.pid for child in children()} - others) == 1
        assert threading.active_count() == threads + 1
        assert len(await Restic(real.settings(), None).snapshots()) == 3, "another repository is read meanwhile"
    await wait_until(lambda: threading.active_count() == threads and not {each.pid for each in children()} - others)
