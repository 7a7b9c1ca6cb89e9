"""The bloat estimate: by itself, and against tables whose real need is known."""

from pathlib import Path

import pytest

from exporter.postgres.bloat import Column, bloat_bytes, row_bytes
from tests.exporter.postgres.figures import figures_of, settings
from tests.postgres_server import PostgresServer

INT, BIGINT, BOOL = Column(4, "i", 4, 0), Column(8, "d", 8, 0), Column(1, "c", 1, 0)
SHORT_TEXT, LONG_TEXT = Column(-1, "i", 20, 0), Column(-1, "i", 1000, 0)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([INT], 24 + 8),
        ([INT, INT], 24 + 8),
        ([INT, BIGINT], 24 + 16),
        ([BOOL, BIGINT, BOOL], 24 + 24),
        ([BIGINT, SHORT_TEXT], 24 + 28 + 3.5),
        ([SHORT_TEXT, BIGINT], 24 + 20 + 3.5 + 8),
        ([BIGINT, LONG_TEXT], 24 + 1008 + 3.5),
        ([INT, Column(8, "d", 8, 1)], 24 + 8),  # always NULL: only its bit in the bitmap
        ([BIGINT] * 8 + [Column(8, "d", 8, 1)], 32 + 64),  # a bitmap of two bytes needs the next boundary
        ([Column(8, "d", 8, 0.5)], 24 + 4 + 3.5),
    ],
)
def test_mean_bytes_of_a_row(columns: list[Column], expected: float) -> None:
    assert row_bytes(columns) == expected


def test_bloat_is_what_the_rows_do_not_need() -> None:
    # 226 rows of 36 bytes fit into 8192 - 24.
    assert bloat_bytes(100, 22600, [INT], 100, 8192) == 0
    assert bloat_bytes(100, 11300, [INT], 100, 8192) == 50 * 8192
    assert bloat_bytes(100, 0, [INT], 100, 8192) == 100 * 8192
    assert bloat_bytes(1, 22600, [INT], 100, 8192) == 0
    assert bloat_bytes(200, 22600, [INT], 50, 8192) == 0  # half of each page is reserved


TABLES = {
    "numbers": "CREATE TABLE numbers AS SELECT i, i::bigint AS b, i % 2 = 0 AS even"
    " FROM generate_series(1, 60000) AS i",
    "texts": "CREATE TABLE texts AS SELECT i, repeat('ä', i % 41) AS t, now() AS at"
    " FROM generate_series(1, 60000) AS i",
    "nulls": "CREATE TABLE nulls AS SELECT i, CASE WHEN i % 3 = 0 THEN i::numeric END AS n,"
    " CASE WHEN i % 2 = 0 THEN 'x' END AS t, NULL::int AS never FROM generate_series(1, 60000) AS i",
    "wide": "CREATE TABLE wide AS SELECT i, repeat(md5(i::text), 20) AS t FROM generate_series(1, 20000) AS i",
    "filled": "CREATE TABLE filled (i int, j int) WITH (fillfactor = 70); INSERT INTO filled"
    " SELECT i, i FROM generate_series(1, 60000) AS i",
}


@pytest.mark.servers
@pytest.mark.parametrize("name", TABLES)
async def test_against_what_a_rewrite_of_the_table_frees(name: str, postgres: PostgresServer, tmp_path: Path) -> None:
    postgres.sql("CREATE DATABASE bloated")
    try:
        for statement in TABLES[name].split("; "):
            postgres.sql(statement, dbname="bloated")
        for share in ("full", "half"):
            if share == "half":
                postgres.sql(f"DELETE FROM {name} WHERE i % 2 = 0", dbname="bloated")
            postgres.sql(f"VACUUM ANALYZE {name}", dbname="bloated")
            estimate = await _bloat(postgres, tmp_path, name)
            size = _size(postgres, name)
            postgres.sql(f"VACUUM FULL {name}", dbname="bloated")
            freed = size - _size(postgres, name)
            print(f"{name} {share}: of {size} estimated {estimate / size:.3f}, freed {freed / size:.3f}")
            assert estimate / size == pytest.approx(freed / size, abs=0.05)
    finally:
        postgres.sql("DROP DATABASE bloated WITH (FORCE)")


async def _bloat(postgres: PostgresServer, tmp_path: Path, name: str) -> float:
    figures = await figures_of(settings(postgres, tmp_path / "password", databases=["bloated"]))
    return figures.value("table_bloat_bytes_estimate", relname=f"public.{name}")


def _size(postgres: PostgresServer, name: str) -> float:
    ((size,),) = postgres.sql(f"SELECT pg_relation_size('{name}')", dbname="bloated")
    return float(size)
