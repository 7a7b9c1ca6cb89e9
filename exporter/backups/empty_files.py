"""Whether a file holds nothing, whatever compressor or archiver has written it. Pure.

A dump whose program failed leaves an archive that is well formed and holds no byte: ``false | gzip`` 20 of them,
``tar -czf x -T /dev/null`` 45. A tar of nothing is 10,240 zeros.
"""

import re
import zlib
from bz2 import BZ2Decompressor
from collections.abc import Callable, Iterator
from lzma import LZMADecompressor, LZMAError

from exporter.backups.compressed_frames import is_frame, literals

LARGEST = 16 * 1024
"""Bytes: a larger file holds something."""

_LARGEST_CONTENT = 4 * 1024**2
"""Bytes of zeros that are looked through: a tar of nothing has no more with the largest blocks that anybody uses."""

_NEVER_ENOUGH = 32
"""Bytes that the compressors need for no content at all: xz needs most."""

_COMPRESSED = re.compile(r"\.(gz|tgz|bz2|tbz2?|xz|txz|lzma|zst|tzst|lz4|zip|7z)$", re.IGNORECASE)
_CHECKSUMS = re.compile(r"(^|[._-])(md5|sha(1|224|256|384|512)?)(sums?)?(\.txt)?$", re.IGNORECASE)
_CHUNK = 64 * 1024
_LZMA_MEMORY = 256 * 1024**2
"""Bytes: xz itself takes no more, with its highest level."""

_ZIP_END = b"PK\x05\x06"
_SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
_SEVEN_ZIP_HEADER = 32


class _Broken(Exception):
    """The archive cannot be understood."""


def holds_nothing(data: bytes) -> bool:
    """Whether a file of these bytes is empty, has zeros alone, or is an archive of one of these.

    One that is cut off before anything came holds nothing. One that cannot be understood is taken to hold something.
    """
    seen = 0
    try:
        for part in _content(data):
            seen += len(part)
            if seen > _LARGEST_CONTENT or part.strip(b"\0"):
                return False
    except EOFError:
        return True
    except _Broken:
        return False
    return True


def _content(data: bytes) -> Iterator[bytes]:
    """What is in an archive, or else the bytes themselves. Raises _Broken, and EOFError where it is cut off."""
    if data.startswith(b"\x1f\x8b"):
        return _gzip(data)
    if data.startswith(b"BZh"):
        return _bzip2_or_xz(data, BZ2Decompressor)
    if data.startswith((b"\xfd7zXZ\0", b"\x5d\0\0")):
        return _bzip2_or_xz(data, lambda: LZMADecompressor(memlimit=_LZMA_MEMORY))
    if is_frame(data):
        return _frames(data)
    if _is_empty_zip(data) or (data.startswith(_SEVEN_ZIP) and len(data) == _SEVEN_ZIP_HEADER):
        return iter(())
    return iter((data,))


def _is_empty_zip(data: bytes) -> bool:
    """Whether it is the end of a zip file and nothing before it."""
    return data.startswith(_ZIP_END) and len(data) == 22 + int.from_bytes(data[20:22], "little")


def _gzip(data: bytes) -> Iterator[bytes]:
    while data:
        stream = zlib.decompressobj(wbits=31)
        rest = data
        while not stream.eof:
            try:
                part = stream.decompress(rest, _CHUNK)
            except zlib.error as error:
                raise _Broken from error
            if not part and not stream.eof:
                raise EOFError
            yield part
            rest = stream.unconsumed_tail
        data = stream.unused_data.lstrip(b"\0")


def _bzip2_or_xz(data: bytes, make: Callable[[], BZ2Decompressor | LZMADecompressor]) -> Iterator[bytes]:
    while data:
        stream, rest = make(), data
        while not stream.eof:
            try:
                part = stream.decompress(rest, _CHUNK)
            except (OSError, LZMAError) as error:
                raise _Broken from error
            yield part
            rest = b""
            if stream.needs_input and not stream.eof:
                raise EOFError
        data = stream.unused_data.lstrip(b"\0")


def _frames(data: bytes) -> Iterator[bytes]:
    try:
        yield from literals(data)
    except ValueError as error:
        raise _Broken from error


def must_be_empty(name: str, size: int) -> bool:
    """Whether a file of this name cannot hold anything, which is all that is known of one that may not be read."""
    return size == 0 or (size <= _NEVER_ENOUGH and _COMPRESSED.search(name) is not None)


def is_about_others(name: str) -> bool:
    """Whether a file holds checksums of those next to it, and so is no backup of its own."""
    return _CHECKSUMS.search(name) is not None
