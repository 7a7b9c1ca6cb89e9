"""What is asked of a server when: with recorded answers and a clock that moves when it is told to."""

from collections.abc import Sequence

from structlog.testing import capture_logs

from exporter.base.threads import KeyedThreads
from exporter.inventory.postgres import PostgresServer
from exporter.postgres import queries
from exporter.postgres.rows import ServerReading
from exporter.postgres.session import PostgresUnavailable, Row
from exporter.postgres.watched_server import WatchedServer
from tests.exporter.fakes import FakeClock
from tests.golden.postgres import PRIMARY, RecordedSession

INTERVAL = 300.0
SECONDS = 8.0
NAMES = ("postgres", "a", "b", "c")
TABLES: Sequence[Row] = [(1, "public.t", 1, 1.0, 1, 0, None, None, 100, True, [4], ["i"], [4], [0.0])]


class Server(WatchedServer):
    """Has the databases NAMES. Each connection takes ``connecting`` seconds; those in ``closed`` take none."""

    def __init__(self, clock: FakeClock, connections: int = 1) -> None:
        settings = PostgresServer(name="db")
        super().__init__(settings, INTERVAL, SECONDS, KeyedThreads(), clock)
        self.clock = clock
        self.visited: list[str] = []
        self.connecting = 0.0
        self.closed: set[str] = set()
        self.answers = {
            **PRIMARY,
            queries.DATABASES: [(name, True, 1, 1, 0, 0, 0) for name in NAMES],
            queries.ACTIVITY: [("a", "idle", connections, 0, None)],
            queries.SIZES: [(name, 1) for name in NAMES],
            queries.tables(True): TABLES,
        }

    async def _connect(self, dbname: str) -> None:
        await self._drop()
        self.visited.append(dbname)
        self.clock.now += self.connecting
        if dbname in self.closed:
            raise PostgresUnavailable("no")
        self._session = _Session(dbname, self.answers)

    async def round(self, after: float = 30.0) -> ServerReading:
        """The reading of the next round."""
        self.clock.now += after
        self.visited = []
        return await self.read()


class _Session(RecordedSession):
    async def rows(self, query: str, *values: object) -> list[Row]:
        return list(self._answers[query])


async def test_other_databases_are_visited_once_in_an_interval_and_then_it_is_back_at_home() -> None:
    server = Server(FakeClock())
    reading = await server.round()
    assert server.visited == ["postgres", "a", "b", "c", "postgres"]
    assert set(reading.details) == set(NAMES)
    for _ in range(9):
        reading = await server.round()
        assert server.visited == []
        assert set(reading.details) == set(NAMES)
    await server.round()
    assert server.visited == ["a", "b", "c", "postgres"]


async def test_what_does_not_fit_into_a_round_goes_on_in_the_next() -> None:
    server = Server(FakeClock())
    server.connecting = 1.5
    rounds = []
    for _ in range(3):
        reading = await server.round()
        rounds.append(server.visited)
    assert rounds == [["postgres", "a", "b", "postgres"], ["c", "postgres"], []]
    assert set(reading.details) == set(NAMES)


async def test_details_that_cannot_be_read_anew_are_dropped_after_some_intervals() -> None:
    server = Server(FakeClock())
    await server.round()
    server.closed = {"a"}
    for _ in range(3):
        reading = await server.round(INTERVAL)
        assert set(reading.details) == set(NAMES)
    reading = await server.round(INTERVAL)
    assert set(reading.details) == set(NAMES) - {"a"}
    server.closed = set()
    assert set((await server.round(INTERVAL)).details) == set(NAMES)


async def test_with_few_connections_left_it_stays_where_it_is() -> None:
    server = Server(FakeClock(), connections=25)  # of 30, of which 3 are reserved
    await server.round()
    assert server.visited == ["postgres"]
    server.answers[queries.ACTIVITY] = [("a", "idle", 24, 0, None)]
    await server.round()
    assert server.visited == ["a", "b", "c", "postgres"]


async def test_a_database_that_is_gone_leaves_nothing_behind() -> None:
    server = Server(FakeClock())
    await server.round()
    server.answers[queries.DATABASES] = [(name, True, 1, 1, 0, 0, 0) for name in NAMES if name != "b"]
    reading = await server.round()
    assert set(reading.details) == set(reading.sizes) == set(NAMES) - {"b"}


async def test_when_the_way_back_fails_the_reading_still_counts() -> None:
    server = Server(FakeClock())
    await server.round()
    server.closed = {"a", "postgres"}
    assert (await server.round(INTERVAL)).facts is not None
    assert (await server.round()).facts is None
    server.closed = set()
    assert (await server.round()).facts is not None


async def test_an_answer_that_makes_no_sense_is_a_server_that_is_down_and_one_traceback() -> None:
    server = Server(FakeClock())
    server.answers[queries.FACTS] = [("too", "few")]
    with capture_logs() as logs:
        for _ in range(3):
            assert (await server.round()).facts is None
        server.answers[queries.FACTS] = PRIMARY[queries.FACTS]
        assert (await server.round()).facts is not None
    assert [line["event"] for line in logs] == [
        "reading a postgres server broke",
        "postgres server unavailable",
        "postgres server answers again",
    ]
