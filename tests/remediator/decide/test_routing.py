"""Whose an alert is, by its labels."""

import pytest

from remediator.config.fleet import Fleet
from remediator.decide.routing import Route, Routing

MAPPED = Fleet.model_validate({"hosts": {r"web-1\..*": "web-1", r"(web-2|10\.0\.0\.2):\d+": "web-2", ".*9187": "db"}})
NAMED = Fleet.model_validate({"host_label": "node"})


@pytest.mark.parametrize(
    ("instance", "host"),
    [("web-1.example.org:9100", "web-1"), ("10.0.0.2:9100", "web-2"), ("web-2:9187", "web-2"), ("other:9187", "db")],
)
def test_the_first_pattern_that_matches_the_whole_value_decides(instance: str, host: str) -> None:
    assert Routing("here", MAPPED).of({"instance": instance}) == Route(host)


@pytest.mark.parametrize("instance", ["web-2.example.org:9100", "xweb-1.example.org", "web-2:", ""])
def test_nothing_is_guessed(instance: str) -> None:
    route = Routing("here", MAPPED).of({"instance": instance})
    assert (route.host, route.no_host is None) == ("here", False)


def test_a_label_may_hold_the_name_itself() -> None:
    routing = Routing("here", NAMED)
    assert routing.of({"node": "web-9", "instance": "web-1.example.org"}) == Route("web-9")
    assert routing.of({"instance": "web-1.example.org"}).no_host == "the alert has no label node"


def test_without_a_fleet_alerts_belong_to_whoever_takes_them() -> None:
    assert Routing("here", None).of({"node": "there"}) == Route("here")
