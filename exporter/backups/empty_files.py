"""Whether a file holds nothing, whatever compressor or archiver has written it. Pure.

A dump whose program failed leaves an archive that is well formed and holds no byte: ``false | gzip`` 20 of them,
``tar -czf x -T /dev/null`` 45. A tar of nothing is 10,240 zeros, or more with larger blocks; ``echo | gzip`` is blank.
"""

import re
import zlib
from bz2 import BZ2Decompressor
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from lzma import FORMAT_ALONE, LZMADecompressor, LZMAError

from exporter.backups.compressed_frames import is_frame, literals

LARGEST = 16 * 1024
"""Bytes: a larger archive holds something."""

LARGEST_BLANK = 16 * 1024**2
"""Bytes of zeros or white space that are looked through, all of them: about what gzip packs into LARGEST."""

_NEVER_ENOUGH = (
    (32, re.compile(r"\.(gz|tgz|bz2|tbz2?|xz|txz|lzma|zst|tzst|lz4|zip|7z)$", re.IGNORECASE)),
    (36, re.compile(r"\.(lz|tlz)$", re.IGNORECASE)),
    (3, re.compile(r"\.(Z|taz)$", re.IGNORECASE)),
)
"""Bytes that the compressors need for no content at all, by the names of their files; of the first, xz needs most."""

_BROTLI = re.compile(r"\.(br|tbr)$", re.IGNORECASE)
_BROTLI_NEVER_ENOUGH = 2
"""Bytes: a block with content has at least 20 bits before it."""

_DEEPEST = 2
"""Archives within each other that are opened, as of a dump that is compressed by itself and by what stores it."""

_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_WHITE_SPACE = b" \t\r\n\v\f"
_CHECKSUMS = re.compile(r"(^|[._-])(md5|sha(1|224|256|384|512)?)(sums?)?(\.txt)?$", re.IGNORECASE)
_CHUNK = 64 * 1024
_LZMA_MEMORY = 256 * 1024**2
"""Bytes: xz itself takes no more, with its highest level."""

_LZIP = b"LZIP\1"
_LZIP_HEADER = 6
_LZIP_TRAILER = 20
_LZW = b"\x1f\x9d"
_LZW_HEADER = 3
_ZIP_END = b"PK\x05\x06"
_SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
_SEVEN_ZIP_HEADER = 32


class _Broken(Exception):
    """The archive cannot be understood."""


def holds_nothing(data: bytes) -> bool:
    """Whether a file of these bytes is blank, as is_blank says, or is an archive of what is.

    One that is cut off before anything came holds nothing. One that cannot be understood is taken to hold something.
    """
    try:
        return is_blank(_innermost(data))
    except EOFError:
        return True
    except _Broken:
        return False


def is_blank(parts: Iterable[bytes]) -> bool:
    """Whether there is no byte, or there are zeros alone, or white space alone, which a byte order mark may precede."""
    seen = 0
    zeros = white = True
    for part in filter(None, parts):
        rest = part
        if not seen:
            mark = next((mark for mark in _BYTE_ORDER_MARKS if part.startswith(mark)), b"")
            rest = part.removeprefix(mark)
        seen += len(part)
        zeros = zeros and not rest.strip(b"\0")
        white = white and not rest.strip(_WHITE_SPACE)
        if seen > LARGEST_BLANK or not (zeros or white):
            return False
    return True


def _innermost(data: bytes) -> Iterator[bytes]:
    """What is in an archive, and in the archive in that. Raises as _content."""
    for _ in range(_DEEPEST - 1):
        parts = _content(data)
        first = next(filter(None, parts), b"")
        if is_frame(data) or not _is_archive(first):  # of a frame there are the literals alone, which are no archive
            return chain((first,), parts)
        inner = bytearray(first)
        try:
            for part in parts:
                if len(inner) > LARGEST:
                    break
                inner += part
        except EOFError:  # then what is inside is cut off as well
            pass
        if len(inner) > LARGEST:
            return iter((first,))
        data = bytes(inner)
    return _content(data)


def _is_archive(data: bytes) -> bool:
    return is_frame(data) or data.startswith((b"\x1f\x8b", _LZW, b"BZh", b"\xfd7zXZ\0", _LZIP, _ZIP_END, _SEVEN_ZIP))


def _content(data: bytes) -> Iterator[bytes]:
    """What is in an archive, or else the bytes themselves. Raises _Broken, and EOFError where it is cut off."""
    if data.startswith(b"\x1f\x8b"):
        return _gzip(data)
    if data.startswith(b"BZh"):
        return _bzip2_or_xz(data, BZ2Decompressor)
    if data.startswith((b"\xfd7zXZ\0", b"\x5d\0\0")):
        return _bzip2_or_xz(data, lambda: LZMADecompressor(memlimit=_LZMA_MEMORY))
    if data.startswith(_LZIP):
        return _lzip(data)
    if is_frame(data):
        return _frames(data)
    only_header = len(data) == (_LZW_HEADER if data.startswith(_LZW) else _SEVEN_ZIP_HEADER)
    if _is_empty_zip(data) or (data.startswith((_LZW, _SEVEN_ZIP)) and only_header):
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


def _lzip(data: bytes) -> Iterator[bytes]:
    """Its members are LZMA streams with a header and a trailer of their own, and with fixed settings."""
    while data.startswith(_LZIP):
        if len(data) <= _LZIP_HEADER:
            raise EOFError
        dictionary = 1 << min(data[5] & 0x1F, 31)
        header = b"\x5d" + dictionary.to_bytes(4, "little") + b"\xff" * 8
        stream = LZMADecompressor(FORMAT_ALONE, memlimit=_LZMA_MEMORY)
        rest = header + data[_LZIP_HEADER:]
        while not stream.eof:
            try:
                part = stream.decompress(rest, _CHUNK)
            except LZMAError as error:
                raise _Broken from error
            yield part
            rest = b""
            if stream.needs_input and not stream.eof:
                raise EOFError
        data = stream.unused_data[_LZIP_TRAILER:]
    yield data


def _frames(data: bytes) -> Iterator[bytes]:
    try:
        yield from literals(data)
    except ValueError as error:
        raise _Broken from error


def must_be_empty(name: str, size: int) -> bool:
    """Whether a file of this name cannot hold anything, which is all that is known of one that may not be read."""
    never_enough = any(size <= limit and names.search(name) for limit, names in _NEVER_ENOUGH)
    return size == 0 or never_enough or is_empty_brotli(name, size)


def is_empty_brotli(name: str, size: int) -> bool:
    """Whether it is brotli's archive of nothing. Such archives are known by their names alone."""
    return size <= _BROTLI_NEVER_ENOUGH and _BROTLI.search(name) is not None


def is_about_others(name: str) -> bool:
    """Whether a file holds checksums of those next to it, and so is no backup of its own."""
    return _CHECKSUMS.search(name) is not None
