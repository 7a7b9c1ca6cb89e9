"""Certificates for tests, made by the openssl program."""

import ssl
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.helpers import require_program


@dataclass(frozen=True)
class Certificate:
    """A certificate for localhost and 127.0.0.1 with its key."""

    certificate: Path
    """Of the server, then those of its issuers that it sends too."""
    key: Path
    not_after: float
    """Unix seconds, by openssl's word; of the first certificate in the file."""

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def beside(self, *others: Path) -> "Certificate":
        """The same, of a server that sends these certificates along."""
        together = self.certificate.with_name(f"{self.certificate.stem}-{'-'.join(one.stem for one in others)}.crt")
        together.write_text("".join(one.read_text() for one in (self.certificate, *others)))
        return Certificate(together, self.key, self.not_after)

    def der(self) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self.certificate.read_text())


def make_certificate(directory: Path, days: int = 30, name: str = "localhost") -> Certificate:
    """A new self-signed certificate that expires in so many days, its subject ``CN=NAME``."""
    certificate, key = directory / f"{days}.crt", directory / f"{days}.key"
    _openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", key, "-out", certificate, "-days", days, "-subj", f"/CN={name}",
        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
    )  # fmt: skip
    return Certificate(certificate, key, _not_after(certificate))


class Authority:
    """A certificate authority of its own directory, which must not exist yet. name: of its subject."""

    def __init__(self, directory: Path, name: str = "localhost") -> None:
        directory.mkdir()
        self.directory = directory
        self.config = directory / "ca.cnf"
        self.config.write_text(_CONFIG.format(directory=directory))
        (directory / "index.txt").touch()
        (directory / "serial").write_text("01")
        root = make_certificate(directory, name=name)
        self.name = name
        self.certificate, self._key = root.certificate, root.key

    def issue(self, name: str, days: float, *, through_days: float | None = None) -> Certificate:
        """A certificate that expires in so many days; in fewer than none, it did already.

        through_days: by way of an authority in between, which the server sends too, and which expires in so many days.
        """
        if through_days is None:
            made = self._sign(name, "leaf", days, self.certificate, self._key)
            return Certificate(made, made.with_suffix(".key"), _not_after(made))
        between = self._sign(f"{name}-between", "authority", through_days, self.certificate, self._key)
        made = self._sign(name, "leaf", days, between, between.with_suffix(".key"))
        made.write_text(made.read_text() + between.read_text())
        return Certificate(made, made.with_suffix(".key"), _not_after(made))

    def cross_sign(self, other: "Authority", days: float) -> Path:
        """The other's root certificate, of the same name and key, but issued by this one, in a file."""
        request = self.directory / f"{other.name}.csr"
        _openssl("req", "-new", "-key", other._key, "-subj", f"/CN={other.name}", "-out", request)
        return self._issue(request, "authority", days, self.certificate, self._key)

    def _sign(self, name: str, kind: str, days: float, issuer: Path, key: Path) -> Path:
        request = self.directory / f"{name}.csr"
        _openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
            "-keyout", request.with_suffix(".key"), "-out", request,
        )  # fmt: skip
        return self._issue(request, kind, days, issuer, key)

    def _issue(self, request: Path, kind: str, days: float, issuer: Path, key: Path) -> Path:
        made = request.with_suffix(".crt")
        end = datetime.now(UTC) + timedelta(days=days)
        start = min(end, datetime.now(UTC)) - timedelta(days=1)
        _openssl(
            "ca", "-batch", "-notext", "-config", self.config, "-extensions", kind, "-cert", issuer, "-keyfile", key,
            "-startdate", f"{start:%Y%m%d%H%M%SZ}", "-enddate", f"{end:%Y%m%d%H%M%SZ}", "-in", request, "-out", made,
        )  # fmt: skip
        return made


_CONFIG = """
[ca]
default_ca = default
[default]
database = {directory}/index.txt
serial = {directory}/serial
new_certs_dir = {directory}
default_md = sha256
policy = policy
unique_subject = no
[policy]
commonName = supplied
[leaf]
subjectAltName = DNS:localhost, IP:127.0.0.1
[authority]
basicConstraints = critical, CA:true
keyUsage = keyCertSign
"""


def _openssl(*arguments: object) -> str:
    openssl = require_program("openssl", "openssl")
    done = subprocess.run([openssl, *map(str, arguments)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _not_after(certificate: Path) -> float:
    shown = _openssl("x509", "-in", certificate, "-noout", "-enddate")
    return ssl.cert_time_to_seconds(shown.strip().removeprefix("notAfter="))
