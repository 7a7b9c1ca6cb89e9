"""Questions to the facts of the drill, each for one likely cause. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from upkeeper.drill.facts import ALERT, LABEL, TASK, DrillFacts, ServiceName, Wiring

AT_ONCE = 0.0
SETTLING = 10.0
"""Seconds in which what has just been started finds the others: Prometheus takes five for its targets."""


@dataclass(frozen=True)
class Diagnosis:
    """A likely cause and its remedy, a sentence each.

    certain_after: when the cause has lasted for so many seconds, the drill cannot get past the station; None: it may
    only need more time.
    """

    cause: str
    remedy: str
    certain_after: float | None = None


Check = Callable[[DrillFacts], Diagnosis | None]


def reachable(name: ServiceName, start: str) -> Check:
    """Whether a service answers; ``start``: what to do when it does not."""

    def check(facts: DrillFacts) -> Diagnosis | None:
        if name not in facts.unreachable:
            return None
        return Diagnosis(
            f"{name} at {facts.urls[name]} gives no answer: {facts.unreachable[name]}", start, certain_after=SETTLING
        )

    return check


def with_wiring(check: Callable[[DrillFacts, Wiring], Diagnosis | None]) -> Check:
    """A check that needs the wiring, and asks nothing while that is not known."""
    return lambda facts: check(facts, facts.wiring) if facts.wiring is not None else None


def collector(facts: DrillFacts) -> Diagnosis | None:
    """Whether the exporter's collector works."""
    if facts.exporter.collector_works is False:
        return Diagnosis(
            "the exporter's collector `logs` fails",
            "read the exporter's log; `curl` its /metrics for upkeeper_collector_success",
        )
    return None


def watched(facts: DrillFacts) -> Diagnosis | None:
    """Whether the exporter watches the directory, and has seen it grow."""
    seen = facts.exporter
    if seen.max_bytes is None:
        return Diagnosis(
            f"the exporter does not watch the drill's directory {facts.state_dir / 'drill'}",
            f"start the exporter with --state-dir {facts.state_dir}, and leave collectors.logs enabled",
        )
    if not seen.over_limit:
        return Diagnosis(
            f"the exporter still shows {seen.allocated_bytes or 0:.0f} bytes of at most {seen.max_bytes:.0f}",
            "raise --timeout above the interval of the collector `logs` (collectors.logs.interval)",
        )
    return None


@with_wiring
def rule(facts: DrillFacts, wiring: Wiring) -> Diagnosis | None:
    """Whether Prometheus has the alert rule."""
    if wiring.rule_loaded:
        return None
    return Diagnosis(
        f"Prometheus at {facts.urls['prometheus']} has not loaded the rule {ALERT}",
        "add Upkeeper's rules/*.yml to rule_files and reload Prometheus",
        certain_after=SETTLING,
    )


@with_wiring
def scraped(facts: DrillFacts, wiring: Wiring) -> Diagnosis | None:
    """Whether Prometheus scrapes the exporter."""
    where = f"Prometheus at {facts.urls['prometheus']}"
    if wiring.target == "missing":
        return Diagnosis(
            f"{where} does not scrape the exporter",
            f"add a job upkeeper-exporter with the target {facts.urls['exporter']} to scrape_configs",
            certain_after=SETTLING,
        )
    if wiring.target == "down":
        return Diagnosis(
            f"{where} cannot scrape the exporter: {wiring.target_error or 'no reason given'}",
            "make the exporter reachable from Prometheus; --listen says where it listens",
            certain_after=SETTLING,
        )
    return None


@with_wiring
def alertmanager_known(facts: DrillFacts, wiring: Wiring) -> Diagnosis | None:
    """Whether Prometheus sends to the Alertmanager that the drill asks."""
    if wiring.alertmanagers is None:
        return None
    ours = facts.urls["alertmanager"]
    if not wiring.alertmanagers:
        return Diagnosis(
            "Prometheus has no Alertmanager to send alerts to",
            f"add {ours} to alerting.alertmanagers of its config",
            certain_after=SETTLING,
        )
    if not any(url.startswith(ours) for url in wiring.alertmanagers):
        return Diagnosis(
            f"Prometheus sends alerts to {', '.join(wiring.alertmanagers)}, and the drill asks {ours}",
            "name the right one: --alertmanager-url, or alertmanager.url in the config",
        )
    return None


def suppressed(facts: DrillFacts) -> Diagnosis | None:
    """Whether a silence or an inhibition holds the alert back."""
    if facts.alertmanager.suppressed_by is None:
        return None
    return Diagnosis(
        f"Alertmanager suppresses the alert: {facts.alertmanager.suppressed_by}",
        "expire that silence, or wait until the inhibiting alert has ended",
        certain_after=AT_ONCE,
    )


@with_wiring
def delivered(facts: DrillFacts, wiring: Wiring) -> Diagnosis | None:
    """What became of Alertmanager's webhooks."""
    where = f"the remediator at {facts.urls['remediator']}"
    if wiring.webhooks_rejected:
        reasons = ", ".join(sorted(wiring.webhooks_rejected))
        return Diagnosis(
            f"{where} rejected Alertmanager's webhook: {reasons}",
            f"set Alertmanager's credentials_file to {facts.state_dir / 'tokens' / 'alertmanager'}",
        )
    if wiring.webhooks_failed:
        return Diagnosis(
            "Alertmanager's webhooks fail, and none of them reached the remediator",
            f"set its webhook url to {facts.urls['remediator']}/api/v1/alertmanager; its log names the error",
        )
    if not wiring.webhooks_sent:
        return Diagnosis(
            "Alertmanager has sent no webhook: no route of it leads to the remediator, or group_wait is long",
            f"route to a receiver with the webhook url {facts.urls['remediator']}/api/v1/alertmanager",
        )
    return Diagnosis(
        "Alertmanager sends webhooks, but none with this alert reached the remediator",
        f"check that the route to {facts.urls['remediator']}/api/v1/alertmanager matches {ALERT}",
    )


@with_wiring
def not_paused(facts: DrillFacts, wiring: Wiring) -> Diagnosis | None:
    """Whether the task may run at all."""
    for pause in wiring.pauses:
        if pause["task"] in (None, TASK):
            what = f" {pause['task']}" if pause["task"] else ""
            return Diagnosis(
                f"the remediator is paused{what}: {pause['reason']}", f"upkeeper resume{what}", certain_after=AT_ONCE
            )
    return None


@with_wiring
def breaker_closed(facts: DrillFacts, wiring: Wiring) -> Diagnosis | None:
    """Whether the breaker of the drill's target is closed."""
    for breaker in wiring.breakers:
        if (breaker["task"], breaker["target"]) == (TASK, facts.target):
            return Diagnosis(
                f"the breaker of {TASK} on {facts.target} is open: earlier drills did not help",
                f"see `upkeeper history` for why, then: upkeeper breaker close {TASK} {facts.target}",
                certain_after=AT_ONCE,
            )
    return None


@with_wiring
def remedied(facts: DrillFacts, wiring: Wiring) -> Diagnosis | None:
    """Whether a remedy acts on the alert."""
    if wiring.remedies is None:
        return None
    fitting = [
        remedy
        for remedy in wiring.remedies
        if remedy["task"] == TASK and (remedy["target_label"] == LABEL or remedy["target"] == facts.target)
    ]
    if not fitting:
        return Diagnosis(
            f"no remedy runs {TASK} on the alert's label {LABEL}",
            f"add a remedy for {ALERT} with task {TASK} and target_label {LABEL} to the config",
            certain_after=AT_ONCE,
        )
    if all(one["autonomy"] == "observe" for one in fitting):
        names = ", ".join(one["name"] for one in fitting)
        return Diagnosis(
            f"the remedy {names} only observes",
            f"set `autonomy: auto` for {names} in the config",
            certain_after=AT_ONCE,
        )
    return None


_GUARD_REMEDIES = {
    "paused": "upkeeper resume",
    "cooldown": "wait until the cooldown is over and drill again, or shorten the remedy's `cooldown:`",
    "rate": "wait and drill again, or raise the remedy's `rate:`",
    "breaker": "see `upkeeper history` for why; then `upkeeper breaker close`",
    "in-flight": "wait until the current run has finished, and drill again",
}


def decided(facts: DrillFacts) -> Diagnosis | None:
    """What the remediator decided about the alert."""
    decision = facts.remediator.decision
    if decision is None or decision["verdict"] == "run":
        return None
    if decision["verdict"] == "blocked":
        guard = decision["guard"] or ""
        return Diagnosis(
            f"the guard {guard} blocks the run: {decision['reason']}",
            _GUARD_REMEDIES.get(guard, "see `upkeeper status` and `upkeeper decisions`"),
            certain_after=AT_ONCE,
        )
    causes = {
        "observe": (
            f"the remedy {decision['remedy']} only observes",
            f"set `autonomy: auto` for {decision['remedy']} in the config",
        ),
        "unmatched": (
            "no remedy matches the drill's alert",
            f"add a remedy for {ALERT} with task {TASK} and target_label {LABEL} to the config",
        ),
        "no-target": (
            f"the alert selects no target: {decision['reason']}",
            f"set the remedy's target_label to {LABEL}, and start the remediator with --state-dir {facts.state_dir}",
        ),
    }
    unknown = (f"the decision was {decision['verdict']}: {decision['reason']}", "see `upkeeper decisions`")
    cause, remedy = causes.get(decision["verdict"], unknown)
    return Diagnosis(cause, remedy, certain_after=AT_ONCE)


def run_goes_well(facts: DrillFacts) -> Diagnosis | None:
    """Whether the run helped, once it has ended."""
    run = facts.remediator.run
    if run is None or run["outcome"] in (None, "effective"):
        return None
    return Diagnosis(
        f"run {run['id']} ended {run['outcome']}: {run['reason'] or 'no reason given'}",
        f"upkeeper show {run['id']}",
        certain_after=AT_ONCE,
    )


def run_waits(facts: DrillFacts) -> Diagnosis | None:
    """How far the run is while it has not ended."""
    run = facts.remediator.run
    if run is None or run["state"] == "finished":
        return None
    if run["state"] == "queued":
        return Diagnosis(
            f"run {run['id']} waits in the queue", "see `upkeeper status` for what runs; remediator.workers is how many"
        )
    return Diagnosis(f"run {run['id']} is still {run['state']}", f"raise --timeout, and see: upkeeper show {run['id']}")


def ends(facts: DrillFacts) -> Diagnosis | None:
    """Who still takes the alert for firing."""
    if facts.prometheus.alert is not None:
        return Diagnosis(
            "the alert still fires in Prometheus although the directory is below its limit again",
            "raise --timeout above the exporter's interval, the scrape and the evaluation interval together",
        )
    return Diagnosis(
        "the alert has ended in Prometheus, but the remediator was not notified",
        "set send_resolved: true for Alertmanager's webhook, and raise --timeout above its group_interval",
    )
