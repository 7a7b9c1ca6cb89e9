"""How much of a table is air: its size against the size that its rows would need. Pure.

The layout of pages and rows: https://www.postgresql.org/docs/current/storage-page-layout.html. What a row holds is
known from the statistics that ANALYZE leaves: the mean stored width of each column, and its share of NULLs. Where the
padding in front of a column depends on what precedes it in each row, its mean is taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

_PAGE_HEADER = 24
_LINE_POINTER = 4
_ROW_HEADER = 23
_MAX_ALIGN = 8
_ALIGNMENTS = {"c": 1, "s": 2, "i": 4, "d": 8}
_LONGEST_SHORT = 127
"""Values of variable length up to this have a header of one byte, and no alignment."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column with what ANALYZE found."""

    length: int
    """Bytes; negative when they vary."""
    align: str
    """pg_attribute.attalign: c, s, i or d."""
    width: float
    """Mean stored bytes of the values that are not NULL."""
    null_share: float
    """0 to 1."""


def row_bytes(columns: Sequence[Column]) -> float:
    """Mean bytes that a row takes in a page, without its line pointer."""
    nullable = any(column.null_share > 0 for column in columns)
    header = _aligned(_ROW_HEADER + (ceil(len(columns) / 8) if nullable else 0))
    size, offset = (
        0.0,
        0.0,
    )  # mean bytes; and the bytes since the last boundary of 8, as far as they are the same in all
    known = True
    for column in columns:
        if column.null_share == 1:
            continue
        present = 1 - column.null_share
        fixed = column.length >= 0
        alignment = 1 if not fixed and column.width <= _LONGEST_SHORT else _ALIGNMENTS[column.align]
        padding = -offset % alignment if known else (alignment - 1) / 2
        size += present * (padding + column.width)
        offset = (offset + padding if known else 0.0) + column.width
        known = (known or alignment == _MAX_ALIGN) and fixed and column.null_share == 0
    return header + size + (-offset % _MAX_ALIGN if known else (_MAX_ALIGN - 1) / 2)


def _aligned(size: float) -> float:
    return ceil(size / _MAX_ALIGN) * _MAX_ALIGN


def bloat_bytes(pages: int, rows: float, columns: Sequence[Column], fill_factor: int, block_bytes: int) -> int:
    """Bytes of a table that its rows do not need, be they dead rows or free space. Never negative.

    pages, rows: of pg_class, which vacuum and analyze set together.
    fill_factor: percent of a page that INSERT fills; the rest is reserved and no bloat.
    """
    room = (block_bytes - _PAGE_HEADER) * fill_factor / 100
    a_page = max(1, int(room / (row_bytes(columns) + _LINE_POINTER)))
    return max(0, pages - ceil(rows / a_page)) * block_bytes
