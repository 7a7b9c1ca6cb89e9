"""Families from recorded rows: each has a sample, none has two of the same labels, and all are bounded."""

from collections import Counter

from exporter.collectors.postgres import PostgresCollector
from exporter.exposition import render
from exporter.inventory.postgres import PostgresLimits, PostgresSettings
from exporter.postgres.families import families
from exporter.postgres.families_tables import MAX_TABLES
from exporter.postgres.rows import Details, ServerFacts, ServerReading, Table
from tests.exporter.postgres.figures import Figures
from tests.golden import postgres as golden

STATUS = "upkeeper_postgres_slot_wal_status"
FACTS = ServerFacts("18.4", 1.0, False, 100, 3, 200_000_000, 400_000_000, 8192, 180004)


async def test_each_family_has_a_sample_in_the_golden_input() -> None:
    found = await golden.families()
    assert [family.name for family in found if not family.samples] == []
    empty = await PostgresCollector([], PostgresSettings()).collect()
    assert [family.name for family in found] == [family.name for family in empty]
    assert [family for family in empty if family.samples] == []


async def test_no_series_comes_twice_and_none_has_a_forbidden_label() -> None:
    samples = Figures(await golden.families()).samples
    series = Counter((sample.name, tuple(sorted(sample.labels.items()))) for sample in samples)
    assert max(series.values()) == 1
    labels = {label for sample in samples for label in sample.labels}
    assert labels == {"server", "datname", "relname", "state", "standby", "slot", "phase", "version", STATUS}


async def test_a_server_that_is_down_has_its_limits_and_nothing_else() -> None:
    samples = Figures(await golden.families()).samples
    down = {sample.name.removeprefix("upkeeper_postgres_") for sample in samples if sample.labels["server"] == "down"}
    assert down == {
        "up", "connections_max_used_ratio", "transaction_max_age_seconds", "table_max_dead_ratio",
        "table_min_dead_tuples", "slot_max_retained_bytes", "archive_max_wait_seconds",
    }  # fmt: skip


def test_what_is_not_known_is_absent() -> None:
    figures = Figures(families([ServerReading("a", PostgresLimits(), FACTS)]))
    assert figures.get("connections", state="active") is None
    assert figures.get("lock_waiting_connections") is None
    assert figures.get("wal_bytes") is None
    assert figures.value("max_connections") == 100


def test_the_worst_tables_of_all_databases_are_bounded() -> None:
    def table(number: int) -> Table:
        return Table(number, f"public.t{number}", 8192, 10, number, None, None, None)

    details = {f"d{each}": Details([table(each * 50 + number) for number in range(50)], []) for each in range(10)}
    reading = ServerReading("a", PostgresLimits(), FACTS, details=details)
    dead = [sample.value for sample in Figures(families([reading])).samples if sample.name.endswith("dead_tuples")]
    shown = [value for value in dead if value != PostgresLimits().dead_tuples_min]
    assert sorted(shown) == list(range(500 - MAX_TABLES, 500))


def test_the_age_that_is_too_high_is_never_near_the_end() -> None:
    for setting, ratio, expected in ((200_000_000, 1.5, 300e6), (2_000_000_000, 1.5, 1.6e9), (200_000_000, 1, 200e6)):
        facts = FACTS._replace(freeze_max_age=setting)
        reading = ServerReading("a", PostgresLimits(freeze_age_ratio=ratio), facts)
        assert Figures(families([reading])).value("xid_age_max_transactions") == expected


async def test_it_is_rendered_in_both_formats() -> None:
    rendered = render(await golden.families())
    assert b'relname="public.\\"Agent State\\"",server="primary"' in rendered.text
    assert b"# TYPE upkeeper_postgres_deadlocks counter" in rendered.openmetrics
