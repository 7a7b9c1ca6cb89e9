"""Elements of DER and BER (X.690), as far as certificates and LDAP need them. Each function takes where one begins.

They raise IndexError when the bytes end before the element does, and ValueError when it is another than expected.
"""

SEQUENCE, SET = 0x30, 0x31


def content(der: bytes, at: int) -> tuple[int, int]:
    """Start and end of the content of the element at ``at`` (X.690, section 8.1.3)."""
    length = der[at + 1]
    start = at + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(der[start : start + size])
        start += size
    if start + length > len(der):
        raise IndexError("cut off")
    return start, start + length


def skip(der: bytes, at: int) -> int:
    """Where the element at ``at`` ends."""
    return content(der, at)[1]


def enter(der: bytes, at: int, tag: int = SEQUENCE) -> tuple[int, int]:
    """As content, of an element that must have this tag."""
    if der[at] != tag:
        raise ValueError(f"no {'set' if tag == SET else 'sequence'} at byte {at}")
    return content(der, at)
