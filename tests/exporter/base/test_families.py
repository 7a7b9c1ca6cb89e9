"""How metric families are made."""

from prometheus_client.core import Metric

from exporter.base.families import Families
from exporter.exposition import render


def text(families: list[Metric]) -> list[str]:
    return [line for line in render(families).text.decode().splitlines() if not line.startswith("# TYPE")]


def test_names_begin_with_the_prefix_and_labels_with_the_common_ones() -> None:
    made = Families("upkeeper_disk", "disk")
    made.gauge("size_bytes", "Size.").add(["sda"], 5)
    made.counter("reads", "Reads.", "kind").add_all((["sda", kind], count) for kind, count in (("x", 1), ("y", 2)))
    made.info("About it.").add(["sda"], {"vendor": "A"})
    made.states("state", "State.", ("on", "off")).add(["sda"], "on")
    assert text(made.all) == [
        "# HELP upkeeper_disk_size_bytes Size.",
        'upkeeper_disk_size_bytes{disk="sda"} 5.0',
        "# HELP upkeeper_disk_reads_total Reads.",
        'upkeeper_disk_reads_total{disk="sda",kind="x"} 1.0',
        'upkeeper_disk_reads_total{disk="sda",kind="y"} 2.0',
        "# HELP upkeeper_disk_info About it.",
        'upkeeper_disk_info{disk="sda",vendor="A"} 1.0',
        "# HELP upkeeper_disk_state State.",
        'upkeeper_disk_state{disk="sda",upkeeper_disk_state="off"} 0.0',
        'upkeeper_disk_state{disk="sda",upkeeper_disk_state="on"} 1.0',
    ]


def test_what_is_not_known_has_no_sample() -> None:
    made = Families("upkeeper")
    made.gauge("a", "A.").add((), None)
    made.counter("b", "B.").add_all([((), None)])
    made.states("c", "C.", ("on", "off")).add((), None)
    assert [family.name for family in made.all] == ["upkeeper_a", "upkeeper_b", "upkeeper_c"]
    assert text(made.all) == []


def test_zero_and_false_are_known() -> None:
    made = Families("upkeeper")
    made.gauge("a", "A.").add((), 0)
    made.gauge("b", "B.").add((), False)
    assert text(made.all)[1::2] == ["upkeeper_a 0.0", "upkeeper_b 0.0"]
