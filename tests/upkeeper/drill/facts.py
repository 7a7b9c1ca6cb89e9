"""DrillFacts of a drill for tests: the stack when all is well, at each station."""

from dataclasses import replace
from pathlib import Path

from tests.upkeeper.shapes import action, alert, decision, remedy, run
from upkeeper.drill.facts import Alertmanager, DrillFacts, Exporter, Prometheus, Remediator, Wiring
from upkeeper.drill.stations import Station

MIB = 1024.0**2
URLS = {
    "exporter": "http://127.0.0.1:10746",
    "remediator": "http://127.0.0.1:10747",
    "prometheus": "http://127.0.0.1:10748",
    "alertmanager": "http://127.0.0.1:10749",
}
WIRED = Wiring(alertmanagers=["http://127.0.0.1:10749/api/v2/alerts"], remedies=[remedy()])

QUIET = DrillFacts("upkeeper-drill", Path("/state"), URLS)  # type: ignore[arg-type]
"""Before the breach."""

OVER = Exporter(2.3 * MIB, MIB, True)
_STEPS = {
    Station.MEASURED: {"exporter": OVER},
    Station.PENDING: {"prometheus": Prometheus("pending", 1001.0)},
    Station.FIRING: {"prometheus": Prometheus("firing", 1001.0)},
    Station.NOTIFIED: {"alertmanager": Alertmanager(alert=True)},
    Station.ACCEPTED: {"remediator": Remediator(alert(), decision(run_id=None))},
    Station.PLANNED: {
        "remediator": Remediator(
            alert(), decision(), run(state="applying", outcome=None, actions=[action(0), action(1, "planned")])
        )
    },
    Station.APPLIED: {"remediator": Remediator(alert(), decision(), run(state="verifying", outcome=None))},
    Station.VERIFIED: {
        "exporter": Exporter(0.2 * MIB, MIB, True),
        "remediator": Remediator(alert(), decision(), run()),
    },
    Station.RESOLVED: {
        "prometheus": Prometheus(),
        "alertmanager": Alertmanager(),
        "remediator": Remediator(alert(status="resolved"), decision(), run()),
    },
}


def at(station: Station) -> DrillFacts:
    """What a healthy stack says when the drill has just passed a station."""
    facts = QUIET
    for step, changes in _STEPS.items():
        facts = replace(facts, **changes)  # type: ignore[arg-type]
        if step == station:
            break
    return facts
