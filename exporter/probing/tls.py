"""TLS of a probe: contexts that are made once, and the certificates of the server, also of one that is refused."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from exporter.base.text import format_time
from exporter.base.x509 import Certificate, not_after, read_certificate
from exporter.probing.failure import ProbeFailure, tls_reason
from exporter.probing.recorder import Recorder
from exporter.probing.shared_calls import SharedCalls

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


_contexts: dict[TlsSettings, tuple[_Stamp, ssl.SSLContext]] = {}
_reads = SharedCalls()


async def tls_context(settings: TlsSettings) -> ssl.SSLContext:
    """The context for these settings, rebuilt only when one of its files has changed. Raises ProbeFailure.

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
        context.load_default_certs()  # so that OpenSSL knows where a chain ends, though it may end anywhere
    elif settings.ca_file is None:
        context.load_default_certs()
    else:
        _load("tls_ca_file", partial(context.load_verify_locations, settings.ca_file))
    if settings.cert_file is not None:
        # Without the empty answer, OpenSSL would ask the terminal for the passphrase of an encrypted key.
        _load("tls_cert_file", partial(context.load_cert_chain, settings.cert_file, settings.key_file, lambda: ""))
    if settings.protocol is not None:
        context.set_alpn_protocols([settings.protocol])
    return context


def _load(key: str, load: Any) -> None:
    try:
        load()
    except ssl.SSLError as error:
        raise ProbeFailure(f"{key} does not hold what it should: {tls_reason(error)}") from None
    except OSError as error:
        raise ProbeFailure(f"{key} cannot be read: {error.strerror}") from None


def earliest_expiry(chain: Sequence[bytes]) -> float | None:
    """Unix seconds at which the first of the certificates expires; None when none can be read."""
    moments: list[float] = []
    for certificate in chain:
        try:
            moments.append(_not_after(certificate))
        except ValueError:
            continue
    return min(moments, default=None)


def sent_by(tls: ssl.SSLObject) -> Sequence[bytes]:
    """The certificates that the server sent, its own first, in DER form; none before it sent them."""
    return _chain(tls, "get_unverified_chain")


def chain_of(tls: ssl.SSLObject) -> Sequence[bytes]:
    """The chain from the server's own certificate to a root, as OpenSSL found it, in DER form.

    What else the server sent is left out, and the root that this machine trusts is there though it was not sent.
    Of a connection that was refused, or need not verify, it goes as far as OpenSSL came.
    """
    return _chain(tls, "get_verified_chain") or sent_by(tls)[:1]


def _chain(tls: ssl.SSLObject, method: str) -> Sequence[bytes]:
    """Public since Python 3.13 (``SSLObject.get_verified_chain``); there under the same name in ``_ssl`` since 3.10.

    Both answer of a refused handshake too: SSL_get0_verified_chain(3) has what the verification had built.
    """
    if hasattr(tls, method):
        chain: Sequence[bytes] = getattr(tls, method)()
        return chain
    inner: Any = getattr(tls, "_sslobj", None)
    found = getattr(inner, method)() if hasattr(inner, method) else None
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in found or ()]


def note_chain(recorder: Recorder, tls: ssl.SSLObject, verification: str) -> None:
    """Notes what was agreed on, and each certificate that the server sent. verification: how it went, in words."""
    if not recorder.detailed:
        return
    cipher = tls.cipher()
    recorder.note("tls", version=tls.version(), cipher=cipher[0] if cipher else None, verification=verification)
    for place, der in enumerate(recorder.sent):
        try:
            facts = _facts(read_certificate(der))
        except ValueError:
            facts = {"problem": "cannot be read"}
        recorder.note("certificate", place=place, of_chain=der in recorder.chain, **facts)


def _facts(found: Certificate) -> Mapping[str, object]:
    return {
        "subject": found.subject,
        "issuer": found.issuer,
        "not_before": format_time(found.not_before),
        "not_after": format_time(found.not_after),
    }
