"""Reads a tar as a stream, to its last byte, without unpacking it: what it holds, and whether it is whole.

Every header's own checksum is looked at, and that the archive ends as one does. Formats: POSIX.1-2001 (pax) and GNU,
https://www.gnu.org/software/tar/manual/html_node/Standard.html
"""

import re

BLOCK = 512
_OF_NO_ENTRY = frozenset(b"xgLK")
_BIG_SIZE = re.compile(rb"\d+ size=(\d+)\n")
_MAX_EXTENSION = 64 * 1024**2


class TarBroken(ValueError):
    """It is no whole tar. The message continues what it is called."""


class TarStream:
    """Takes the bytes of a tar in pieces of any size. entries: how many files, directories and so on it has so far."""

    def __init__(self) -> None:
        self.entries = 0
        self.bytes = 0
        """Of file content, holes left out."""
        self._rest = b""
        self._skip = 0
        self._extension: bytearray | None = None
        self._extension_left = 0
        self._size: int | None = None
        self._zero_blocks = 0

    def write(self, data: bytes) -> None:
        """The next bytes. Raises TarBroken."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        at, end = 0, len(data)
        while at < end:
            if self._skip:
                taken = min(self._skip, end - at)
                if self._extension is not None and self._extension_left:
                    kept = min(self._extension_left, taken)
                    self._extension += data[at : at + kept]
                    self._extension_left -= kept
                self._skip -= taken
                at += taken
                if not self._skip:
                    self._end_of_content()
            elif end - at < BLOCK:
                self._rest = data[at:]
                return
            else:
                self._header(data[at : at + BLOCK])
                at += BLOCK

    def finish(self) -> None:
        """It ended here. Raises TarBroken unless it is a whole archive."""
        if self._rest or self._skip:
            raise TarBroken("ends in the middle of an entry")
        if self._zero_blocks < 2:
            raise TarBroken("has no end")

    def _header(self, block: bytes) -> None:
        if not block.strip(b"\0"):
            self._zero_blocks += 1
            return
        if self._zero_blocks:
            raise TarBroken("goes on after its end")
        total = sum(block[:148]) + sum(block[156:]) + 8 * 32
        if _number(block[148:156]) != total:
            raise TarBroken(f"has a damaged header after {self.entries} entries")
        kind, size = block[156], _number(block[124:136])
        if kind in _OF_NO_ENTRY:
            if size > _MAX_EXTENSION:
                raise TarBroken("has an extended header of unbelievable size")
            self._extension = bytearray() if kind == ord("x") else None
            self._extension_left = size
        else:
            if self._size is not None:
                size, self._size = self._size, None
            if kind in b"123456":  # links, devices, directories: a size there is no content
                size = 0
            self.entries += 1
            self.bytes += size
        self._skip = -(-size // BLOCK) * BLOCK
        if not self._skip:
            self._end_of_content()

    def _end_of_content(self) -> None:
        if self._extension is not None:
            big = _BIG_SIZE.search(bytes(self._extension))
            self._size = int(big[1]) if big else self._size
            self._extension = None


def _number(field: bytes) -> int:
    """A number in octal, or in base 256 where its first bit is set. Raises TarBroken."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise TarBroken("has a damaged header") from None
