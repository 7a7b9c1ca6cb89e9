"""Reads a dump of ``neo4j-admin database dump`` as a stream, to its last byte, without a server.

Four bytes that name the compression, then one compressed stream. Of zstd it begins with a header of how many files and
bytes there are, which is all that ``load --info`` reads, so that half a dump looks whole to it; then comes their tar.
Where Java cannot load the library of zstd it is gzip, and without the header. Seen of 5.26.19.
"""

import struct
import zlib
from collections.abc import Callable
from typing import Any

from exporter.backups.tar_stream import TarBroken, TarStream

_MAGIC = 4
_HEADER = struct.Struct(">4siqq")
"""A name, the version of the format, files, bytes."""
_PIECE = 64 * 1024
"""That is unpacked at once: of zeros it becomes a thousand times as much."""


_Form = tuple[Any, type[Exception], bool]
"""What unpacks, what it raises, and whether there is a header."""


class DumpBroken(ValueError):
    """It is no whole dump. The message continues what it is called."""


class DumpUnknown(ValueError):
    """It is of a form that is not known here. The message continues what it is called."""


class DumpStream:
    """Takes the bytes of a dump in pieces of any size. files, bytes: of the store, once ``finish`` was called."""

    def __init__(self) -> None:
        self.files = self.bytes = 0
        self._magic = b""
        self._frame: Any = None
        self._broken: type[Exception] = zlib.error
        self._head: bytes | None = b""
        self._wanted: tuple[int, int] | None = None
        self._tar = TarStream()

    def write(self, data: bytes) -> None:
        """The next bytes. Raises DumpBroken, DumpUnknown."""
        if self._frame is None:
            missing = _MAGIC - len(self._magic)
            self._magic, data = self._magic + data[:missing], data[missing:]
            if len(self._magic) < _MAGIC:
                return
            if self._magic not in _FORMS:
                raise DumpUnknown("is compressed in a way that this Upkeeper does not know")
            self._frame, self._broken, headed = _FORMS[self._magic]()
            self._head = b"" if headed else None
        for start in range(0, len(data), _PIECE):
            if self._frame.eof:
                raise DumpBroken("goes on after its end")
            try:
                self._take(self._frame.decompress(data[start : start + _PIECE]))
            except self._broken as error:
                raise DumpBroken(f"cannot be unpacked: {error}") from None
            if self._frame.unused_data:
                raise DumpBroken("goes on after its end")

    def finish(self) -> None:
        """It ended here. Raises DumpBroken unless it is whole, and holds what its header says."""
        if self._frame is None or not self._frame.eof or self._head is not None:
            raise DumpBroken("ends early")
        try:
            self._tar.finish()
        except TarBroken as error:
            raise DumpBroken(str(error)) from None
        self.files, self.bytes = self._wanted or (self._tar.entries, self._tar.bytes)
        if self._tar.bytes != self.bytes:
            raise DumpBroken(f"holds {self._tar.bytes} bytes, where its header says {self.bytes}")

    def _take(self, data: bytes) -> None:
        if self._head is not None:
            self._head += data
            if len(self._head) < _HEADER.size:
                return
            name, _, files, size = _HEADER.unpack_from(self._head)
            if name != b"zstd":
                raise DumpUnknown("has a header that this Upkeeper does not know")
            self._wanted = (files, size)
            data, self._head = self._head[_HEADER.size :], None
        try:
            self._tar.write(data)
        except TarBroken as error:
            raise DumpBroken(str(error)) from None


def _zstd() -> _Form:
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj(), zstandard.ZstdError, True


def _gzip() -> _Form:
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), zlib.error, False


_FORMS: dict[bytes, Callable[[], _Form]] = {b"DZV1": _zstd, b"DGV1": _gzip}
