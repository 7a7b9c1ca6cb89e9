"""Archives that hold nothing, made by the real programs, against small ones that hold something."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from exporter.backups.directory import BackupDirectory
from exporter.backups.empty_files import LARGEST, LARGEST_BLANK, holds_nothing, must_be_empty
from exporter.inventory.backups import MANIFEST
from tests.exporter.backups.backupdir import DAY, backup, by_name, give_age, make_set, states
from tests.helpers import require_program
from tests.postgres_server import PostgresServer

COMPRESSORS: Sequence[Sequence[str]] = [
    ("gzip",), ("gzip", "--fast"), ("bzip2",), ("xz",), ("xz", "-9"), ("xz", "--format=lzma"), ("zstd",),
    ("zstd", "--no-check"), ("zstd", "-19"), ("zstd", "--fast"), ("lz4",), ("lz4", "-9"), ("lz4", "--no-frame-crc"),
    ("lz4", "-BX"), ("lz4", "-l"),
]  # fmt: skip
NOTHING = {
    "no byte": b"",
    "tar of nothing": bytes(10_240),
    "tar of nothing in large blocks": bytes(2048 * 512),
    "smallest tar": bytes(1024),
    "a new line": b"\n",
    "blank lines": b" \t\r\n" * 100,
    "a byte order mark": b"\xef\xbb\xbf\r\n",
}


def packed(compressor: Sequence[str], content: bytes) -> bytes:
    return subprocess.run(
        [require_program(compressor[0], compressor[0]), *compressor[1:]], input=content, capture_output=True, check=True
    ).stdout


def tar_of(name: str, content: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


SOMETHING = {
    "one character": b"x",
    "a word after blank lines": b"\n" * 5000 + b"word",
    "a number": b"\n\0\0\0",
    "a text with a byte order mark": b"\xef\xbb\xbfa",
    "a byte of such a mark": b"\xbb",
    "a word": b"ends",
    "zeros and one more": bytes(10_000) + b"\1",
    "one before zeros": b"\1" + bytes(10_000),
    "tar of an empty file": tar_of("empty", b""),
    "tar of zeros": tar_of("zeros", bytes(1000)),
    "a settings file": b"TOKEN=change me\n" * 20,
    "text": "".join(f"INSERT INTO t VALUES ({i}, 'row {i}');\n" for i in range(50)).encode(),
}


@pytest.mark.parametrize("compressor", COMPRESSORS, ids=" ".join)
def test_nothing_whatever_the_compressor(compressor: Sequence[str]) -> None:
    for what, content in NOTHING.items():
        data = packed(compressor, content)
        assert len(data) <= LARGEST, what
        assert holds_nothing(data), what
        assert holds_nothing(data + packed(compressor, b"")) or compressor == ("lz4", "-l"), f"{what}, and again"


@pytest.mark.parametrize("compressor", COMPRESSORS, ids=" ".join)
def test_something_whatever_the_compressor(compressor: Sequence[str]) -> None:
    for what, content in SOMETHING.items():
        data = packed(compressor, content)
        assert not holds_nothing(data), what
        assert not holds_nothing(packed(compressor, b"") + data) or compressor == ("lz4", "-l"), f"nothing, then {what}"


@pytest.mark.parametrize("compressor", COMPRESSORS, ids=" ".join)
def test_what_is_cut_off_or_broken(compressor: Sequence[str]) -> None:
    """Cut off before anything came, it holds nothing. Nothing breaks on bytes that are no archive."""
    empty, full = packed(compressor, b""), packed(compressor, SOMETHING["text"])
    for length in range(len(empty)):
        holds_nothing(empty[:length])
    for length in range(0, len(full), 7):
        holds_nothing(full[:length])
        holds_nothing(full[:length] + b"\xff" + full[length + 1 :])
    if compressor[0] == "gzip":
        assert holds_nothing(empty[:10])
        assert not holds_nothing(full[: len(full) // 2])


def test_what_is_no_archive() -> None:
    assert holds_nothing(b"")
    assert holds_nothing(bytes(LARGEST))
    for data in (b"\n", b"x", bytes(100) + b"x", b"PGDMP", b"\x1f\x8b", b"BZh9", b"\x28\xb5\x2f\xfd"):
        assert holds_nothing(data) == (data in (b"\n", b"\x1f\x8b", b"BZh9", b"\x28\xb5\x2f\xfd")), data
    assert not holds_nothing(b"\x1f\x8bnot gzip at all, but a text of some length")
    assert holds_nothing(gzip.compress(bytes(10_000_000)))
    assert not holds_nothing(gzip.compress(bytes(10_000_000) + b"\1"))
    assert not holds_nothing(gzip.compress(bytes(64 * 1024**2)))  # more zeros than are looked through


def lzip(content: bytes) -> bytes:
    """As lzip writes it: a member of an LZMA stream with its usual settings and an end mark."""
    settings = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20, "lc": 3, "lp": 0, "pb": 2}]
    alone = lzma.compress(content, lzma.FORMAT_ALONE, filters=settings)
    stream = alone[13:]  # without the header, whose size is unknown there, so that an end mark is written
    sizes = len(content).to_bytes(8, "little") + (len(stream) + 26).to_bytes(8, "little")
    return b"LZIP\1\x14" + stream + zlib.crc32(content).to_bytes(4, "little") + sizes


def test_lzip_files() -> None:
    by_lzip = bytes.fromhex("4c5a4950010c0083fffbffffc00000000000000000000000000000002400000000000000")
    assert len(by_lzip) == 36
    assert holds_nothing(by_lzip)
    for what, content in NOTHING.items():
        assert holds_nothing(lzip(content)), what
        assert holds_nothing(by_lzip + lzip(content)), what
    for what, content in SOMETHING.items():
        assert not holds_nothing(lzip(content)), what
        assert not holds_nothing(by_lzip + lzip(content)), what
    full = lzip(SOMETHING["text"])
    for length in range(len(full)):
        holds_nothing(full[:length])
    assert holds_nothing(full[:6])
    assert not holds_nothing(full[: len(full) // 2])
    assert not holds_nothing(b"LZIP\1\xff" + full[6:]), "one that asks for much memory"


def test_files_of_compress() -> None:
    assert holds_nothing(b"\x1f\x9d\x90")
    assert not holds_nothing(bytes.fromhex("1f9d907800")), "x"


@pytest.mark.parametrize("inner", [("gzip",), ("bzip2",), ("xz",), ("zstd",), ("lz4",)], ids=" ".join)
@pytest.mark.parametrize("outer", [gzip.compress, bz2.compress, lzma.compress, lzip])
def test_archives_in_archives(inner: Sequence[str], outer: Callable[[bytes], bytes]) -> None:
    for what, content in NOTHING.items():
        assert holds_nothing(outer(packed(inner, content))), what
    for what, content in SOMETHING.items():
        data = outer(packed(inner, content))
        assert not holds_nothing(data), what
    full = outer(packed(inner, os.urandom(12_000)))
    assert not holds_nothing(full)
    if inner == ("gzip",) and outer is not bz2.compress:  # the others cannot give a part of their one block
        assert not holds_nothing(full[: len(full) // 2]), "cut off after something came"
    assert not holds_nothing(outer(packed(inner, os.urandom(100_000))))


def test_brotli_is_known_by_its_name(tmp_path: Path) -> None:
    for name, data in (("nothing.sql.br", b"\x3b"), ("token", b"\x3b"), ("x.sql.br", bytes.fromhex("0b00807803"))):
        (tmp_path / name).write_bytes(data)
        give_age(tmp_path / name, 1)
    found = states(BackupDirectory(backup(tmp_path, kind="files")).read())
    assert found == {"nothing.sql.br": "incomplete", "token": "complete", "x.sql.br": "complete"}


def test_zeros_are_read_to_the_end(tmp_path: Path) -> None:
    """A disk image begins with zeros, and ends with them."""
    holds = {
        "zeros-20k": bytes(20 * 1024),
        "zeros-tar-b-64": bytes(64 * 512),
        "zeros-1m": bytes(1024**2),
        "zeros-16m": bytes(LARGEST_BLANK),
        "blank-lines": b"\n" * 100_000,
        "image": bytes(1024**2) + b"\1" + bytes(1024**2),
        "image-last": bytes(LARGEST_BLANK - 1) + b"\1",
        "image-large": bytes(LARGEST_BLANK + 1),
        "image-archive": gzip.compress(os.urandom(LARGEST)),
    }
    for name, data in holds.items():
        (tmp_path / name).write_bytes(data)
        give_age(tmp_path / name, 1)
    found = states(BackupDirectory(backup(tmp_path, kind="files")).read())
    assert found == {name: "complete" if name.startswith("image") else "incomplete" for name in holds}


@pytest.mark.parametrize(("members", "comment"), [([], b""), ([], b"nightly"), (["empty"], b"")])
def test_zip_files(members: list[str], comment: bytes) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.comment = comment
        for name in members:
            archive.writestr(name, "")
    assert holds_nothing(made.getvalue()) == (not members)


def test_an_archive_that_asks_for_much_memory_is_not_opened() -> None:
    # Ten zeros with LZMA2 and a dict_size of 1536 MiB. To make it asks for much memory too, and for seconds.
    greedy = "fd377a585a000004e6d6b44602002101250000003b787b41e0000900065d00006b7e5200000000001673cc2346a805fd0001220a151ae1671fb6f37d010000000004595a"  # noqa: E501
    assert not holds_nothing(lzma.compress(b"") + bytes.fromhex(greedy))


def test_by_size_and_name_where_it_may_not_be_read() -> None:
    archives = {
        "a.gz": gzip.compress(b""),
        "a.tgz": gzip.compress(b""),
        "a.SQL.BZ2": bz2.compress(b""),
        "a.xz": lzma.compress(b""),
        "a.zst": packed(["zstd"], b""),
        "a.lz4": packed(["lz4"], b""),
        "a.sql": b"",
        "a.lz": lzip(b""),
        "a.Z": b"\x1f\x9d\x90",
        "a.br": b"\x3b",
    }
    for name, data in archives.items():
        assert must_be_empty(name, len(data)), name
    assert not must_be_empty("token", 20)
    for name, size in (("a.gz", 33), ("a.lz", 37), ("a.Z", 4), ("a.br", 3)):
        assert not must_be_empty(name, size), name


PIPES = {
    "failed.sql.gz": "false | gzip",
    "failed.sql.bz2": "false | bzip2",
    "failed.sql.xz": "false | xz",
    "failed.sql.zst": "false | zstd",
    "failed.sql.lz4": "false | lz4",
    "nothing.tar.gz": "tar -cz -T /dev/null",
    "nothing.tar.xz": "tar -cJ -T /dev/null",
    "nothing.tar.zst": "tar -c --zstd -T /dev/null",
    "nothing.tar": "tar -c -T /dev/null",
    "something.tar.gz": "tar -cz /etc/hostname",
    "something.sql.gz": "echo 'SELECT 1;' | gzip",
    "something.zst": "echo 1 | zstd",
}


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    for program in ("zstd", "lz4"):
        require_program(program, program)
    for name, command in PIPES.items():
        with (tmp_path / name).open("wb") as file:
            subprocess.run(["sh", "-c", command], stdout=file, stderr=subprocess.DEVNULL, check=False)
        give_age(tmp_path / name, 1)
    return tmp_path


def test_files_that_hold_nothing_are_incomplete_sets(archives: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = BackupDirectory(backup(archives, kind="files"))
    expected = {name: "incomplete" if name.startswith(("failed", "nothing")) else "complete" for name in PIPES}
    assert states(directory.read()) == expected
    opened: list[str] = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *a, **k: opened.append(str(path)) or real(path, *a, **k))
    assert states(directory.read()) == expected
    assert opened == [str(archives)], "what did not change is not read again"
    shutil.copy(archives / "something.tar.gz", archives / "nothing.tar.gz")
    assert states(directory.read())["nothing.tar.gz"] == "complete"


@pytest.mark.parametrize(
    ("files", "marker", "expected"),
    [
        (["failed.sql.gz"], None, "incomplete"),
        (["failed.sql.gz", "failed.sql.zst", "nothing.tar.gz"], None, "incomplete"),
        (["failed.sql.gz", "something.tar.gz"], None, "complete"),
        (["failed.sql.gz"], "done", "incomplete"),  # of a script that does not look whether pg_dump failed
        (["something.sql.gz"], "done", "complete"),
        ([], "done", "complete"),
    ],
)
def test_sets_of_such_files(
    archives: Path, tmp_path: Path, files: list[str], marker: str | None, expected: str
) -> None:
    made = tmp_path / "sets" / "backup-1"
    made.mkdir(parents=True)
    for name in files:
        shutil.copy(archives / name, made / name)
    if marker:
        (made / marker).write_text("at 02:10\n")
    keys = {"complete_marker": marker} if marker else {}
    assert states(BackupDirectory(backup(made.parent, **keys)).read()) == {"backup-1": expected}
    (made / MANIFEST).write_text("{}")
    by_manifest = BackupDirectory(backup(made.parent)).read()
    assert states(by_manifest) == {"backup-1": "complete" if marker else expected}


@pytest.mark.parametrize(("files", "expected"), [(4, "incomplete"), (5, "complete")])
def test_of_a_set_of_zeros_a_part_is_read(tmp_path: Path, files: int, expected: str) -> None:
    """64 MiB: a set of thousands of such files would keep a disk busy for minutes."""
    made = tmp_path / "backup-1"
    made.mkdir()
    for number in range(files):
        (made / f"disk-{number}").touch()
        os.truncate(made / f"disk-{number}", LARGEST_BLANK)
    (made / MANIFEST).write_text("{}")
    assert states(BackupDirectory(backup(tmp_path)).read()) == {"backup-1": expected}


def test_checksums_of_nothing_are_no_backup(archives: Path, tmp_path: Path) -> None:
    made = tmp_path / "sets" / "backup-1"
    made.mkdir(parents=True)
    shutil.copy(archives / "failed.sql.gz", made)
    for name in ("SHA256SUMS", "failed.sql.gz.sha256", "md5sum.txt"):
        (made / name).write_text("f61f27bd17de546264aa58f40f3aafaac7021e0ef69c17f6b1b4cd7664a037ec  failed.sql.gz\n")
    directory = BackupDirectory(backup(made.parent))
    assert states(directory.read()) == {"backup-1": "incomplete"}
    (made / "failed.sql.gz").unlink()
    assert states(directory.read()) == {"backup-1": "complete"}, "checksums alone may be what is backed up"


@pytest.mark.servers
def test_a_dump_of_an_empty_database_is_something(postgres15: PostgresServer, tmp_path: Path) -> None:
    postgres15.sql("CREATE DATABASE bare TEMPLATE template0")
    for form in ("custom", "plain"):
        dump = tmp_path / f"bare-{form}"
        file = postgres15.directory / "dump"
        postgres15.run("pg_dump", f"--format={form}", f"--file={file}", postgres15.conninfo(dbname="bare"))
        shutil.move(file, dump)
        for suffix, pack in (("gz", gzip.compress), ("zst", lambda data: packed(["zstd"], data))):
            (tmp_path / f"bare-{form}.{suffix}").write_bytes(pack(dump.read_bytes()))
    postgres15.sql("DROP DATABASE bare")
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert min(sizes.values()) < 1000 < LARGEST, "small enough to be read"
    assert states(BackupDirectory(backup(tmp_path, kind="files")).read()) == dict.fromkeys(sizes, "complete")


def test_an_undated_set_is_as_new_as_its_own_directory(tmp_path: Path) -> None:
    """As rsnapshot leaves them: files keep the times of what they are copies of, and links to those of older sets."""
    for number, days in enumerate((0.1, 1.1, 2.1)):
        made = make_set(tmp_path, f"daily.{number}", days=90)
        (made / "localhost").mkdir()
        give_age(made / "localhost", 200)
        give_age(made, days)
    found = by_name(BackupDirectory(backup(tmp_path, pattern="daily.*")).read())
    ages = {name: round((_now(tmp_path) - (each.date or 0)) / DAY, 1) for name, each in found.items()}
    assert ages == {"daily.0": 0.1, "daily.1": 1.1, "daily.2": 2.1}
    (tmp_path / "daily.2").rename(tmp_path / "daily.3")  # the rotation of the next day
    renamed = by_name(BackupDirectory(backup(tmp_path, pattern="daily.*")).read())["daily.3"]
    assert renamed.date == found["daily.2"].date


def _now(beside: Path) -> float:
    probe = beside / ".now"
    probe.touch()
    return probe.stat().st_mtime


@pytest.mark.parametrize("change", [lambda path: path.chmod(0o000), lambda path: None], ids=["unreadable", "readable"])
def test_without_the_right_to_read_small_archives(archives: Path, change: Callable[[Path], None]) -> None:
    """root reads everything, so the exporter's user is another here."""
    for path in archives.iterdir():
        change(path)
    archives.chmod(0o755)
    for parent in archives.parents:
        if parent.stat().st_uid == os.getuid() and len(parent.parts) > 2:
            parent.chmod(0o755)
    pid = os.fork()
    if pid == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            found = states(BackupDirectory(backup(archives, kind="files")).read())
            failed = {state for name, state in found.items() if name.startswith("failed")}
            something = {state for name, state in found.items() if name.startswith("something.t")}
            os._exit(0 if (failed, something) == ({"incomplete"}, {"complete"}) else 3)
        except BaseException:  # noqa: BLE001 - the child of a test tells by its status alone
            os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
