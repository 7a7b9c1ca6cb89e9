"""TLS of a probe: contexts that are made once, and the certificates of the server, also of one that is refused."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from exporter.base.text import moment
from exporter.base.x509 import Certificate, not_after, read_certificate
from exporter.probing.failure import ProbeFailure, tls_reason
from exporter.probing.recorder import Recorder
from exporter.probing.shared import SharedCalls

_HANDSHAKE, _CERTIFICATE = 22, 11
"""Types of a TLS record and of a message of the handshake (RFC 8446, appendices B.1 and B.3)."""

_not_after = lru_cache(maxsize=64)(not_after)

_Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """What a context is made of. The files are paths; ``protocol`` is what the client offers by ALPN."""

    verify: bool = True
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    protocol: str | None = None

    @property
    def files(self) -> Mapping[str, str]:
        """The files by their key in the config."""
        named = {"tls_ca_file": self.ca_file, "tls_cert_file": self.cert_file, "tls_key_file": self.key_file}
        return {key: path for key, path in named.items() if path is not None}


class Peer(ssl.SSLObject):
    """A connection's TLS that keeps the certificates which the server sends."""

    chain: Sequence[bytes] = ()


_contexts: dict[TlsSettings, tuple[_Stamp, ssl.SSLContext]] = {}
_reads = SharedCalls()


async def tls_context(settings: TlsSettings) -> ssl.SSLContext:
    """The context for these settings, made anew only when one of its files has changed. Raises ProbeFailure.

    Without a ca_file it trusts what the system trusts, so that a private authority installed there is known here. It
    holds nothing of a connection: sessions are not resumed unless they are handed over.
    """
    if not settings.files:
        if settings not in _contexts:
            _contexts[settings] = (), _make(settings)
        return _contexts[settings][1]
    return await _reads.run(settings, partial(_current, settings))


def _current(settings: TlsSettings) -> ssl.SSLContext:
    stamp = tuple(_stamp(key, path) for key, path in settings.files.items())
    known = _contexts.get(settings)
    if known is None or known[0] != stamp:
        known = _contexts[settings] = stamp, _make(settings)
    return known[1]


def _stamp(key: str, path: str) -> tuple[int, int, int]:
    try:
        found = Path(path).stat()
    except OSError as error:
        raise ProbeFailure(f"{key} cannot be read: {error.strerror}") from None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _make(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif settings.ca_file is None:
        context.load_default_certs()
    else:
        _load("tls_ca_file", partial(context.load_verify_locations, settings.ca_file))
    if settings.cert_file is not None:
        # Without the empty answer, OpenSSL would ask the terminal for the passphrase of an encrypted key.
        _load("tls_cert_file", partial(context.load_cert_chain, settings.cert_file, settings.key_file, lambda: ""))
    if settings.protocol is not None:
        context.set_alpn_protocols([settings.protocol])
    context.sslobject_class = Peer
    if hasattr(context, "_msg_callback"):
        context._msg_callback = _keep_chain
    return context


def _load(key: str, load: Any) -> None:
    try:
        load()
    except ssl.SSLError as error:
        raise ProbeFailure(f"{key} does not hold what it should: {tls_reason(error)}") from None
    except OSError as error:
        raise ProbeFailure(f"{key} cannot be read: {error.strerror}") from None


def _keep_chain(peer: ssl.SSLObject, direction: str, version: int, record: int, message: int, data: bytes) -> None:
    """Takes the certificates from the server's message itself.

    The standard library hands out those of a connection whose handshake succeeded, and before Python 3.13 only the
    server's own. The expiry of a certificate that was refused is exactly what one wants to see, and asking for it a
    second time, without verification, would double what a failing probe costs. Where Python has no such callback, there
    is nothing to see of a refused one.
    """
    if direction == "read" and record == _HANDSHAKE and message == _CERTIFICATE and isinstance(peer, Peer):
        peer.chain = parse_certificate_message(data, tls13=version >= ssl.TLSVersion.TLSv1_3)


def parse_certificate_message(data: bytes, tls13: bool) -> Sequence[bytes]:
    """The DER certificates of a Certificate message with its header of four bytes; none when it is not well formed.

    Layout: RFC 5246, section 7.4.2; RFC 8446, section 4.4.2, which adds a context before and extensions after each.
    """
    at = 4
    if tls13:
        at += 1 + (data[at] if len(data) > at else 0)
    at += 3
    found: list[bytes] = []
    while at + 3 <= len(data):
        end = at + 3 + int.from_bytes(data[at : at + 3])
        if end > len(data):
            return ()
        found.append(data[at + 3 : end])
        at = end
        if tls13:
            at += 2 + int.from_bytes(data[at : at + 2])
    return found


def earliest_expiry(chain: Sequence[bytes]) -> float | None:
    """Unix seconds at which the first of the certificates expires; None when there is none that can be read."""
    moments: list[float] = []
    for certificate in chain:
        try:
            moments.append(_not_after(certificate))
        except ValueError:
            continue
    return min(moments, default=None)


def chain_of(tls: ssl.SSLObject) -> Sequence[bytes]:
    """The certificates that the server sent, its own first, in DER form; none before it sent them."""
    if isinstance(tls, Peer) and tls.chain:
        return tls.chain
    try:
        own = tls.getpeercert(binary_form=True)
    except ValueError:  # the handshake did not succeed
        own = None
    return [own] if own else ()


def note_chain(recorder: Recorder, tls: ssl.SSLObject, verification: str) -> None:
    """Notes what was agreed on, and each certificate of the recorder's chain. verification: how it went, in words."""
    if not recorder.detailed:
        return
    cipher = tls.cipher()
    recorder.note("tls", version=tls.version(), cipher=cipher[0] if cipher else None, verification=verification)
    for place, der in enumerate(recorder.chain):
        try:
            facts = _facts(read_certificate(der))
        except ValueError:
            facts = {"problem": "cannot be read"}
        recorder.note("certificate", place=place, **facts)


def _facts(found: Certificate) -> Mapping[str, object]:
    return {
        "subject": found.subject,
        "issuer": found.issuer,
        "not_before": moment(found.not_before),
        "not_after": moment(found.not_after),
    }
