"""What monitoring needs of a certificate, read from its DER form: from when to when it is valid.

The standard library decodes only certificates that it verified; the expiry of one that fails verification,
or is accepted without, is exactly what one wants to see.
"""

from datetime import UTC, datetime

_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_TIME_FORMATS = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}


def not_after(certificate: bytes) -> float:
    """Unix seconds at which a DER certificate expires. Raises ValueError when it is not one."""
    return validity(certificate)[1]


def validity(certificate: bytes) -> tuple[float, float]:
    """Unix seconds from which and until which a DER certificate is valid. Raises ValueError when it is not one.

    The layout is ``TBSCertificate`` of RFC 5280, section 4.1: version, serial number, signature, issuer, validity.
    """
    try:
        at, _ = _enter(certificate, 0)
        at, _ = _enter(certificate, at)
        if certificate[at] == _VERSION:
            at = _skip(certificate, at)
        for _ in ("serialNumber", "signature", "issuer"):
            at = _skip(certificate, at)
        at, _ = _enter(certificate, at)
        return _time(certificate, at), _time(certificate, _skip(certificate, at))
    except (IndexError, KeyError, ValueError) as error:
        raise ValueError(f"not a certificate: {error}") from None


def _time(der: bytes, at: int) -> float:
    start, end = _content(der, at)
    moment = datetime.strptime(der[start:end].decode("ascii"), _TIME_FORMATS[der[at]]).replace(tzinfo=UTC)
    if der[at] == _UTC_TIME and moment.year >= 2050:  # RFC 5280, 4.1.2.5.1: 50 to 99 are of the last century
        moment = moment.replace(year=moment.year - 100)
    return moment.timestamp()


def _content(der: bytes, at: int) -> tuple[int, int]:
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


def _skip(der: bytes, at: int) -> int:
    return _content(der, at)[1]


def _enter(der: bytes, at: int) -> tuple[int, int]:
    if der[at] != _SEQUENCE:
        raise ValueError(f"no sequence at byte {at}")
    return _content(der, at)
