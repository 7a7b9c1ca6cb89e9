"""Episodes from samples, in chunks and across gaps."""

import pytest

from remediator.backtest.episodes import Episode, Gap, Joiner, alert_labels

SERIES = {"__name__": "ALERTS", "alertstate": "firing", "alertname": "Down", "severity": "page"}
LABELS = {"alertname": "Down", "severity": "page"}


def times(*spans: tuple[float, float]) -> list[float]:
    return [float(at) for first, last in spans for at in range(int(first), int(last) + 1, 10)]


def joined(*chunks: list[float], gaps: list[Gap] | None = None, until: float = 1000.0) -> list[Episode]:
    joiner = Joiner(10.0)
    for chunk in chunks:
        joiner.add(SERIES, chunk, gaps or [])
    return joiner.finish(until)


@pytest.mark.parametrize(
    ("chunks", "gaps", "episodes"),
    [
        pytest.param([times((100, 200))], [], [(100, 210)], id="one"),
        pytest.param([times((100, 200), (300, 310))], [], [(100, 210), (300, 320)], id="two"),
        pytest.param([times((100, 200)), times((210, 250))], [], [(100, 260)], id="goes on in the next chunk"),
        pytest.param([times((100, 200)), times((220, 250))], [], [(100, 210), (220, 260)], id="or does not"),
        pytest.param([times((900, 1000))], [], [(900, None)], id="still firing"),
        pytest.param([times((900, 980))], [], [(900, 990)], id="over just before the end"),
        pytest.param([times((100, 200), (300, 400))], [Gap(200, 300)], [(100, 410)], id="before and after a gap"),
        pytest.param([times((100, 200), (300, 400))], [Gap(205, 290)], [(100, 410)], id="within a step of a gap"),
        pytest.param(
            [times((100, 200), (400, 410))], [Gap(200, 300)], [(100, 210), (400, 420)], id="begins after the gap"
        ),
        pytest.param(
            [times((100, 150), (300, 310))], [Gap(200, 300)], [(100, 160), (300, 320)], id="ended before the gap"
        ),
    ],
)
def test_what_belongs_together(
    chunks: list[list[float]], gaps: list[Gap], episodes: list[tuple[float, float | None]]
) -> None:
    found = joined(*chunks, gaps=gaps)
    assert [(each.begins, each.ends) for each in found] == episodes
    assert all(each.labels == LABELS for each in found)


def test_series_are_kept_apart_and_sorted_by_their_begin() -> None:
    joiner = Joiner(10.0)
    joiner.add({**SERIES, "target": "b"}, times((200, 210)), [])
    joiner.add({**SERIES, "target": "a"}, times((100, 110)), [])
    assert [each.labels["target"] for each in joiner.finish(1000.0)] == ["a", "b"]


def test_labels_are_those_that_alertmanager_gets() -> None:
    assert dict(alert_labels(SERIES, {"cluster": "home", "severity": "none"})) == {**LABELS, "cluster": "home"}


def test_an_episode_across_a_gap() -> None:
    gap = Gap(100.0, 200.0)
    assert Episode({}, 50.0, 250.0).across(gap)
    assert Episode({}, 50.0, None).across(gap)
    assert not Episode({}, 50.0, 190.0).across(gap)
    assert not Episode({}, 150.0, 250.0).across(gap)
