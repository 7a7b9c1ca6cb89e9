"""The drill's stations as a pure state machine over what the services say."""

from dataclasses import replace
from itertools import pairwise

import pytest

from tests.upkeeper.drill.facts import QUIET, at
from tests.upkeeper.shapes import action, alert, decision, run
from upkeeper.drill.facts import Remediator
from upkeeper.drill.stations import Progress, Station, evidence

START = 1000.0
RECORDED = 1767268800.0
"""The time in the record of tests.upkeeper.shapes, as Unix seconds."""


def test_a_look_at_each_station_passes_them_one_by_one() -> None:
    progress = Progress(START)
    now = START
    for station in Station:
        assert progress.current == station
        now += 10
        progress = progress.advance(at(station), now)
        assert list(progress.passed)[-1] == station
    assert progress.current is None


def test_nothing_is_passed_while_nothing_is_seen() -> None:
    progress = Progress(START).advance(QUIET, START + 5)
    assert progress.passed == {}
    assert progress.current is Station.MEASURED


@pytest.mark.parametrize("station", list(Station))
def test_a_later_station_proves_those_before_it(station: Station) -> None:
    progress = Progress(START).advance(at(station), RECORDED + 100)
    assert list(progress.passed) == list(Station)[: list(Station).index(station) + 1]


def test_a_passed_station_stays_passed_with_its_time() -> None:
    measured = Progress(START).advance(at(Station.MEASURED), START + 1)
    assert measured.advance(QUIET, START + 9).passed == {Station.MEASURED: START + 1}


def test_times_come_from_the_record_and_never_run_backwards_nor_ahead() -> None:
    progress = Progress(RECORDED - 50)
    for station, now in zip(Station, range(9), strict=True):
        progress = progress.advance(at(station), RECORDED + now)
    assert progress.passed[Station.ACCEPTED] == RECORDED + 3  # recorded earlier, but notified was seen after that
    assert all(earlier <= later for earlier, later in pairwise(progress.passed.values()))

    at_once = Progress(RECORDED - 50).advance(at(Station.VERIFIED), RECORDED - 20)
    assert max(at_once.passed.values()) == RECORDED - 20  # a clock that is ahead does not count

    late = Progress(RECORDED - 50).advance(at(Station.VERIFIED), RECORDED + 20)
    assert late.passed[Station.VERIFIED] == RECORDED + 20  # firing was seen only now


def test_the_time_of_pending_is_prometheuss_own() -> None:
    progress = Progress(START).advance(at(Station.MEASURED), START + 0.5).advance(at(Station.PENDING), START + 4)
    assert progress.passed[Station.PENDING] == 1001.0


@pytest.mark.parametrize(
    ("name", "remediator", "last"),
    [
        ("a dry run plans nothing that will happen", Remediator(alert(), decision(), run(dry_run=True)), "accepted"),
        ("a queued run", Remediator(alert(), decision(), run(state="queued", outcome=None, actions=[])), "accepted"),
        ("an empty plan", Remediator(alert(), decision(), run(actions=[], outcome="ineffective")), "accepted"),
        ("a run that did not help", Remediator(alert(), decision(), run(outcome="ineffective")), "applied"),
        (
            "a failed action ends too",
            Remediator(alert(), decision(), run(outcome="failed", actions=[action(0, "failed")])),
            "applied",
        ),
        ("a resolved alert without a run", Remediator(alert(status="resolved"), decision(run_id=None)), "accepted"),
    ],
)
def test_what_does_not_pass_a_station(name: str, remediator: Remediator, last: str) -> None:
    facts = replace(at(Station.NOTIFIED), remediator=remediator)
    assert max(evidence(facts), key=list(Station).index) == last, name


def test_it_is_resolved_only_when_prometheus_and_the_remediator_agree() -> None:
    resolved = at(Station.RESOLVED)
    assert Station.RESOLVED in evidence(resolved)
    assert Station.RESOLVED not in evidence(replace(resolved, prometheus=at(Station.FIRING).prometheus))
    assert Station.RESOLVED not in evidence(replace(resolved, remediator=Remediator(alert(), decision(), run())))
