"""Certificates for tests, made by the openssl program."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.helpers import require_program


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for localhost and 127.0.0.1 with its key."""

    certificate: Path
    key: Path
    not_after: float
    """Unix seconds, by openssl's word."""

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def der(self) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self.certificate.read_text())


def make_certificate(directory: Path, days: int = 30) -> Certificate:
    """A new certificate that expires in so many days."""
    openssl = require_program("openssl", "openssl")
    certificate, key = directory / f"{days}.crt", directory / f"{days}.key"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", str(key), "-out", str(certificate), "-days", str(days), "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    shown = subprocess.run(
        [openssl, "x509", "-in", str(certificate), "-noout", "-enddate"], check=True, capture_output=True, text=True
    ).stdout
    return Certificate(certificate, key, ssl.cert_time_to_seconds(shown.strip().removeprefix("notAfter=")))
