"""Bodies that a server compressed though it was asked not to. Pure."""

import zlib
from collections.abc import Callable, Sequence

from exporter.base.errors import UpkeeperError

_MOST_CODINGS = 2
"""More at a time means nothing, and each could unfold what the one before made."""


class CannotUnpack(UpkeeperError):
    """The body cannot be read. The message continues "the body", and quotes nothing of it."""


def unpack(body: bytes, codings: Sequence[str], limit: int) -> bytes:
    """The body without its content codings (RFC 9110, section 8.4.1), and no more of it than ``limit`` bytes.

    codings: in the order in which they were applied, as Content-Encoding has them. A body that ends too soon gives what
    it holds, as it may have been cut by whoever read it. Raises CannotUnpack.
    """
    wanted = [coding for coding in (coding.strip().lower() for coding in codings) if coding not in ("", "identity")]
    if not body or not wanted:
        return body
    if len(wanted) > _MOST_CODINGS:
        raise CannotUnpack(f"is compressed {len(wanted)} times over")
    for coding in reversed(wanted):
        if coding not in _UNPACKERS:
            raise CannotUnpack("is compressed in a way that nobody asked for, and that is neither gzip nor deflate")
        try:
            body = _UNPACKERS[coding](body, limit)
        except zlib.error:
            raise CannotUnpack(f"is not the {coding} that it says it is") from None
    return body


def _gunzip(body: bytes, limit: int) -> bytes:
    """All members of a gzip file one after the other (RFC 1952)."""
    unpacked = bytearray()
    while body and len(unpacked) < limit:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        unpacked += member.decompress(body, limit - len(unpacked))
        body = member.unused_data
    return bytes(unpacked)


def _inflate(body: bytes, limit: int) -> bytes:
    """The zlib format, and what many servers send in its place: bare deflate (RFC 9110, section 8.4.1.2)."""
    try:
        return zlib.decompressobj().decompress(body, limit)
    except zlib.error:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(body, limit)


_UNPACKERS: dict[str, Callable[[bytes, int], bytes]] = {"gzip": _gunzip, "x-gzip": _gunzip, "deflate": _inflate}
