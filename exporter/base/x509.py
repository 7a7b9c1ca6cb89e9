"""What monitoring needs of a certificate, read from its DER form.

The standard library decodes only certificates that it verified; the expiry of one that fails verification,
or is accepted without, is exactly what one wants to see.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from exporter.der import SET, content, enter, skip

_VERSION, _UTC_TIME, _GENERALIZED_TIME = 0xA0, 0x17, 0x18
_TIME_FORMATS = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}

_ATTRIBUTES = {
    bytes.fromhex("550403"): "CN",
    bytes.fromhex("550406"): "C",
    bytes.fromhex("550407"): "L",
    bytes.fromhex("550408"): "ST",
    bytes.fromhex("55040a"): "O",
    bytes.fromhex("55040b"): "OU",
}
"""Attributes of a name by their DER object identifier (RFC 4519); others are left out."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate in words. Times are Unix seconds; names read as in ``CN=example.org, O=Example``."""

    subject: str
    issuer: str
    not_before: float
    not_after: float


def not_after(certificate: bytes) -> float:
    """Unix seconds at which a DER certificate expires. Raises ValueError when it is not one."""
    return validity(certificate)[1]


def validity(certificate: bytes) -> tuple[float, float]:
    """Unix seconds from which and until which a DER certificate is valid. Raises ValueError when it is not one."""
    try:
        return _validity(certificate, skip(certificate, _issuer(certificate)))
    except (IndexError, KeyError, ValueError) as error:
        raise ValueError(f"not a certificate: {error}") from None


def read_certificate(certificate: bytes) -> Certificate:
    """A DER certificate. Raises ValueError when it is not one."""
    try:
        issuer = _issuer(certificate)
        at = skip(certificate, issuer)
        start, end = _validity(certificate, at)
        subject = _name(certificate, skip(certificate, at))
        return Certificate(subject, _name(certificate, issuer), start, end)
    except (IndexError, KeyError, ValueError) as error:
        raise ValueError(f"not a certificate: {error}") from None


def _issuer(certificate: bytes) -> int:
    """Where the issuer begins; after it come validity and subject.

    The layout is ``TBSCertificate`` of RFC 5280, section 4.1: version, serial number, signature, issuer, validity and
    subject.
    """
    at, _ = enter(certificate, 0)
    at, _ = enter(certificate, at)
    if certificate[at] == _VERSION:
        at = skip(certificate, at)
    for _ in ("serialNumber", "signature"):
        at = skip(certificate, at)
    return at


def _validity(certificate: bytes, at: int) -> tuple[float, float]:
    start, _ = enter(certificate, at)
    return _time(certificate, start), _time(certificate, skip(certificate, start))


def _time(der: bytes, at: int) -> float:
    start, end = content(der, at)
    text = der[start:end].decode("ascii")
    moment = datetime.strptime(text, _TIME_FORMATS[der[at]]).replace(tzinfo=UTC)
    if der[at] == _UTC_TIME and moment.year >= 2050:  # RFC 5280, 4.1.2.5.1: 50 to 99 are of the last century
        moment = moment.replace(year=moment.year - 100)
    return moment.timestamp()


def _name(der: bytes, at: int) -> str:
    """The attributes of a name that have a short form, in the order of the certificate."""
    parts: list[str] = []
    at, end = enter(der, at)
    while at < end:
        relative, after = enter(der, at, SET)
        inner, _ = enter(der, relative)
        start, stop = content(der, inner)
        key = _ATTRIBUTES.get(der[start:stop])
        if key is not None:
            start, stop = content(der, stop)
            parts.append(f"{key}={der[start:stop].decode('utf-8', 'replace')}")
        at = after
    return ", ".join(parts)
