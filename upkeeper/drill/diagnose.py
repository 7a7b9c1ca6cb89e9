"""Why the drill does not get past a station, and what to do about it. Pure: a table of checks."""

from upkeeper.drill import checks
from upkeeper.drill.checks import Check, Diagnosis
from upkeeper.drill.facts import DrillFacts
from upkeeper.drill.stations import Station


def diagnose(station: Station, facts: DrillFacts) -> Diagnosis:
    """The first cause that the facts show; when they show none, that it needs more time than it was given."""
    for check in _CHECKS[station]:
        found = check(facts)
        if found is not None:
            return found
    return _SLOW[station]


def foresee(facts: DrillFacts) -> tuple[Station, Diagnosis] | None:
    """The first station that will not be passed as things are; None when nothing speaks against any."""
    for station in Station:
        found = diagnose(station, facts)
        if found.certain_after is not None:
            return station, found
    return None


_START = "start the stack: upkeeper up"
_EXPORTER = checks.reachable("exporter", f"{_START}; or name its address: --exporter-url")
_PROMETHEUS = checks.reachable(
    "prometheus", f"{_START}; or name yours: --prometheus-url, or prometheus.url in the config"
)
_ALERTMANAGER = checks.reachable("alertmanager", f"{_START}; or name yours: --alertmanager-url, or alertmanager.url")
_REMEDIATOR = checks.reachable("remediator", f"{_START}; or name its address: --url")

_CHECKS: dict[Station, tuple[Check, ...]] = {
    Station.MEASURED: (_EXPORTER, checks.collector, checks.watched),
    Station.PENDING: (_PROMETHEUS, checks.rule, checks.scraped),
    Station.FIRING: (_PROMETHEUS,),
    Station.NOTIFIED: (checks.alertmanager_known, _ALERTMANAGER),
    Station.ACCEPTED: (_REMEDIATOR, _ALERTMANAGER, checks.suppressed, checks.delivered),
    Station.PLANNED: (
        _REMEDIATOR,
        checks.decided,
        checks.run_goes_well,
        checks.not_paused,
        checks.breaker_closed,
        checks.remedied,
        checks.run_waits,
    ),
    Station.APPLIED: (_REMEDIATOR, checks.run_goes_well, checks.run_waits),
    Station.VERIFIED: (_REMEDIATOR, checks.run_goes_well, checks.run_waits),
    Station.RESOLVED: (_PROMETHEUS, _REMEDIATOR, checks.ends),
}

_MORE_TIME = "raise --timeout"
_SLOW: dict[Station, Diagnosis] = {
    Station.MEASURED: Diagnosis("the exporter has not looked again yet", _MORE_TIME),
    Station.PENDING: Diagnosis(
        "Prometheus has not scraped and evaluated since", f"{_MORE_TIME} above its scrape and evaluation interval"
    ),
    Station.FIRING: Diagnosis("the alert rule waits (`for:`) before it fires", f"{_MORE_TIME} above its `for:`"),
    Station.NOTIFIED: Diagnosis("Prometheus has not sent the alert yet", f"{_MORE_TIME}; its log names send errors"),
    Station.ACCEPTED: Diagnosis("Alertmanager has not sent its webhook yet", f"{_MORE_TIME} above its group_wait"),
    Station.PLANNED: Diagnosis("the remediator has not decided about the alert", "read the remediator's log"),
    Station.APPLIED: Diagnosis("the run has not begun its actions", "read the remediator's log"),
    Station.VERIFIED: Diagnosis("the run has not measured again", "read the remediator's log"),
    Station.RESOLVED: Diagnosis("the alert has not ended yet", _MORE_TIME),
}
