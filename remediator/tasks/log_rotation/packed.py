"""Which files are compressed already, by name and by content. Pure.

A compressed file is no log, whatever a wide pattern such as ``*.log*`` says: nobody appends lines to it, and packing
it a second time gains nothing.
"""

import re

_ENDINGS = (
    "gz", "bz2", "xz", "zst", "lz4", "zip", "Z", "7z", "lzma", "br", "sz", "lz", "lzo", "rar", "zlib", "snappy",
    "tgz", "tbz", "tbz2", "txz", "tzst", "taz", "tlz", "bz", "zstd", "gzip", "cab", "arj", "zz",
    "lrz", "rz", "zpaq", "gpg", "pgp", "rpm", "wim",
)  # fmt: skip
HEAD = 10
"""Bytes of a file's beginning that ``is_packed`` looks at."""

_NAME = re.compile(rf".*\.(?:{'|'.join(_ENDINGS)})", re.DOTALL | re.IGNORECASE)
# RFC 1952 and 8878, the xz, lz4, lzip and snappy (framing) format documents, APPNOTE.TXT, 7zFormat.txt.
_CONTENT = re.compile(
    rb"\x1f[\x8b\x9d\xa0\x1e]"  # gzip, compress, and pack's
    rb"|BZh[1-9](?:1AY&SY|\x17rE8P\x90)"
    rb"|\xfd7zXZ\0"
    rb"|(?:\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18)"  # zstd, and what may stand before it
    rb"|(?:\x04\x22\x4d\x18|\x02\x21\x4c\x18)"  # lz4
    rb"|PK(?:\x03\x04|\x05\x06|\x07\x08)"
    rb"|7z\xbc\xaf\x27\x1c"
    rb"|\x5d\0\0[\0-\xff]{2}"  # lzma
    rb"|LZIP[\0\x01]"
    rb"|\x89LZO\0\r\n"
    rb"|\xff\x06\0\0sNaPpY"
    rb"|Rar!\x1a\x07"
    rb"|LRZI\0|\xed\xab\xee\xdb|MSWIM\0\0\0"  # lrzip, rpm, wim
)


def has_packed_name(name: str) -> bool:
    """Whether a file of this name is compressed by what it is called."""
    return _NAME.fullmatch(name) is not None


def is_packed(head: bytes) -> bool:
    """Whether a file that begins so is compressed. brotli has no mark of its own."""
    return _CONTENT.match(head) is not None
