"""The snapshot: deadlines, single flight, error boundary, staleness, replacement."""

import gzip
from collections.abc import AsyncIterator, Sequence
from functools import partial

import pytest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from structlog.testing import capture_logs

from exporter.exposition import Format
from exporter.snapshot import Snapshot, UnknownCollector
from tests.exporter.fakes import FakeClock, FakeCollector, HangingCollector
from tests.helpers import wait_until

FOREVER = float("inf")


@pytest.fixture
def monotonic() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def snapshot(monotonic: FakeClock) -> AsyncIterator[Snapshot]:
    made = Snapshot(wall=FakeClock(1_700_000_000.0), monotonic=monotonic)
    yield made
    await made.stop()


def text(snapshot: Snapshot) -> list[str]:
    return [line for line in snapshot.body(Format.TEXT).decode().splitlines() if not line.startswith("#")]


async def test_values_and_standing_of_each_collector_are_served(snapshot: Snapshot) -> None:
    await snapshot.replace([FakeCollector("one"), FakeCollector("two")], FOREVER)
    assert not snapshot.ready
    await wait_until(lambda: snapshot.ready)
    lines = text(snapshot)
    assert "upkeeper_one 1.0" in lines
    assert "upkeeper_two 1.0" in lines
    assert 'upkeeper_collector_success{collector="one"} 1.0' in lines
    assert 'upkeeper_collector_duration_seconds{collector="two"} 0.0' in lines
    assert 'upkeeper_collector_last_success_timestamp_seconds{collector="one"} 1.7e+09' in lines
    assert any(line.startswith("upkeeper_build_info{python=") for line in lines)


async def test_each_collection_renews_the_served_bytes(snapshot: Snapshot) -> None:
    collector = FakeCollector()
    await snapshot.replace([collector], FOREVER)
    await wait_until(lambda: "upkeeper_fake 1.0" in text(snapshot))
    collector.value = 2
    await wait_until(lambda: "upkeeper_fake 2.0" in text(snapshot))


async def test_between_collections_the_very_same_bytes_are_served(snapshot: Snapshot) -> None:
    await snapshot.replace([FakeCollector(interval=3600)], FOREVER)
    await wait_until(lambda: snapshot.ready)
    assert snapshot.body(Format.TEXT) is snapshot.body(Format.TEXT)
    assert snapshot.body(Format.OPENMETRICS, gzip=True) is snapshot.body(Format.OPENMETRICS, gzip=True)
    assert gzip.decompress(snapshot.body(Format.TEXT, gzip=True)) == snapshot.body(Format.TEXT)


async def test_a_collector_that_raises_costs_only_itself(snapshot: Snapshot) -> None:
    bad, good = FakeCollector("bad"), FakeCollector("good")
    bad.error = RuntimeError("no luck")
    with capture_logs() as logs:
        await snapshot.replace([bad, good], FOREVER)
        await wait_until(lambda: bad.rounds > 3 and good.rounds > 3)
    lines = text(snapshot)
    assert 'upkeeper_collector_success{collector="bad"} 0.0' in lines
    assert 'upkeeper_collector_success{collector="good"} 1.0' in lines
    assert not any(line.startswith("upkeeper_collector_last_success") and "bad" in line for line in lines)
    assert [entry["error"] for entry in logs if entry["event"] == "collector failed"] == ["no luck"], "logged once"


async def test_a_failure_for_another_reason_is_said_too(snapshot: Snapshot) -> None:
    collector = FakeCollector()
    with capture_logs() as logs:
        for reason in ("refused", "no password"):
            collector.error = RuntimeError(reason)
            rounds = collector.rounds
            await snapshot.replace([collector], FOREVER)
            await wait_until(partial(_ran_since, collector, rounds))
    assert [entry["error"] for entry in logs if entry["event"] == "collector failed"] == ["refused", "no password"]


def _ran_since(collector: FakeCollector, rounds: int) -> bool:
    return collector.rounds > rounds + 2


async def test_families_that_cannot_be_rendered_are_a_failure_too(snapshot: Snapshot) -> None:
    collector = FakeCollector()
    collector.value = "many"  # type: ignore[assignment]
    await snapshot.replace([collector], FOREVER)
    await wait_until(lambda: snapshot.ready)
    assert 'upkeeper_collector_success{collector="fake"} 0.0' in text(snapshot)


async def test_a_collection_is_given_up_at_its_deadline_and_tried_again(snapshot: Snapshot) -> None:
    hanging = HangingCollector()
    await snapshot.replace([hanging], FOREVER)
    await wait_until(lambda: hanging.rounds > 2)
    assert snapshot.ready
    assert hanging.most_at_once == 1
    assert snapshot.sections[0].error == "not finished within 0.01 s"
    hanging.release.set()
    await wait_until(lambda: "upkeeper_hanging 1.0" in text(snapshot))


async def test_a_collection_that_cannot_be_cancelled_is_never_joined_by_a_second_one(snapshot: Snapshot) -> None:
    stubborn, other = HangingCollector(stubborn=True), FakeCollector()
    await snapshot.replace([stubborn, other], FOREVER)
    await wait_until(lambda: snapshot.sections[0].error, equals="the last collection has not ended yet")
    rounds = other.rounds
    await wait_until(lambda: other.rounds > rounds + 5)
    assert (stubborn.rounds, stubborn.most_at_once) == (1, 1)
    stubborn.release.set()
    await wait_until(lambda: 'upkeeper_collector_success{collector="hanging"} 1.0' in text(snapshot))


async def test_values_outlive_failures_until_they_are_stale(snapshot: Snapshot, monotonic: FakeClock) -> None:
    collector = FakeCollector()
    await snapshot.replace([collector], stale_after=300)
    await wait_until(lambda: snapshot.ready)
    monotonic.now += 10_000  # success does not age
    assert "upkeeper_fake 1.0" in text(snapshot)
    collector.error = OSError("gone")
    await wait_until(lambda: snapshot.sections[0].error, equals="gone")
    monotonic.now += 300
    assert "upkeeper_fake 1.0" in text(snapshot)
    monotonic.now += 1
    assert "upkeeper_fake 1.0" not in text(snapshot)
    assert 'upkeeper_collector_success{collector="fake"} 0.0' in text(snapshot)
    collector.error = None
    await wait_until(lambda: "upkeeper_fake 1.0" in text(snapshot))


async def test_success_resets_the_time_of_failing(snapshot: Snapshot, monotonic: FakeClock) -> None:
    collector = FakeCollector()
    await snapshot.replace([collector], stale_after=300)
    await wait_until(lambda: snapshot.ready)
    for _ in range(3):
        collector.error = OSError("gone")
        await wait_until(lambda: snapshot.sections[0].success is False)
        monotonic.now += 200
        assert "upkeeper_fake 1.0" in text(snapshot)
        collector.error = None
        await wait_until(lambda: snapshot.sections[0].success)


async def test_replacement_serves_the_old_values_until_the_new_ones_are_there(snapshot: Snapshot) -> None:
    await snapshot.replace([FakeCollector("kept"), FakeCollector("dropped")], FOREVER)
    await wait_until(lambda: snapshot.ready)
    successor = HangingCollector("kept", deadline=10)
    successor.value = 2
    await snapshot.replace([successor, FakeCollector("added")], FOREVER)
    assert "upkeeper_kept 1.0" in text(snapshot)
    assert "upkeeper_dropped 1.0" not in text(snapshot)
    await wait_until(lambda: "upkeeper_added 1.0" in text(snapshot))
    assert "upkeeper_kept 1.0" in text(snapshot)
    successor.release.set()
    await wait_until(lambda: "upkeeper_kept 2.0" in text(snapshot))


async def test_replaced_collectors_run_no_more(snapshot: Snapshot) -> None:
    former, successor = FakeCollector(), FakeCollector()
    await snapshot.replace([former], FOREVER)
    await wait_until(lambda: former.rounds)
    await snapshot.replace([successor], FOREVER)
    rounds = former.rounds
    await wait_until(lambda: successor.rounds > 5)
    assert former.rounds == rounds


async def test_part_serves_only_the_named_collectors(snapshot: Snapshot) -> None:
    await snapshot.replace([FakeCollector("one"), FakeCollector("two")], FOREVER)
    await wait_until(lambda: snapshot.ready)
    part = snapshot.part(["two"], Format.TEXT).decode()
    assert "upkeeper_two 1.0" in part
    assert "one" not in part
    with pytest.raises(UnknownCollector, match="'three'"):
        snapshot.part(["two", "three"], Format.TEXT)


async def test_facts_are_read_again_after_touch() -> None:
    answer = [1.0]

    def facts() -> Sequence[Metric]:
        return [GaugeMetricFamily("upkeeper_fact", "A test.", value=answer[0])]

    snapshot = Snapshot(facts=facts)
    assert "upkeeper_fact 1.0" in text(snapshot)
    answer[0] = 2.0
    assert "upkeeper_fact 1.0" in text(snapshot)
    snapshot.touch()
    assert "upkeeper_fact 2.0" in text(snapshot)


async def test_openmetrics_ends_once_and_is_understood_by_the_reference_parser(snapshot: Snapshot) -> None:
    await snapshot.replace([FakeCollector("one"), FakeCollector("two")], FOREVER)
    await wait_until(lambda: snapshot.ready)
    for body in (snapshot.body(Format.OPENMETRICS), snapshot.part(["one"], Format.OPENMETRICS)):
        assert body.count(b"# EOF\n") == 1
        assert body.endswith(b"# EOF\n")
        assert "upkeeper_one" in {family.name for family in parse_openmetrics(body.decode())}
