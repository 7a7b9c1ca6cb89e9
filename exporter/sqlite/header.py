"""What the first bytes of a database of SQLite tell of it.

Nothing is opened with SQLite: a reader of a database in WAL mode makes files beside it, which the program that the
database belongs to could then not write. So what stands in the log and not yet in the database is not seen.
https://www.sqlite.org/fileformat2.html#the_database_header
"""

import os
from typing import NamedTuple

_BYTES = 100
_MAGIC = b"SQLite format 3\0"


class NoDatabase(ValueError):
    """The file is none that SQLite wrote, or is encrypted. The message is for people."""


class Header(NamedTuple):
    """As of the last checkpoint."""

    page_bytes: int
    pages: int
    free_pages: int
    """Those that hold nothing, which SQLite uses again and never gives back by itself."""

    @property
    def bytes(self) -> int:
        return self.page_bytes * self.pages

    @property
    def reclaimable_bytes(self) -> int:
        return self.page_bytes * self.free_pages


def parse_header(content: bytes, size: int) -> Header:
    """From the first hundred bytes of a file of this size. Pure. Raises NoDatabase."""
    if size == 0:
        return Header(4096, 0, 0)
    if len(content) < _BYTES or not content.startswith(_MAGIC):
        raise NoDatabase("no database of SQLite, or an encrypted one")

    def number(at: int, length: int = 4) -> int:
        return int.from_bytes(content[at : at + length])

    page_bytes = 65536 if number(16, 2) == 1 else number(16, 2)
    if page_bytes < 512 or page_bytes & (page_bytes - 1):
        raise NoDatabase(f"no database of SQLite: a page of {page_bytes} bytes")
    noted = number(28)
    pages = noted if noted and number(24) == number(92) else size // page_bytes  # before 3.7 it was not kept up
    return Header(page_bytes, pages, min(number(36), pages))


def read_header(path: str) -> Header:
    """Blocks. Raises OSError and NoDatabase."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return parse_header(os.pread(fd, _BYTES, 0), os.fstat(fd).st_size)
    finally:
        os.close(fd)
