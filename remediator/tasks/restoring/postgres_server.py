"""A PostgreSQL server of our own, in a directory of its own, which nobody else can reach and which reaches nobody."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from remediator.model.task import TaskError
from remediator.tasks.backup.piped import Piped
from remediator.tasks.backup.sink import CHUNK, Stopped
from remediator.tasks.backup.sources.postgres import clients
from remediator.tasks.backup.sources.postgres.clients import Client
from remediator.tasks.restoring.scratch import unprivileged

if TYPE_CHECKING:
    import psycopg

_START_SECONDS = 120.0
_LOOK_SECONDS = 0.05
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "off",  # it is thrown away
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "128MB",
    "shared_buffers": "32MB",
    "maintenance_work_mem": "64MB",
    "max_connections": "10",
    "max_locks_per_transaction": "1024",
    "max_parallel_maintenance_workers": "0",
    "autovacuum": "off",
    "jit": "off",
    "shared_preload_libraries": "",
}


@dataclass(frozen=True)
class Server:
    """One that runs. socket: the directory of its socket. superuser: its only role at first."""

    programs: Client
    socket: Path
    superuser: str

    @contextmanager
    def session(self, dbname: str) -> "Iterator[psycopg.Connection[Any]]":
        """A connection of the superuser's, each statement its own transaction. Raises psycopg.Error."""
        import psycopg

        connection = psycopg.connect(
            host=str(self.socket),
            dbname=dbname,
            user=self.superuser,
            client_encoding="UTF8",
            autocommit=True,
            connect_timeout=30,
            options="-c search_path=pg_catalog -c row_security=off",
        )
        try:
            yield connection
        finally:
            connection.close()

    def run(
        self, program: str, arguments: Sequence[str], stdin: IO[bytes], stop: threading.Event, limit: float
    ) -> tuple[int, list[str]]:
        """Runs one of its version's programs against it: its exit status, and its last complaints.

        limit: seconds that it may take. Raises TaskError, Stopped, OSError.
        """
        return _run([self.programs.program(program), *arguments], stop, limit, stdin, self.environment)

    @property
    def environment(self) -> Mapping[str, str]:
        return {"PGHOST": str(self.socket), "PGUSER": self.superuser, "PGDATABASE": "template1"}


def server_programs(major: int) -> Client:
    """Of this version. Blocks. Raises TaskError where no server of it is installed."""
    for client in clients.installed():
        if client.major == major and all(Path(client.program(name)).exists() for name in ("initdb", "postgres")):
            return client
    raise TaskError(
        f"no server of PostgreSQL {major} is installed to restore into: install the package postgresql-{major}, "
        "or prove no more than readable"
    )


@contextmanager
def running(programs: Client, directory: Path, superuser: str, stop: threading.Event) -> Iterator[Server]:
    """A new server in a directory, without any database of a user's; ended at the end. Blocks.

    Raises TaskError, Stopped, OSError. Its processes run as nobody where we are root, and end with this thread.
    """
    home = directory / "server"
    home.mkdir(mode=0o700)
    data = home / "data"
    owner = unprivileged()
    if owner is not None:
        directory.chmod(0o711)  # he may pass through, and see nothing
        os.chown(home, owner.pw_uid, owner.pw_gid)
    made = [programs.program("initdb"), f"--pgdata={data}", f"--username={superuser}", "--auth=trust", "--no-sync"]
    status, said = _run([*made, "--encoding=UTF8", "--no-locale"], stop, _START_SECONDS)
    if status:
        raise TaskError(f"initdb of PostgreSQL {programs.version} fails: {said[-1] if said else f'status {status}'}")
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    command = [programs.program("postgres"), "-D", str(data), "-k", str(home), *settings]
    with Piped([*_prefix(alone=True), *command], stop) as process:
        server = Server(programs, home, superuser)
        _await(server, process, stop)
        try:
            yield server
        finally:
            process.process.send_signal(signal.SIGINT)  # its shared memory goes too; whatever is left is killed then
            with suppress(subprocess.TimeoutExpired):
                process.process.wait(_START_SECONDS)


def _await(server: Server, process: Piped, stop: threading.Event) -> None:
    import psycopg

    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            with server.session("template1"):
                return
        except psycopg.OperationalError as error:
            why = str(error).strip().replace("\n", " ")
        if process.process.poll() is not None:
            _, said = process.end()
            raise TaskError(f"PostgreSQL {server.programs.version} does not start: {said[-1] if said else why}")
        if stop.is_set():
            raise Stopped
        if time.monotonic() > end:
            raise TaskError(f"PostgreSQL {server.programs.version} does not answer: {why}")
        time.sleep(_LOOK_SECONDS)


class _Until(threading.Event):
    """Set when another is, or when the time is over."""

    def __init__(self, other: threading.Event, seconds: float) -> None:
        super().__init__()
        self._other, self._end = other, time.monotonic() + seconds

    def is_set(self) -> bool:
        return self._other.is_set() or time.monotonic() > self._end


def _run(
    command: Sequence[str],
    stop: threading.Event,
    limit: float,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
) -> tuple[int, list[str]]:
    try:
        with Piped([*_prefix(), *command], _Until(stop, limit), stdin=stdin, environment=environment) as program:
            while program.read(CHUNK):
                pass
            return program.end()
    except Stopped:
        if stop.is_set():
            raise
        raise TaskError(f"{Path(command[0]).name} did not end within {limit:g} s, and was ended") from None


def _prefix(*, alone: bool = False) -> list[str]:
    """What makes a program run as nobody where we are root, and end with us; ``alone``: also without any network."""
    owner = unprivileged()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if owner is not None:
            raise TaskError("setpriv is not installed, by which root becomes nobody; install the package util-linux")
        return []
    ends = [setpriv, "--pdeathsig=KILL"]
    if owner is None:
        return [*ends, "--"]
    user = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--no-new-privs"]
    return [*(_without_network() if alone else ()), *ends, *user, "--"]


@cache
def _without_network() -> Sequence[str]:
    """Nothing where the system does not allow it, as in a container: then it only listens to nobody."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    done = subprocess.run([unshare, "--net", "true"], capture_output=True, check=False, timeout=30)
    return () if done.returncode else (unshare, "--net", "--")
