"""performance-analysis, of five weeks that a real Prometheus has of a host, made from seeds."""

from collections.abc import AsyncIterator, Callable, Sequence
from random import Random

import pytest
import pytest_asyncio

from remediator.model.task import Action, TaskError
from remediator.peers.places import PeerUnknown
from remediator.peers.prometheus import Prometheus
from remediator.tasks.performance.analysis import LEAST_COVERED, WHOLE, PerformanceAnalysis, on_hour
from remediator.tasks.performance.figures import FIGURES
from remediator.tasks.performance.rows import UsualRow
from tests.remediator.backtest.past import remembering
from tests.servers import Server

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

NOW = 1_790_000_000.0
HOUR = 3600.0
LATER = NOW + 168 * HOUR
WEEKS = 5
GIB = 1024**3
HOME = 'job="upkeeper",instance="pa:10746"'

Value = Callable[[float, Random], float]
"""Of hours before now (0 or more), and dice."""

GAUGES: Sequence[tuple[str, str, Value]] = (
    ("build_info", "", lambda ago, dice: 1),
    ("host_cpus", "", lambda ago, dice: 4),
    ("host_memory_total_bytes", "", lambda ago, dice: 16 * GIB),
    # The last hour is as no other; and a leak of 1 GiB a week.
    ("host_memory_available_bytes", "", lambda ago, dice: (2 if ago < 1 else 8 + ago / 168) * GIB),
    ("container_memory_working_set_bytes", 'container="letta"', lambda ago, dice: (2 - ago / 168 / 10) * GIB),
    ("probe_duration_seconds", 'target="letta",probe="http"', lambda ago, dice: 0.2 + dice.gauss(0, 0.01)),
    ("postgres_connections", 'server="db",state="idle"', lambda ago, dice: 10),
    ("postgres_connections", 'server="db",state="active"', lambda ago, dice: 40 if ago < 1 else 2),
)


def history() -> dict[str, list[str]]:
    dice = Random(7)
    lines: dict[str, list[str]] = {}

    def add(name: str, labels: str, at: float, value: float) -> None:
        all_labels = ",".join(filter(None, (HOME, labels)))
        lines.setdefault(f"upkeeper_{name}", []).append(f"upkeeper_{name}{{{all_labels}}} {value} {at:.0f}")

    steps = [NOW - ago * HOUR / 2 for ago in range(WEEKS * 168 * 2, -1, -1)]
    for name, labels, value in GAUGES:
        for at in steps:
            add(name, labels, at, value((NOW - at) / HOUR, dice))
    for mode in ("user", "idle"):
        total = 0.0
        for ago in range(WEEKS * 168 * 15, -1, -1):
            # This hour of this weekday is the busy one of the week.
            busy = 0.9 if ago / 15 % 168 < 1 else 0.1
            total += HOUR / 15 * 4 * (busy if mode == "user" else 1 - busy)
            add("host_cpu_seconds_total", f'mode="{mode}"', NOW - ago * HOUR / 15, total)
    for minute in range(11):
        add("container_cpu_seconds_total", 'container="new"', NOW - 600 + minute * 60, 30 * minute)
    # Nothing for a week, then twelve minutes in which all CPUs are busy.
    for minute in range(13):
        at = LATER - 720 + minute * 60
        for name, labels, value in GAUGES:
            add(name, labels, at, value(-1, dice))
        for mode in ("user", "idle"):
            add("host_cpu_seconds_total", f'mode="{mode}"', at, 240.0 * minute if mode == "user" else 1.0)
    return lines


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    directory = tmp_path_factory.mktemp("history")
    async with remembering(directory, history(), {}, "--storage.tsdb.retention.time=60d") as running:
        yield running


def subject(server: Server, now: float = NOW) -> PerformanceAnalysis:
    return PerformanceAnalysis(lambda: Prometheus(server.url, 60.0), clock=lambda: now, booted_at=lambda: 0.0)


async def test_the_last_hour_beside_the_usual_one(server: Server) -> None:
    task = subject(server)
    plan = await task.plan("all")
    rows = {(row.figure, row.who): row for row in plan.rows if isinstance(row, UsualRow)}
    assert plan.actions == ()
    assert {key: row.judgement for key, row in rows.items()} == {
        ("connections to", "db"): "higher",
        ("memory in use", "host"): "higher",
        ("CPUs in use", "host"): "usual",
        ("memory of", "letta"): "usual",
        ("answer of", "letta/http"): "usual",
        ("CPUs of", "new"): "too young",
    }
    assert rows["CPUs of", "new"].now == pytest.approx(0.5, rel=0.1)  # of its ten minutes, not of an hour
    assert plan.notes == ["1 figure with too little history to tell what is usual."]
    memory, cpu, letta = rows["memory in use", "host"], rows["CPUs in use", "host"], rows["memory of", "letta"]
    assert (memory.usual, memory.compared) == (pytest.approx(0.5 - 2.5 / 16, abs=0.05), 5)
    assert cpu.now == pytest.approx(0.9, abs=0.05)
    assert cpu.usual == pytest.approx(0.9, abs=0.05)
    assert (letta.says, letta.trend) == ("grows", pytest.approx(0.1 * GIB, rel=0.05))
    assert rows["answer of", "letta/http"].says == "level"
    assert [row.judgement for row in plan.rows if isinstance(row, UsualRow)][:2] == ["higher", "higher"]
    measured = await task.measure("all")
    assert (measured.breached, measured.values) == (False, {"higher": 2.0, "lower": 0.0})
    assert measured.detail == "6 figures, 2 of them unusual for this hour"


async def test_after_a_gap_a_figure_is_of_what_there_is_and_is_not_judged(server: Server) -> None:
    plan = await subject(server, LATER).plan("all")
    rows = {(row.figure, row.who): row for row in plan.rows if isinstance(row, UsualRow)}
    cpu = rows["CPUs in use", "host"]
    assert cpu.now == pytest.approx(1.0, rel=0.05)
    assert cpu.usual == pytest.approx(0.9, abs=0.05)
    assert {row.judgement for row in rows.values()} == {"too young"}
    assert plan.notes == [
        "Of the last hour Prometheus has 12 minutes: the figures are of these.",
        "None of them is judged before half an hour is there.",
    ]


async def test_what_is_said_of_an_hour_that_is_not_whole() -> None:
    assert on_hour(WHOLE) == []
    assert on_hour(LEAST_COVERED) == ["Of the last hour Prometheus has 30 minutes: the figures are of these."]
    assert on_hour(60.0)[-1] == "What is counted, such as CPUs in use, is told from 3 minutes on."


async def test_every_query_is_one(server: Server) -> None:
    async with Prometheus(server.url) as real:
        for figure in FIGURES:
            assert await real.complaint(figure.query) is None


async def test_of_few_days_nothing_is_unusual(server: Server) -> None:
    plan = await subject(server).plan("all", {"days": 2})
    assert {row.judgement for row in plan.rows if isinstance(row, UsualRow)} == {"too young"}
    assert plan.notes == ["6 figures with too little history to tell what is usual."]


async def test_without_a_prometheus_it_says_so() -> None:
    def unknown() -> Prometheus:
        raise PeerUnknown("no Prometheus is known")

    task = PerformanceAnalysis(unknown, clock=lambda: NOW)
    assert (await task.plan("all")).notes == [
        "Nothing is known of the usual without a history: no Prometheus is known."
    ]
    measured = await task.measure("all")
    assert (measured.breached, measured.detail) == (
        False, "Nothing is known of the usual without a history: no Prometheus is known",
    )  # fmt: skip
    with pytest.raises(TaskError, match="performance-analysis has no actions"):
        await task.apply("all", Action(kind="speed", object="up", reason="it is slow"))
