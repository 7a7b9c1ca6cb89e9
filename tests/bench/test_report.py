"""Results of benchmarks: ratio, goal, and how they are shown."""

from dataclasses import replace

import pytest

from bench.report import Goal, Result, figure, lines
from bench.stats import percentile

RESULT = Result(
    name="scrape",
    ours=0.5,
    peer=10.0,
    peer_name="node_exporter",
    unit="ms",
    goal=Goal("ratio", "<=", 0.1),
    command="python -m bench scrape",
    versions={"upkeeper": "1.0", "node_exporter": "1.5.0"},
    notes=("500 scrapes of each",),
)


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal("ratio", "<=", 0.05), True),
        (Goal("ratio", "<=", 0.04), False),
        (Goal("ours", "<", 0.5), False),
        (Goal("ours", ">=", 0.5), True),
        (None, None),
    ],
)
def test_a_goal_is_met_or_not(goal: Goal | None, met: bool | None) -> None:
    assert replace(RESULT, goal=goal).met is met


def test_a_goal_of_a_ratio_needs_one() -> None:
    for peer in (None, 0.0):
        with pytest.raises(ValueError, match="there is no ratio"):
            _ = replace(RESULT, peer=peer).met


def test_a_result_is_shown_with_its_ratio_goal_command_and_versions() -> None:
    assert lines(RESULT) == [
        "scrape: 0.500 ms | node_exporter 10.0 ms | ratio 0.0500 | goal ratio <= 0.1: met",
        "    500 scrapes of each",
        "    $ python -m bench scrape   (upkeeper 1.0, node_exporter 1.5.0)",
    ]


def test_without_a_peer_there_is_no_ratio() -> None:
    alone = replace(RESULT, peer=None, peer_name="", goal=Goal("ours", ">=", 1000), notes=())
    assert lines(alone)[0] == "scrape: 0.500 ms | goal ours >= 1000: not met"
    assert alone.as_json()["ratio"] is None


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.04123, "0.0412"), (3.14159, "3.14"), (99.96, "100"), (12345.6, "12,346")]
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    assert figure(value) == text


def test_percentile_is_the_nearest_rank() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, percent) for percent in (0, 50, 99, 100)] == [1, 50, 99, 100]
    assert percentile([7.0], 99) == 7
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)
