"""A dump of neo4j-admin is read to its last byte: what it does not hold, its header's word is not taken for.

The form was seen of 5.26.19, whose real dumps the long form of tests/remediator/tasks/backup/test_neo4j_dump.py reads.
"""

import io
import random
import struct
import tarfile
import zlib
from collections.abc import Callable

import pytest
import zstandard

from remediator.neo4jdump.admin_dump import DumpBroken, DumpStream, DumpUnknown
from tests.helpers import rounds

SEED = 7


def tar(count: int = 12) -> tuple[bytes, int]:
    rng = random.Random(SEED)
    buffer = io.BytesIO()
    sizes = [rng.randrange(5000) for _ in range(count)]
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as file:
        for number, size in enumerate(sizes):
            member = tarfile.TarInfo(f"neostore.{number}")
            member.size = size
            file.addfile(member, io.BytesIO(rng.randbytes(size)))
    return buffer.getvalue(), sum(sizes)


def zstd(*, size_said: int | None = None, packed: Callable[[bytes], bytes] | None = None) -> bytes:
    inner, size = tar()
    whole = struct.pack(">4siqq", b"zstd", 1, 12, size if size_said is None else size_said) + inner
    frame = packed or zstandard.ZstdCompressor(write_checksum=True).compress
    return b"DZV1" + frame(whole)


def gzip() -> bytes:
    inner, _ = tar()
    packer = zlib.compressobj(wbits=31)
    return b"DGV1" + packer.compress(inner) + packer.flush()


def read(data: bytes, piece: int = 1000) -> DumpStream:
    seen = DumpStream()
    for start in range(0, len(data), piece):
        seen.write(data[start : start + piece])
    seen.finish()
    return seen


@pytest.mark.parametrize("piece", [1, 3, 4, 5, 777, 10**6])
def test_of_either_form_files_and_bytes_are_known(piece: int) -> None:
    size = tar()[1]
    for dump in (zstd(), gzip()):
        seen = read(dump, piece)
        assert (seen.files, seen.bytes) == (12, size)


@pytest.mark.parametrize(("dump", "says_nothing"), [(zstd(), range(8, 10)), (gzip(), range(8, 14))])
def test_any_byte_and_any_cut_is_found(dump: bytes, says_nothing: range) -> None:
    """But in the head of the compressed stream, where bytes say nothing of what is in it (RFC 1952, RFC 8878)."""
    rng = random.Random(SEED)
    for at in [*range(20), *(rng.randrange(20, len(dump)) for _ in range(rounds("DUMP_DAMAGE", 60, 5000)))]:
        broken = dump[:at] + bytes([dump[at] ^ (1 << rng.randrange(8))]) + dump[at + 1 :]
        if at not in says_nothing:
            with pytest.raises((DumpBroken, DumpUnknown)):
                read(broken)
        with pytest.raises((DumpBroken, DumpUnknown)):
            read(dump[:at])
    for more in (b"\0", dump):
        with pytest.raises(DumpBroken, match="goes on after its end"):
            read(dump + more)


def test_what_is_no_dump_or_lies_is_told() -> None:
    with pytest.raises(DumpBroken, match="where its header says 1"):
        read(zstd(size_said=1))
    with pytest.raises(DumpUnknown, match="compressed in a way"):
        read(b"XXXX" + zstd()[4:])
    with pytest.raises(DumpUnknown, match="a header that"):
        read(b"DZV1" + zstandard.ZstdCompressor().compress(b"x" * 100))
    with pytest.raises(DumpBroken, match="ends early"):
        read(b"")
