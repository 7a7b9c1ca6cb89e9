"""What is read from Alertmanager's config."""

from pathlib import Path

from remediator.webhook.routes import Pace, pace, receivers_of

OURS = frozenset({"remediator"})


def test_of_what_ships() -> None:
    text = (Path(__file__).parents[3] / "alertmanager" / "alertmanager.yml").read_text()
    assert pace(text, OURS) == Pace(told_within=15.0)
    assert pace(text, frozenset({"people"})) == Pace(told_within=30.0)


def test_what_a_route_does_not_say_it_has_from_the_one_above_it() -> None:
    text = """
    route:
      receiver: people
      group_interval: 7m
      routes:
        - receiver: remediator
          routes: [{matchers: ['a="b"'], group_wait: 1h, mute_time_intervals: [nights]}]
        - {receiver: other, active_time_intervals: [days]}
    """
    assert pace(text, OURS) == Pace(told_within=3600.0, timed=True)
    assert pace(text, frozenset({"people"})) == Pace(told_within=420.0)
    assert pace(text, frozenset({"other"})) == Pace(told_within=420.0, timed=True)


def test_defaults_where_nothing_is_said_or_understood() -> None:
    for text in (
        "route: {receiver: remediator}",
        "",
        "route: []",
        "a: [",
        "route: {receiver: remediator, group_wait: x}",
    ):
        assert pace(text, OURS) == Pace(told_within=300.0), text


def test_before_any_webhook_came_the_receiver_is_the_one_that_ships() -> None:
    assert receivers_of([]) == OURS
    assert receivers_of(["mine"]) == {"mine"}
