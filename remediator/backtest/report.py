"""What a replay comes to: by remedy, and what it does not tell. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from exporter.base.errors import UpkeeperError
from exporter.base.text import counted, format_time
from exporter.base.units import format_duration
from remediator.backtest.history import History
from remediator.backtest.known import Known
from remediator.backtest.replay import Made, Replayed
from remediator.config.guards import Budget
from remediator.decide.remedies import Remedies
from remediator.decide.subjects import Targets
from remediator.model.backtest import BacktestRemedy, BacktestView, ReplayedRunView, UnmatchedView

DOUBTFUL = 600.0
"""Seconds after a restart or a gap in which an alert may begin again that had never ended: Prometheus before 3 forgets
a `for` of less than ten minutes, and answers with old samples for five.
"""
MOST_RUNS = 1000
"""Of the runs, so many are listed, the newest."""


def report(
    history: History,
    remedies: Remedies,
    targets: Targets,
    replayed: Replayed,
    known: Known,
    *,
    url: str,
    assume: str,
    took: float,
) -> BacktestView:
    """The replay of a history."""
    matched = {made.alert for made in replayed.decisions if made.remedy is not None}
    unmatched = [episode for index, episode in enumerate(history.episodes) if index not in matched]
    doubtful = sum(_is_doubtful(episode.begins, history) for episode in history.episodes)
    return {
        "since": format_time(history.since),
        "until": format_time(history.until),
        "step": history.interval,
        "prometheus": url,
        "version": history.version,
        "external_labels": dict(history.external),
        "assume": assume,
        "run_seconds": took,
        "gaps": [{"begins": format_time(gap.begins), "ends": format_time(gap.ends)} for gap in history.gaps],
        "restarts": [format_time(at) for at in history.restarts],
        "episodes": len(history.episodes),
        "doubtful": doubtful,
        "remedies": [_remedy(remedy.name, remedy.task, remedy.autonomy, replayed) for remedy in remedies.remedies],
        "unmatched": _unmatched(episode.labels for episode in unmatched),
        "runs": _runs(history, replayed),
        "notes": list(_notes(history, remedies, targets, replayed, known, doubtful, assume)),
    }


def _remedy(name: str, task: str, autonomy: str, replayed: Replayed) -> BacktestRemedy:
    mine = [made for made in replayed.decisions if made.remedy == name]
    runs = [run for run in replayed.runs if run.remedy == name]
    ran = {run.alert for run in runs if run.outcome != "blocked"}
    waited = {made.alert for made in mine if made.decision.verdict == "run" and made.run_id is None}
    blocked: dict[str, set[int]] = {}
    for made in mine:
        if made.decision.verdict == "blocked":
            blocked.setdefault(made.decision.guard or "", set()).add(made.alert)
    held = {alert for alerts in blocked.values() for alert in alerts} - ran - waited
    return {
        "name": name,
        "task": task,
        "autonomy": autonomy,
        "episodes": len({made.alert for made in mine}),
        "runs": sum(not run.dry and run.outcome != "blocked" for run in runs),
        "plans": sum(run.dry for run in runs),
        "approvals": len(waited),
        "blocked": {guard: len(alerts) for guard, alerts in sorted(blocked.items())},
        "held_back": len(held),
        "no_target": len({made.alert for made in mine if made.decision.verdict == "no-target"}),
        "why_no_target": _most_common(made.decision.reason for made in mine if made.decision.verdict == "no-target"),
    }


def _most_common(texts: Iterable[str]) -> str | None:
    return next((text for text, _ in Counter(texts).most_common(1)), None)


def _unmatched(labels: Iterable[Mapping[str, str]]) -> list[UnmatchedView]:
    names = Counter(each.get("alertname", "") for each in labels)
    return [{"alertname": name, "episodes": count} for name, count in names.most_common()]


def _runs(history: History, replayed: Replayed) -> list[ReplayedRunView]:
    return [
        {
            "at": format_time(run.begins),
            "remedy": run.remedy,
            "task": run.subject.task,
            "target": run.subject.target,
            "dry_run": run.dry,
            "labels": dict(history.episodes[run.alert].labels),
        }
        for run in [run for run in replayed.runs if run.outcome != "blocked"][: -MOST_RUNS - 1 : -1]
    ]


def _is_doubtful(begins: float, history: History) -> bool:
    ends = [*history.restarts, *(gap.ends for gap in history.gaps)]
    return any(0 <= begins - end < DOUBTFUL for end in ends)


def _notes(
    history: History,
    remedies: Remedies,
    targets: Targets,
    replayed: Replayed,
    known: Known,
    doubtful: int,
    assume: str,
) -> Iterable[str]:
    """What one must know to believe the figures."""
    if assume == "effective":
        yield "whether a run would have helped cannot be known: each is taken to have ended its alert"
    else:
        yield "whether a run would have helped cannot be known: each is taken to have changed nothing"
    yield "targets are those that there are now"
    yield from _remembered(history, known)
    for at, remedy, level in replayed.demoted:
        yield f"{remedy} would have lost some of its autonomy at {format_time(at)}: {level} from then on"
    unplanned = _unplanned(remedies, replayed, known)
    if unplanned:
        yield (
            f"the budget of {', '.join(unplanned)} was not asked where the record has no plan of that task on that"
            " target; elsewhere a plan is taken to have been as that of the last run"
        )
    if replayed.not_replayed:
        guards = ", ".join(replayed.not_replayed)
        yield f"not replayed: {guards}; what they go by, such as the plan of a run, nobody has kept"
    blind = sum(gap.seconds for gap in history.gaps)
    if blind:
        share = f"{counted(len(history.gaps), 'gap')}, {format_duration(round(blind))} in all"
        yield f"Prometheus knows nothing of some of the time ({share}): alerts of then are not among these"
    bridged = sum(episode.across(gap) for episode in history.episodes for gap in history.gaps)
    if bridged:
        yield f"{counted(bridged, 'time')} an alert fired before and after a gap; it is taken for one that went on"
    if doubtful:
        yield (
            f"{counted(doubtful, 'episode')} began within {format_duration(DOUBTFUL)} after a restart or a gap:"
            " it may be the outage before that again"
        )
    if history.relabels:
        yield "Prometheus relabels alerts (alert_relabel_configs): what matchers see then is not what is shown here"
    for task, found in targets.items():
        if isinstance(found, UpkeeperError):
            yield f"the targets of {task} cannot be told now, so that it would not run: {found}"
    for query, answer in history.gates.items():
        if isinstance(answer, str):
            yield f"the gate {query} cannot be replayed, and counts as closed: {answer}"


def _remembered(history: History, known: Known) -> Iterable[str]:
    """From when on what is known."""
    what = "pauses, breakers closed by hand and changes of autonomy"
    if known.since is None:
        yield f"{what} are left out: there is no record here"
    elif known.since > history.since:
        yield f"{what} are those of the record, which reaches back to {format_time(known.since)}"
    else:
        yield f"{what} are those of the record"
    if known.muted_since is not None:
        since = f", which tells of those that ended after {format_time(known.muted_since)}"
        told = since if known.muted_since > history.since else ""
        yield f"silences are those of Alertmanager{told}; mute times and inhibitions are left out"
    yield from known.why_not


def _unplanned(remedies: Remedies, replayed: Replayed, known: Known) -> Sequence[str]:
    """The remedies with a budget of which a run was replayed whose plan nobody knows."""
    limited = {one.name for one in remedies.remedies if one.budget != Budget()}
    places = {(run.remedy, run.subject.task, run.subject.target) for run in replayed.runs if run.remedy in limited}
    return sorted({remedy for remedy, *place in places if not known.plans.get((place[0], place[1]))})


def decided(made: Sequence[Made]) -> list[tuple[float, int, str | None, str, str | None]]:
    """Decisions in short: when, about which episode, of which remedy, the verdict and the guard."""
    return [(one.at, one.alert, one.remedy, one.decision.verdict, one.decision.guard) for one in made]
