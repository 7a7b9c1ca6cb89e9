"""Counts rows in what pg_restore makes of an archive: a program's exit status says little about a dump. Pure."""

import re

from exporter.base.errors import UpkeeperError

_IDENTIFIER = rb'("(?:[^"]|"")*"|[^".\s(]+)'
_COPY = re.compile(rb"^COPY " + _IDENTIFIER + rb"\." + _IDENTIFIER + rb" .*?FROM stdin;\n", re.M | re.S)
_END = b"\\.\n"
_MOST_HEADER = 1024 * 1024


class RowsUnclear(UpkeeperError):
    """The script is not as pg_restore writes them."""


class DumpRows:
    """Takes a script of pg_restore's, of data only, in pieces. rows: of each table so far, as ``schema.table``."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self._table: str | None = None
        self._rest = b""

    def write(self, data: bytes) -> None:
        """The next bytes. Raises RowsUnclear."""
        data = self._rest + data
        at = 0
        while True:
            if self._table is None:
                at, data, go_on = self._header(at, data)
            else:
                at, go_on = self._content(at, data)
            if not go_on:
                break
        self._rest = data[at:]

    def finish(self) -> None:
        """It ended here. Raises RowsUnclear where that is within the rows of a table."""
        if self._table is not None:
            raise RowsUnclear(f"the dump ends within {self._table}")

    def _header(self, at: int, data: bytes) -> tuple[int, bytes, bool]:
        found = _COPY.search(data, at)
        if found is not None:
            self._table = table_name(found[1], found[2])
            self.rows.setdefault(self._table, 0)
            return found.end(), data, True
        begun = data.rfind(b"\nCOPY ", at) + 1  # half a header at the end is kept, and all that follows it
        if not begun:
            begun = 0 if data.startswith(b"COPY ", at) else data.rfind(b"\n", at) + 1
        keep = max(at, begun)
        if len(data) - keep > _MOST_HEADER:
            raise RowsUnclear("the dump has a table with a header of more than a mebibyte")
        return keep, data, False

    def _content(self, at: int, data: bytes) -> tuple[int, bool]:
        assert self._table is not None
        end = at if data.startswith(_END, at) else data.find(b"\n" + _END, at) + 1
        if end > 0 or data.startswith(_END, at):
            self.rows[self._table] += data.count(b"\n", at, end)
            self._table = None
            return end + len(_END), True
        whole = data.rfind(b"\n", at) + 1
        if whole > at:  # the last line may be the first half of the end
            self.rows[self._table] += data.count(b"\n", at, whole)
            return whole, False
        return at, False


def table_name(schema: bytes, table: bytes) -> str:
    """Both without quotes, as they are compared: ``pg_dump`` may quote what ``format('%I')`` does not."""
    return f"{_bare(schema)}.{_bare(table)}"


def unquoted(name: str) -> str:
    """A name as SQL writes it, such as ``"Odd".x``, in the form of table_name."""
    found = re.fullmatch(_IDENTIFIER + rb"\." + _IDENTIFIER, name.encode("utf-8", "surrogateescape"))
    return table_name(found[1], found[2]) if found else name


def _bare(identifier: bytes) -> str:
    text = identifier.decode("utf-8", "surrogateescape")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text
