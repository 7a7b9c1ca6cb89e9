"""Server-side TLS contexts: made from what a file says, and exchanged while a server listens."""

import ipaddress
import os
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporter.base.errors import UpkeeperError
from exporter.base.x509 import validity
from exporter.web.tls_names import OPENSSL_CURVES, tls12_ciphers
from exporter.web.web_config import TlsServerConfig

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_POLICIES = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_MISMATCH = {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"}
"""The last where the two are of different kinds: OpenSSL keeps an RSA pair and an EC pair apart."""
_WEAK = {"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"}


_PLAIN_HTTP = (
    b'{"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "this port uses TLS: use https"}'
)
_ANSWER_TO_PLAIN_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(_PLAIN_HTTP), _PLAIN_HTTP)
)


class TlsProblem(UpkeeperError):
    """Pem that TLS cannot be served with. The message never holds any of it.

    key: the part of the config that is to blame, ``cert``, ``key`` or ``client_ca``.
    """

    def __init__(self, key: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.hint = hint


@dataclass(frozen=True)
class Pem:
    """PEM as it was read. client_ca: None without client certificates."""

    cert: bytes = field(repr=False)
    key: bytes = field(repr=False)
    client_ca: bytes | None = field(default=None, repr=False)


class ServerContext(ssl.SSLContext):
    """A context with what the ssl module has no place for."""

    allowed_sans: frozenset[str] = frozenset()
    """Names of which a client's certificate must have one; empty for any."""
    failed: Callable[[], None] = staticmethod(lambda: None)
    """Called for each handshake that failed by what the client sent."""
    clients: object = None
    """What is asked of clients; another value means other clients."""


class _Connection(ssl.SSLObject):
    """One connection. Its handshake also checks the names in the client's certificate, and says why it failed."""

    outgoing: ssl.MemoryBIO
    _failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        if self._failure is not None:
            raise self._failure
        context = self.context
        assert isinstance(context, ServerContext)
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            context.failed()
            if error.reason == "HTTP_REQUEST":
                self.outgoing.read()
                self.outgoing.write(_ANSWER_TO_PLAIN_HTTP)
            if not self.outgoing.pending:
                raise
            # asyncio would hang up and not send what there is to say first, such as the alert that tells the client
            # what is wrong with its certificate. It sends it when it is told to wait for the client; the connection
            # ends with the client's next byte, its end, or the time for the handshake.
            self._failure = error
            raise ssl.SSLWantReadError from None
        if context.allowed_sans and context.allowed_sans.isdisjoint(_sans(self.getpeercert())):
            context.failed()
            raise ssl.SSLCertVerificationError("no name of the client's certificate is in client_allowed_sans")


class Handshakes(ssl.SSLContext):
    """Stands for the context in force: each new connection gets the one of its moment.

    ``sni_callback`` would not do: of a context that it puts in the place of another only the certificate counts, and
    not the versions, the ciphers and what is asked of clients (SSL_set_SSL_CTX(3)).
    """

    current: ServerContext

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        connection = self.current.wrap_bio(incoming, outgoing, *args, **kwargs)
        assert isinstance(connection, _Connection)
        connection.outgoing = outgoing
        return connection


def handshakes(context: ServerContext) -> Handshakes:
    """The stand-in for a context, which can be exchanged by assigning to ``current``."""
    stand_in = Handshakes(ssl.PROTOCOL_TLS_SERVER)
    stand_in.current = context
    return stand_in


def build_context(settings: TlsServerConfig, inputs: Pem) -> ServerContext:
    """A context that a server can use. Raises TlsProblem; never asks for the passphrase of a key."""
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _Connection
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    if settings.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.minimum_version = _VERSIONS[settings.min_version]
    context.maximum_version = _VERSIONS[settings.max_version]
    if ciphers := tls12_ciphers(settings.cipher_suites):
        context.set_ciphers(":".join(ciphers))
    for curve in settings.curve_preferences:
        context.set_ecdh_curve(OPENSSL_CURVES[curve])
    _load_pair(context, inputs)
    context.verify_mode = _POLICIES[settings.client_auth_type]
    if inputs.client_ca is not None:
        _load_authorities(context, inputs.client_ca)
    context.allowed_sans = frozenset(map(_canonical, settings.client_allowed_sans))
    context.clients = (settings.client_auth_type, context.allowed_sans, inputs.client_ca)
    return context


def certificate_validity(pem: bytes) -> tuple[float, float]:
    """Unix seconds from which and until which the first certificate is valid. Raises TlsProblem."""
    return _validity("cert", pem)


def _validity(key: str, pem: bytes) -> tuple[float, float]:
    first = _CERTIFICATE.search(pem)
    if first is None:
        hint = "it must hold PEM, with a line -----BEGIN CERTIFICATE-----"
        raise TlsProblem(key, "holds no certificate", hint)
    try:
        return validity(ssl.PEM_cert_to_DER_cert(first.group().decode("ascii")))
    except ValueError:  # also of base64 and of what is not ASCII
        raise TlsProblem(key, "contains something that is not a certificate") from None


def _load_pair(context: ssl.SSLContext, inputs: Pem) -> None:
    """From memory, so that certificate and key are those that were read, at one moment, and nothing is written."""
    certificate_validity(inputs.cert)
    if b"PRIVATE KEY-----" not in inputs.key:
        raise TlsProblem("key", "holds no private key", "it must hold PEM, with a line -----BEGIN PRIVATE KEY-----")
    try:
        with _as_files(inputs.cert, inputs.key) as (cert, key):
            context.load_cert_chain(cert, key, password=_no_passphrase)
    except _Encrypted:
        hint = "write it without: openssl pkey -in ENCRYPTED -out PLAIN"
        raise TlsProblem("key", "is encrypted with a passphrase, which cannot be entered", hint) from None
    except ssl.SSLError as error:
        if error.reason in _MISMATCH:
            hint = "renew both; until they match, nothing is changed"
            raise TlsProblem("key", "is not the key of the certificate", hint) from None
        if error.reason in _WEAK:
            raise TlsProblem("cert", f"is too weak for OpenSSL ({error.reason})", "make a new one") from None
        raise TlsProblem("key", f"cannot be used with the certificate ({error.reason or 'not PEM'})") from None


def _load_authorities(context: ssl.SSLContext, pem: bytes) -> None:
    _validity("client_ca", pem)
    try:
        context.load_verify_locations(cadata=b"\n".join(_CERTIFICATE.findall(pem)).decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise TlsProblem("client_ca", "contains something that is not a certificate") from None


class _Encrypted(Exception):
    """A key needs a passphrase."""


def _no_passphrase() -> str:
    raise _Encrypted


@contextmanager
def _as_files(*contents: bytes) -> Iterator[Sequence[Path]]:
    """Paths, within the block, under which the contents can be read by this process: OpenSSL takes nothing else."""
    descriptors = [os.memfd_create("upkeeper-tls", os.MFD_CLOEXEC) for _ in contents]
    try:
        for descriptor, content in zip(descriptors, contents, strict=True):
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(content)
        yield [Path(f"/proc/self/fd/{descriptor}") for descriptor in descriptors]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _sans(certificate: Any) -> Iterator[str]:
    """The subject alternative names of a certificate in the ssl module's form."""
    for _, value in (certificate or {}).get("subjectAltName", ()):
        yield _canonical(str(value))


def _canonical(name: str) -> str:
    """An IP address in its one short form, which OpenSSL does not use; any other name as it is."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name
