"""How each way to people stands, by the messages that went and that did not. Pure."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest

from remediator.telling.reach import Reach, Way


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_fails_since_the_first_message_that_did_not_go_until_one_does() -> None:
    clock = Clock()
    reach = Reach(clock, CollectorRegistry())
    reach.keep(["email", "ntfy"])
    reach.did_not_go("email", "refused")
    clock.now = 200.0
    reach.did_not_go("email", "away")
    assert reach.ways == [Way("email", None, 100.0, "away", went=0, failed=2), Way("ntfy")]
    clock.now = 300.0
    reach.went("email")
    assert reach.ways[0] == Way("email", 300.0, None, "", went=1, failed=2)
    reach.did_not_go("email", "refused")
    assert reach.ways[0] == Way("email", 300.0, 300.0, "refused", went=1, failed=3)


def test_what_a_changed_config_no_longer_has_is_forgotten_and_a_late_answer_of_it_is_too() -> None:
    reach = Reach(Clock(), CollectorRegistry())
    reach.keep(["email", "slack"])
    reach.did_not_go("email", "refused")
    reach.did_not_go("slack", "Slack answers 404")
    reach.keep(["ntfy", "slack"])
    reach.went("email")
    reach.did_not_go("email", "refused")
    assert [(way.name, way.reason) for way in reach.ways] == [("ntfy", ""), ("slack", "Slack answers 404")]


def test_metrics_have_what_is_known_and_no_more() -> None:
    registry = CollectorRegistry()
    reach = Reach(Clock(), registry)
    reach.keep(["email", "ntfy", "slack"])
    reach.went("email")
    reach.did_not_go("ntfy", "ntfy answers 500")
    lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    assert sorted(lines) == [
        'upkeeper_telling_failing_since_timestamp_seconds{way="ntfy"} 100.0',
        'upkeeper_telling_failures_total{way="email"} 0.0',
        'upkeeper_telling_failures_total{way="ntfy"} 1.0',
        'upkeeper_telling_failures_total{way="slack"} 0.0',
        'upkeeper_telling_last_success_timestamp_seconds{way="email"} 100.0',
        'upkeeper_telling_messages_total{way="email"} 1.0',
        'upkeeper_telling_messages_total{way="ntfy"} 0.0',
        'upkeeper_telling_messages_total{way="slack"} 0.0',
        'upkeeper_telling_up{way="email"} 1.0',
        'upkeeper_telling_up{way="ntfy"} 0.0',
    ]
