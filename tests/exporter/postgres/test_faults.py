"""PostgreSQL at its worst: hung, killed, full, locked, gone. Only its own figures suffer, and nothing is leaked."""

import asyncio
import contextlib
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from structlog.testing import capture_logs

from exporter.base.threads import KeyedThreads
from exporter.collectors.registry import build
from exporter.exposition import render
from exporter.inventory.inventory import Inventory
from exporter.inventory.postgres import PostgresSettings
from tests.exporter.postgres.figures import Figures, collecting, figures_of, settings
from tests.helpers import rounds, wait_until
from tests.ports import free_port
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.servers
IMPATIENT = PostgresSettings(deadline=2.0, details_interval=0.001)
SECRET = "d1stinctive-p4ssword"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    return tmp_path / "password"


@pytest.fixture
def own(postgres_factory: Callable[..., PostgresServer]) -> PostgresServer:
    """A server of the test's own."""
    return postgres_factory()


def connections_of_upkeeper(server: PostgresServer) -> int:
    ((count,),) = server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'upkeeper'")
    return int(count)


def leaves_a_query_unread(server: PostgresServer) -> bool:
    """Whether a TCP connection of the server holds bytes that it has not read. The table: proc(5), /proc/net/tcp."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(int(row[1][-4:], 16) == server.port and row[3] == "01" and int(row[4][-8:], 16) for row in rows)


async def test_a_hung_server_costs_only_its_own_figures(
    own: PostgresServer, postgres15: PostgresServer, password: Path
) -> None:
    hangs, well = settings(own, password), settings(postgres15, password, name="well")
    process = psutil.Process()
    descriptors = process.num_fds()
    async with collecting(hangs, well, when=IMPATIENT) as collector:
        assert Figures(await collector.collect()).value("up", server="db") == 1
        before = threading.active_count()
        with own.hung():
            for _ in range(3):  # connected before it hung, then hanging while it is connected to
                figures = Figures(await collector.collect())
                assert figures.value("up", server="db") == 0
                assert figures.get("max_connections", server="db") is None
                assert figures.value("transaction_max_age_seconds", server="db") == 3600  # a limit stays known
                assert figures.value("up", server="well") == 1
                assert figures.value("max_connections", server="well") == 30
        assert Figures(await collector.collect()).value("up", server="db") == 1
        await wait_until(lambda: threading.active_count() <= before, what=f"{before} threads, as before")
        await wait_until(lambda: connections_of_upkeeper(own), equals=1, what="those that were cut to be gone")
    await wait_until(lambda: process.num_fds() <= descriptors, what=f"{descriptors} descriptors, as before")


async def test_a_collection_that_is_given_up_leaves_nothing_behind(own: PostgresServer, password: Path) -> None:
    process = psutil.Process()
    async with collecting(settings(own, password, host="127.0.0.1")) as collector:
        await collector.collect()
        descriptors = process.num_fds()
        with own.hung():
            task = asyncio.ensure_future(collector.collect())
            await wait_until(lambda: leaves_a_query_unread(own), what="a query to wait")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert Figures(await collector.collect()).value("up") == 1
        assert process.num_fds() == descriptors
        with own.hung():
            task = asyncio.ensure_future(collector.collect())
            await wait_until(lambda: leaves_a_query_unread(own), what="a query to wait")
            await collector.close()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert process.num_fds() < descriptors


async def test_the_connection_is_kept_and_opened_again_when_it_broke(own: PostgresServer, password: Path) -> None:
    async with collecting(settings(own, password), when=PostgresSettings()) as collector:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'upkeeper'"
        await collector.collect()
        ((first,),) = own.sql(query)
        await collector.collect()
        assert own.sql(query) == [(first,)]
        own.sql(f"SELECT pg_terminate_backend({first})")
        assert Figures(await collector.collect()).value("up") == 1  # in the same round
        with capture_logs() as logs:
            own.terminate(signal.SIGQUIT)  # as kill -9 would: at once, and it recovers afterwards
            for _ in range(3):
                assert Figures(await collector.collect()).value("up") == 0
            own.start()
            assert Figures(await collector.collect()).value("up") == 1
        assert [line["event"] for line in logs] == ["postgres server unavailable", "postgres server answers again"]
        assert connections_of_upkeeper(own) == 1


async def test_a_wrong_password_is_named_but_not_shown(
    own: PostgresServer, password: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own.sql(f"CREATE ROLE watcher LOGIN PASSWORD '{SECRET}' IN ROLE pg_monitor")
    password.write_text(f"{SECRET}-mistyped\n")
    server = settings(own, password, user="watcher")
    texts = [repr(server), server.model_dump_json()]
    with capture_logs() as logs:
        async with collecting(server) as collector:
            families = await collector.collect()
            assert Figures(families).value("up") == 0
            texts += [render(families).text.decode(), repr(vars(collector))]
            password.write_text(f"{SECRET}\n")  # read again for each connection
            families = await collector.collect()
            assert Figures(families).value("up") == 1
            texts += [render(families).text.decode(), repr([vars(each) for each in collector._servers])]
    assert logs[0]["reason"].endswith('password authentication failed for user "watcher"')
    texts += [str(logs), *capsys.readouterr()]
    for bad, reason in (
        (None, f"password_file {password} cannot be read: No such file or directory"),
        ("\n", f"password_file {password} is empty"),
        (f"{SECRET}\0", f"password_file {password} holds no password"),
        (f"{SECRET}'\\ x=1", "password authentication failed"),
    ):
        password.unlink(missing_ok=True)
        if bad is not None:
            password.write_text(bad)
        with capture_logs() as logs:
            async with collecting(server) as collector:
                assert Figures(await collector.collect()).value("up") == 0
        assert reason in logs[0]["reason"]
        texts.append(str(logs))
    assert all(SECRET not in text for text in texts)


async def test_an_error_holds_no_password(own: PostgresServer, password: Path) -> None:
    from exporter.postgres.connect import connect
    from exporter.postgres.session import PostgresUnavailable

    password.write_text(SECRET)
    for changes in ({"user": "nobody"}, {"host": "127.0.0.1", "sslmode": "require"}, {"port": free_port()}):
        server = settings(own, password, **changes)
        with pytest.raises(PostgresUnavailable) as caught:
            await connect(server, "postgres", KeyedThreads(), seconds=10, statement_seconds=1)
        assert SECRET not in "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)


async def test_when_no_connection_is_left(own: PostgresServer, password: Path) -> None:
    own.sql("CREATE ROLE watcher LOGIN PASSWORD 'x' IN ROLE pg_monitor", "CREATE DATABASE other")
    password.write_text("x")
    watcher = settings(own, password, user="watcher")
    async with collecting(watcher) as collector:
        assert Figures(await collector.collect()).labels("table_size_bytes", "datname") <= {"postgres", "other"}
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    stack.enter_context(own.connect(user="watcher", password="x"))
            figures = Figures(await collector.collect())  # does not give its own connection away
            assert figures.value("up") == 1
            used = sum(sample.value for sample in figures.samples if sample.name == "upkeeper_postgres_connections")
            assert used == figures.value("max_connections") - figures.value("reserved_connections")
            with capture_logs() as logs:
                assert (await figures_of(watcher)).value("up") == 0  # one that comes late
            assert "reserved" in logs[0]["reason"] or "too many" in logs[0]["reason"]
        assert Figures(await collector.collect()).value("up") == 1


async def test_a_database_that_is_dropped(own: PostgresServer, password: Path) -> None:
    own.sql("CREATE DATABASE other")
    own.sql("CREATE TABLE in_other ()", dbname="other")
    async with collecting(settings(own, password)) as collector:
        figures = Figures(await collector.collect())
        assert figures.value("table_live_tuples", relname="public.in_other", datname="other") == 0
        own.sql("DROP DATABASE other")  # nobody is connected to it any more
        with capture_logs() as logs:
            figures = Figures(await collector.collect())
        assert figures.value("up") == 1
        assert "other" not in figures.labels("database_size_bytes", "datname")
        assert "other" not in figures.labels("table_live_tuples", "datname")
        assert logs == []


async def test_a_database_that_takes_no_connection_costs_only_its_tables(own: PostgresServer, password: Path) -> None:
    own.sql("CREATE DATABASE closed", "CREATE DATABASE open", "ALTER DATABASE closed CONNECTION LIMIT 0")
    own.sql("CREATE ROLE watcher LOGIN PASSWORD 'x' IN ROLE pg_monitor")
    own.sql("CREATE TABLE t ()", dbname="open")
    own.sql("CREATE TABLE t ()", dbname="closed")
    password.write_text("x")
    with capture_logs() as logs:
        async with collecting(settings(own, password, user="watcher")) as collector:
            for _ in range(3):
                figures = Figures(await collector.collect())
    assert figures.value("up") == 1
    assert figures.labels("database_size_bytes", "datname") == {"postgres", "closed", "open"}
    assert figures.value("table_live_tuples", relname="public.t") == 0  # of one database alone
    assert figures.get("table_live_tuples", relname="public.t", datname="open") == 0
    assert [(line["event"], line["part"]) for line in logs] == [("postgres figures missing", "database closed")]


async def test_locks_hold_nothing_up(own: PostgresServer, password: Path) -> None:
    own.sql("CREATE TABLE t AS SELECT i FROM generate_series(1, 100000) AS i", "CREATE INDEX i ON t (i)", "ANALYZE t")
    async with collecting(settings(own, password), when=IMPATIENT) as collector:
        with own.connect() as holder:
            holder.execute("BEGIN").execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
            figures = Figures(await collector.collect())
            assert figures.value("table_size_bytes", relname="public.t") > 0
            assert figures.value("index_unused_bytes", relname="public.i") > 0
            holder.execute("LOCK TABLE pg_statistic IN ACCESS EXCLUSIVE MODE")
            with capture_logs() as logs:
                figures = Figures(await collector.collect())
            assert figures.value("up") == 1
            assert figures.value("max_connections") == 30
            assert [line["reason"] for line in logs] == ["canceling statement due to lock timeout"]
            holder.execute("ROLLBACK")
        figures = Figures(await collector.collect())
        assert figures.get("table_bloat_bytes_estimate", relname="public.t") is not None


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"R\0\0\0"])
async def test_what_is_no_postgres(says: bytes, password: Path, postgres15: PostgresServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.listen(50)
        taken: list[socket.socket] = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    taken.append(connection)
                    connection.sendall(says)

        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        odd = settings(postgres15, password, name="odd", host="localhost", port=port, sslmode="disable")
        before = psutil.Process().num_fds()
        async with collecting(odd, settings(postgres15, password), when=IMPATIENT) as collector:
            for _ in range(2):
                figures = Figures(await collector.collect())
                assert figures.value("up", server="odd") == 0
                assert figures.value("up", server="db") == 1
        assert taken
        await wait_until(
            lambda: psutil.Process().num_fds() - len(taken) <= before, what="our ends of the connections to be closed"
        )
        for connection in taken:
            connection.close()
        listener.shutdown(socket.SHUT_RDWR)


async def test_closing_does_not_wait_for_a_connection_that_never_opens(
    postgres15: PostgresServer, password: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = settings(postgres15, password, host="127.0.0.1", port=listener.getsockname()[1])
        async with collecting(silent, when=PostgresSettings(deadline=3600.0)) as collector:
            task = asyncio.ensure_future(collector.collect())
            connection, _ = await asyncio.to_thread(listener.accept)
            await collector.close()
            with pytest.raises(asyncio.CancelledError):
                await task
            connection.close()


async def test_a_lookup_that_hangs_holds_nothing_up(
    postgres15: PostgresServer, password: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: release.wait())
    try:
        lost = settings(postgres15, password, name="lost", host="db.example.org")
        async with collecting(lost, settings(postgres15, password), when=IMPATIENT) as collector:
            before = threading.active_count()
            for _ in range(3):
                figures = Figures(await collector.collect())
                assert (figures.value("up", server="lost"), figures.value("up", server="db")) == (0, 1)
            assert threading.active_count() <= before + 1
    finally:
        release.set()


@pytest.fixture
def upset(own: PostgresServer) -> Iterator[Callable[[int], None]]:
    """Does something to the server before some rounds, by their number; at one time Upkeeper cannot log in."""
    own.sql("CREATE DATABASE other", "CREATE ROLE watcher LOGIN PASSWORD 'x' IN ROLE pg_monitor")
    kick = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'upkeeper'"
    with own.connect() as connection:

        def before(number: int) -> None:
            if number % 10 == 3:
                connection.execute(kick.encode())
            if number % 10 == 5:
                connection.execute("ALTER ROLE watcher NOLOGIN")
                connection.execute(kick.encode())
            if number % 10 == 7:
                connection.execute("ALTER ROLE watcher LOGIN")

        yield before


@pytest.mark.torture
async def test_many_rounds_leave_no_more_behind_than_a_few(
    own: PostgresServer, upset: Callable[[int], None], password: Path
) -> None:
    password.write_text("x")
    process = psutil.Process()
    after: list[tuple[int, int, int]] = []
    down = 0
    total = rounds("ROUNDS", 300, 1000)
    when = PostgresSettings(details_interval=1.0)
    async with collecting(settings(own, password, user="watcher"), when=when) as collector:
        for number in range(1, total + 1):
            upset(number)
            families = await collector.collect()
            render(families)
            down += Figures(families[:1]).value("up") == 0
            if number in (total // 10, total * 3 // 10, total):
                await wait_until(lambda: connections_of_upkeeper(own), equals=1, what="one connection")
                after.append((threading.active_count(), process.num_fds(), process.memory_info().rss))
    assert down == total // 5
    threads, descriptors, memory = zip(*after, strict=True)
    assert threads[0] == threads[1] == threads[2]
    assert descriptors[0] == descriptors[1] == descriptors[2]
    assert memory[2] - memory[1] < 3 * 1024**2, memory


async def test_a_changed_config_closes_the_connection_of_the_old_one(own: PostgresServer, password: Path) -> None:
    inventory = Inventory(postgres=[settings(own, password)])
    running = build(inventory)
    collector = next(each for each in running.collectors if each.name == "postgres")
    await collector.collect()
    assert connections_of_upkeeper(own) == 1
    await running.close()
    await wait_until(lambda: connections_of_upkeeper(own), equals=0, what="the connection to be closed")
