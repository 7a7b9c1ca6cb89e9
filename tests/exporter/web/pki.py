"""A directory with every kind of certificate that the tests need, made by the openssl program."""

import subprocess
from pathlib import Path

from tests.helpers import require_program

_EC = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
_NAMES = "DNS:localhost,IP:127.0.0.1"
CLIENT_NAMES = "DNS:scraper.example,IP:10.1.2.3,IP:2001:db8::7,URI:spiffe://example/scraper,email:ops@example"


def make(directory: Path) -> Path:
    """Makes these, each with its ``.key``, and returns the directory.

    ``ca.pem``, and by it ``server.pem``, ``renewed.pem``, ``rsa.pem``, ``expired.pem``, ``client.pem`` and
    ``expired-client.pem``; ``other-ca.pem``, and by it ``stranger.pem``; ``weak.pem``. Also ``encrypted.key``.
    """
    for authority in ("ca", "other-ca"):
        _openssl(directory, "req", "-x509", "-newkey", *_EC, "-nodes", "-keyout", f"{authority}.key",
                 "-out", f"{authority}.pem", "-days", "30", "-subj", f"/CN={authority}",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    issue(directory, "server")
    issue(directory, "renewed", days=60)
    issue(directory, "rsa", kind=("rsa:2048",))
    issue(directory, "expired", days=-1)
    issue(directory, "client", names=CLIENT_NAMES)
    issue(directory, "expired-client", names=CLIENT_NAMES, days=-1)
    issue(directory, "stranger", names=CLIENT_NAMES, authority="other-ca")
    _openssl(directory, "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", "weak.key", "-out", "weak.pem",
             "-days", "30", "-subj", "/CN=weak")  # fmt: skip
    _openssl(directory, "pkey", "-in", "server.key", "-aes256", "-passout", "pass:secret", "-out", "encrypted.key")
    (directory / "empty.pem").touch()
    (directory / "junk.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    return directory


def issue(
    directory: Path,
    name: str,
    *,
    names: str = _NAMES,
    days: int = 30,
    authority: str = "ca",
    kind: tuple[str, ...] = _EC,
) -> None:
    """A certificate by an authority of the directory, and its key. days: -1 makes one that has expired."""
    _openssl(directory, "req", "-new", "-newkey", *kind, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
             "-subj", f"/CN={name}")  # fmt: skip
    # What Python 3.13 asks of a certificate (VERIFY_X509_STRICT).
    extensions = (
        f"basicConstraints=CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nsubjectAltName={names}\n"
    )
    (directory / f"{name}.ext").write_text(extensions)
    _openssl(directory, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
             "-CAcreateserial", "-extfile", f"{name}.ext", "-days", str(days), "-out", f"{name}.pem")  # fmt: skip


def _openssl(directory: Path, *arguments: str) -> None:
    program = require_program("openssl", "openssl")
    done = subprocess.run([program, *arguments], cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
