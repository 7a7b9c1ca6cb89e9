"""A private Neo4j server: its own directory and ports, ended by its process id."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import neo4j
import neo4j.exceptions

from tests.docker_leftovers import is_stopped
from tests.helpers import require_program
from tests.neo4j_server.jars import Release, jars, java
from tests.ports import free_port

START_SECONDS = 120.0
STOP_SECONDS = 30.0
USERNAME = "neo4j"
PASSWORD = "pass-of-the-tests"

_OPEN = ("java.nio", "java.io", "sun.nio.ch", "java.util.concurrent")
"""Packages of java.base that the server reaches into."""

_SETTINGS = """\
server.bolt.enabled=true
server.bolt.listen_address=127.0.0.1:{port}
server.bolt.advertised_address=127.0.0.1:{port}
server.http.enabled=false
server.memory.pagecache.size=32m
db.tx_log.preallocate=false
dbms.security.auth_enabled=true
dbms.usage_report.enabled=false
"""

_TLS = """\
server.bolt.tls_level=OPTIONAL
dbms.ssl.policy.bolt.enabled=true
dbms.ssl.policy.bolt.base_directory={directory}
dbms.ssl.policy.bolt.private_key=key.pem
dbms.ssl.policy.bolt.public_certificate=certificate.pem
dbms.ssl.policy.bolt.client_auth=NONE
"""


class Neo4jServer:
    """A Neo4j Community server under one directory. Made stopped; start() starts it, close() ends and removes it.

    Its user is USERNAME with PASSWORD. Release 5 also speaks TLS on the same port: ``authority`` is the file to trust.
    """

    def __init__(self, directory: Path, release: Release) -> None:
        self.directory = directory
        self.release = release
        self.port = free_port()
        self.authority = directory / "tls" / "certificate.pem"
        self._process: subprocess.Popen[bytes] | None = None
        self._driver: neo4j.Driver | None = None
        self._password_set = False

    @property
    def uri(self) -> str:
        return f"bolt://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.directory / "data"

    @property
    def pid(self) -> int:
        assert self._process is not None, "this server was not started"
        return self._process.pid

    def start(self, *, cold: bool = False) -> None:
        """Starts the server, on the data of the last start if there was one, and returns when its databases are online.

        cold: return as soon as it lets its user in, before it has planned its first query.
        """
        if not (self.directory / "conf").exists():
            self._lay()
        command = [str(java(self.release)), *self._options(), *self._main()]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [require_program("setpriv", "util-linux"), "--pdeathsig=KILL", "--", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._await(cold)

    def run(self, query: str, database: str = "neo4j", **parameters: Any) -> list[dict[str, Any]]:
        """The rows that a query gives."""
        if self._driver is None:
            self._driver = neo4j.GraphDatabase.driver(self.uri, auth=(USERNAME, PASSWORD))
        with self._driver.session(database=database) as session:
            return [dict(record) for record in session.run(query, parameters)]  # type: ignore[arg-type]

    def kill(self) -> None:
        """Ends the server as a crash would. The data stays."""
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        """Ends the server in an orderly way. The data stays."""
        self._end(signal.SIGTERM)

    def close(self) -> None:
        """Ends the server and removes its directory."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    @contextlib.contextmanager
    def hung(self) -> Iterator[None]:
        """Within the block the kernel accepts connections for the server, and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            while not is_stopped(self.pid):
                time.sleep(0.01)
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def _lay(self) -> None:
        for name in ("conf", "plugins", "tls"):
            (self.directory / name).mkdir(parents=True)
        settings = _SETTINGS.format(port=self.port)
        if not self.release.compiler:
            self._make_certificate()
            settings += _TLS.format(directory=self.directory / "tls")
            settings += "dbms.security.procedures.unrestricted=apoc.warmup.*\n"
            for plugin in jars(self.release).glob("apoc-core-*.jar"):
                shutil.copy(plugin, self.directory / "plugins")
        (self.directory / "conf" / "neo4j.conf").write_text(settings)

    def _make_certificate(self) -> None:
        subprocess.run(
            [require_program("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", self.directory / "tls" / "key.pem", "-out", self.authority],
            check=True, capture_output=True,
        )  # fmt: skip

    def _options(self) -> Sequence[str]:
        opened = (f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPEN)
        quick = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        return [*quick, *opened, "-cp", f"{jars(self.release)}/*"]

    def _main(self) -> Sequence[str]:
        if self.release.compiler:
            return [str(Path(__file__).with_name("Community.java")), str(self.directory)]
        main = "org.neo4j.server.CommunityEntryPoint"
        return [main, f"--home-dir={self.directory}", f"--config-dir={self.directory}/conf", "--console-mode"]

    def _await(self, cold: bool) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if not self._password_set:
                    self._set_password()
                    self._password_set = True
                elif cold:
                    with neo4j.GraphDatabase.driver(self.uri, auth=(USERNAME, PASSWORD)) as driver:
                        driver.verify_connectivity()
                    return
                if not self.run("SHOW DATABASES WHERE currentStatus IN ['initial', 'starting']", "system"):
                    return
            except (neo4j.exceptions.DriverError, neo4j.exceptions.Neo4jError) as error:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    raise AssertionError(
                        f"Neo4j did not start ({error}); the end of its log:\n{self._tail()}"
                    ) from None
            time.sleep(0.1)

    def _set_password(self) -> None:
        with (
            neo4j.GraphDatabase.driver(self.uri, auth=(USERNAME, "neo4j")) as driver,
            driver.session(database="system") as session,
        ):
            session.run("ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO $password", password=PASSWORD).consume()

    def forget_login(self) -> None:
        """Closes the tests' own connections: the next query logs in anew."""
        if self._driver is not None:
            self._driver.close()
            self._driver = None

    def _end(self, number: signal.Signals) -> None:
        self.forget_login()
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _tail(self) -> str:
        return (self.directory / "log").read_text(errors="replace")[-3000:]
