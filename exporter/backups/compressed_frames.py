"""What zstd and lz4 files hold, without their libraries: the bytes that are written out in them. Pure.

All other bytes of the content are copies of those, so that a content of zeros alone has zeros alone here too.
The formats: https://www.rfc-editor.org/rfc/rfc8878 and https://github.com/lz4/lz4/tree/dev/doc
"""

from collections.abc import Iterator

ZSTD = b"\x28\xb5\x2f\xfd"
LZ4 = b"\x04\x22\x4d\x18"
LZ4_LEGACY = b"\x02\x21\x4c\x18"
_SKIPPED = bytes(range(0x50, 0x60))
_SKIPPED_END = b"\x2a\x4d\x18"


class _Reader:
    """Bytes taken one part after the other. ``take`` raises EOFError when they end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._data)

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise EOFError
        self._at += count
        return taken

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")


def is_frame(data: bytes) -> bool:
    """Whether it begins as zstd or lz4 files do."""
    return data[:4] in (ZSTD, LZ4, LZ4_LEGACY) or _is_skipped(data[:4])


def literals(data: bytes) -> Iterator[bytes]:
    """The bytes that are written out, in parts.

    Raises ValueError for what is not understood, and EOFError where it ends early.
    """
    reader = _Reader(data)
    while not reader.ended:
        magic = reader.take(4)
        if magic == ZSTD:
            yield from _zstd(reader)
        elif magic == LZ4:
            yield from _lz4(reader)
        elif magic == LZ4_LEGACY:
            while not reader.ended:
                yield from _lz4_block(reader.take(reader.number(4)))
        elif _is_skipped(magic):
            reader.take(reader.number(4))
        else:
            raise ValueError("no frame")


def _is_skipped(magic: bytes) -> bool:
    return len(magic) == 4 and magic[0] in _SKIPPED and magic[1:] == _SKIPPED_END


def _zstd(reader: _Reader) -> Iterator[bytes]:
    descriptor = reader.number(1)
    single = bool(descriptor & 0x20)
    reader.take(0 if single else 1)
    if descriptor & 0x03:
        raise ValueError("made with a dictionary")
    reader.take((1 if single else 0, 2, 4, 8)[descriptor >> 6])
    last = False
    while not last:
        header = reader.number(3)
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        if kind == 0:
            yield reader.take(size)
        elif kind == 1:
            yield reader.take(1) if size else b""
        elif kind == 2:
            yield _zstd_literals(_Reader(reader.take(size)))
        else:
            raise ValueError("no such block")
    reader.take(4 if descriptor & 0x04 else 0)


def _zstd_literals(block: _Reader) -> bytes:
    first = block.number(1)
    kind, form = first & 3, first >> 2 & 3
    if kind > 1:
        raise ValueError("coded by Huffman, so these are several different bytes")
    size = first >> 3 if form in (0, 2) else first >> 4 | block.number(1 if form == 1 else 2) << 4
    return block.take(size if kind == 0 else min(size, 1))


def _lz4(reader: _Reader) -> Iterator[bytes]:
    flags = reader.number(1)
    if flags & 0x01:
        raise ValueError("made with a dictionary")
    reader.take(1 + (8 if flags & 0x08 else 0) + 1)
    while size := reader.number(4):
        block = reader.take(size & 0x7FFFFFFF)
        if size & 0x80000000:
            yield block
        else:
            yield from _lz4_block(block)
        reader.take(4 if flags & 0x10 else 0)
    reader.take(4 if flags & 0x04 else 0)


def _lz4_block(block: bytes) -> Iterator[bytes]:
    reader = _Reader(block)
    while not reader.ended:
        token = reader.number(1)
        yield reader.take(_lz4_length(reader, token >> 4))
        if not reader.ended:  # the last sequence is of literals alone
            reader.take(2)
            _lz4_length(reader, token & 15)


def _lz4_length(reader: _Reader, length: int) -> int:
    if length == 15:
        more = 255
        while more == 255:
            more = reader.number(1)
            length += more
    return length
