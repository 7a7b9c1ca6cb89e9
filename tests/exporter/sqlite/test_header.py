"""What the first bytes of a database tell, compared with what SQLite says itself."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from exporter.sqlite.header import Header, NoDatabase, parse_header, read_header


@pytest.mark.parametrize("page_bytes", [512, 4096, 65536])
def test_it_is_what_sqlite_says(tmp_path: Path, page_bytes: int) -> None:
    path = tmp_path / "x"
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA page_size = {page_bytes}")
        database.execute("CREATE TABLE t (x)")
        database.executemany("INSERT INTO t VALUES (?)", [("x" * 3000,)] * 200)
        database.execute("DELETE FROM t WHERE rowid > 20")
        database.commit()
        said = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count")]
        free = database.execute("PRAGMA freelist_count").fetchone()[0]
    found = read_header(str(path))
    assert found == Header(*said, free)
    assert found.bytes == path.stat().st_size
    assert found.reclaimable_bytes == free * page_bytes > 0


def test_of_a_reader_nothing_is_left_beside(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t (x)")
    path.chmod(0o444)
    assert read_header(str(path)).free_pages == 0
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_file_is_an_empty_database(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    assert read_header(str(path)).bytes == 0


@pytest.mark.parametrize(
    "content", [b"x", b"y" * 4096, b"SQLite format 3\0" + b"\0" * 84, b"SQLite format 3\0\x0b\xb8" + b"\0" * 82]
)
def test_what_is_no_database(content: bytes) -> None:
    with pytest.raises(NoDatabase):
        parse_header(content, len(content))


def test_a_count_that_was_not_kept_up_is_not_believed() -> None:
    content = bytearray(100)
    content[:18] = b"SQLite format 3\0\x10\x00"
    content[24:32] = (7).to_bytes(4) + (3).to_bytes(4)
    content[36:40] = (900).to_bytes(4)
    assert parse_header(bytes(content), 10 * 4096) == Header(4096, 10, 10)
    content[92:96] = (7).to_bytes(4)
    assert parse_header(bytes(content), 10 * 4096) == Header(4096, 3, 3)
