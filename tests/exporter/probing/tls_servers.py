"""Real servers that begin without TLS and are asked for it: mail, PostgreSQL, LDAP. Each gives its port on loopback."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from tests.exporter.tls import Certificate
from tests.helpers import missing, wait_until
from tests.ports import free_port
from tests.postgres_server import PostgresServer

Served = Callable[[Certificate, Path], AbstractContextManager[int]]


@contextmanager
def smtp(certificate: Certificate, directory: Path) -> Iterator[int]:
    """aiosmtpd."""
    port = free_port()
    controller = Controller(Sink(), hostname="127.0.0.1", port=port, tls_context=certificate.server_context())
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@contextmanager
def dovecot(protocol: str, certificate: Certificate, directory: Path) -> Iterator[int]:
    """Dovecot, of which one protocol listens: ``imap`` or ``pop3``."""
    if os.geteuid() != 0:
        missing("Dovecot starts as root only")
    program = _program("dovecot", f"dovecot-{protocol}d")
    if not Path(f"/usr/lib/dovecot/{protocol}").exists():
        missing(f"Dovecot has no {protocol} (Debian package dovecot-{protocol}d)")
    port = free_port()
    config = directory / "dovecot.conf"
    config.write_text(
        f"""
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/dovecot.log
protocols = {protocol}
listen = 127.0.0.1
ssl = required
ssl_cert = <{certificate.certificate}
ssl_key = <{certificate.key}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={directory}
}}
service {protocol}-login {{
  inet_listener {protocol} {{
    port = {port}
  }}
  inet_listener {protocol}s {{
    port = 0
  }}
}}
"""
    )
    with _running([program, "-F", "-c", str(config)], directory / "out.log"):
        yield port


@contextmanager
def ldap(certificate: Certificate, directory: Path) -> Iterator[int]:
    """OpenLDAP's slapd, without a database. Debian's has TLS by GnuTLS."""
    program = _program("slapd", "slapd")
    config = directory / "slapd.conf"
    config.write_text(
        f"include /etc/ldap/schema/core.schema\npidfile {directory}/slapd.pid\n"
        f"TLSCertificateFile {certificate.certificate}\nTLSCertificateKeyFile {certificate.key}\n"
    )
    port = free_port()
    command = [program, "-f", str(config), "-h", f"ldap://127.0.0.1:{port}", "-d", "0"]
    with _running(command, directory / "out.log"):
        yield port


@contextmanager
def postgres(certificate: Certificate, directory: Path) -> Iterator[int]:
    """PostgreSQL 15. Its key must belong to its user, who may not see what pytest makes."""
    own = Path(tempfile.mkdtemp(dir="/tmp", prefix="pgtls-"))
    try:
        key, chain = own / "key.pem", own / "chain.pem"
        shutil.copy(certificate.key, key)
        shutil.copy(certificate.certificate, chain)
        key.chmod(0o600)
        own.chmod(0o755)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            for path in (key, chain):
                os.chown(path, user.pw_uid, user.pw_gid)
        settings = {"ssl": "on", "ssl_cert_file": str(chain), "ssl_key_file": str(key)}
        server = PostgresServer(own / "server", settings=settings)
        try:
            server.init()
            server.start()
            yield server.port
            log = (server.directory / "log").read_text()
            # Of a connection that is opened and closed it says nothing, and of these neither.
            assert "could not receive data from client" not in log, log
        finally:
            server.close()
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        missing(f"{name} is not installed (Debian package {package})")
    assert found is not None
    return found


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    """A program that stays in the foreground, ended with the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


async def listening(port: int) -> None:
    """Waits until somebody takes connections on the port."""

    async def takes() -> bool:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
        return True

    await wait_until(takes, what=f"port {port}")


SERVERS: Mapping[str, Served] = {
    "smtp": smtp,
    "imap": partial(dovecot, "imap"),
    "pop3": partial(dovecot, "pop3"),
    "postgres": postgres,
    "ldap": ldap,
}
