"""Makes a report of what was counted and what stands. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any

from exporter.base.text import counted, parse_time
from exporter.base.units import format_bytes
from remediator.model.shapes.remedies import RemedyView
from remediator.model.shapes.sets import SetsView
from remediator.model.shapes.status import StatusView
from remediator.model.tracks import track
from remediator.reporting.report import (
    BackupStands,
    Change,
    DayDone,
    FillsUp,
    Open,
    RemedyStands,
    State,
    TaskDone,
)
from remediator.store.figures import DAY, Deeds, Outcomes

MOST_CHANGES = 40
MOST_PACKAGES = 20
NOT_OURS = "not by Upkeeper: "
GOOD = ("effective", "nothing-to-do")
TROUBLE = ("failed", "ineffective")
PROOFS = ("checksums", "readable", "restored", "drilled")
"""From the weakest to the strongest."""


def tasks_done(outcomes: Sequence[Outcomes], deeds: Sequence[Deeds]) -> Sequence[TaskDone]:
    """What was done of each task: what gained most first, then what ran most."""
    found = []
    for task in dict.fromkeys(one.task for one in outcomes):
        mine = [one for one in outcomes if one.task == task]

        def count(word: str, mine: Sequence[Outcomes] = mine) -> int:
            return sum(one.count for one in mine if one.outcome == word and not _only_planned(one))

        runs = sum(one.count for one in mine)
        planned = sum(one.count for one in mine if _only_planned(one))
        known = {word: count(word) for word in (*GOOD, *TROUBLE)}
        done = [one for one in deeds if one.task == task]
        found.append(
            TaskDone(
                task=task,
                runs=runs,
                effective=known["effective"],
                nothing_to_do=known["nothing-to-do"],
                ineffective=known["ineffective"],
                failed=known["failed"],
                planned=planned,
                other=runs - planned - sum(known.values()),
                actions=sum(one.count for one in done),
                freed_bytes=sum(one.freed_bytes for one in done),
                seconds=sum(one.seconds for one in mine),
            )
        )
    return sorted(found, key=lambda one: (-one.freed_bytes, -one.runs, one.task))


def days_done(outcomes: Sequence[Outcomes], deeds: Sequence[Deeds], since: float, until: float) -> Sequence[DayDone]:
    """Every day of the span, those without a run too. The same runs as in ``tasks_done``, each once."""
    days = max(1, ceil((until - since) / DAY))
    counts = [[0, 0, 0, 0] for _ in range(days)]
    for one in outcomes:
        good = one.outcome in GOOD and not _only_planned(one)
        place = 0 if good else 1 if one.outcome in TROUBLE else 2
        counts[_within(one.day, days)][place] += one.count
    for deed in deeds:
        counts[_within(deed.day, days)][3] += deed.freed_bytes
    return [
        DayDone(since + day * DAY, good, trouble, other, freed)
        for day, (good, trouble, other, freed) in enumerate(counts)
    ]


def _only_planned(one: Outcomes) -> bool:
    """A plan that failed is a run without success, as it is wherever else runs are counted."""
    return one.dry_run and one.outcome not in TROUBLE


def _within(day: int, days: int) -> int:
    return min(max(day, 0), days - 1)


def open_now(
    status: StatusView, firing: Sequence[tuple[Mapping[str, str], Mapping[str, str], float]], firing_count: int
) -> Iterator[Open]:
    """What waits for somebody, the worst first."""
    for fault in status["audit"]["faults"] if "audit" in status else ():
        yield Open("problem", f"the audit is broken: {fault}", todo="upkeeper audit verify")
    shown = [one for one in firing if one[0].get("alertname") != "Watchdog"]
    for labels, annotations, at in sorted(shown, key=lambda one: one[0].get("severity") != "critical"):
        summary = annotations.get("summary") or labels.get("alertname", "an alert without a name")
        yield Open("alert", f"{labels.get('alertname', '')}: {summary}", at)
    left = firing_count - len(firing)
    if left > 0:
        yield Open("alert", counted(left, "further alert"), todo="upkeeper alerts", count=left)
    for approval in status["approvals"]:
        what = f"{approval['task']} on {approval['target']} waits for a person"
        yield Open("approval", what, _seconds(approval["asked_at"]), f"upkeeper approve {approval['id']}")
    for breaker in status["open_breakers"]:
        task, target = breaker["task"], breaker["target"]
        what = f"{task} on {target} is held back: the last runs did not help"
        yield Open("breaker", what, _seconds(breaker.get("since")), f"upkeeper breaker close {task} {target}")
    for pause in status["paused"]:
        held = pause["task"]
        what = f"{held or 'everything'} is paused: {pause['reason']}"
        yield Open("pause", what, _seconds(pause.get("since")), f"upkeeper resume{f' {held}' if held else ''}")
    if status.get("watchdog_lost"):
        yield Open("problem", "Watchdog has fallen silent: alerts may not come", todo="upkeeper status")


def _seconds(text: Any) -> float | None:
    return parse_time(text).timestamp() if isinstance(text, str) else None


def remedies_stand(remedies: Sequence[RemedyView]) -> Sequence[RemedyStands]:
    """Those with a suggestion first, then those that ran."""
    found = [
        RemedyStands(
            one["name"],
            one["task"],
            one["autonomy"],
            track(one),
            f"{one['suggestion']['autonomy']}: {one['suggestion']['reason']}" if one["suggestion"] else "",
            one["changed"]["reason"] if one["changed"] else "",
        )
        for one in remedies
        if one["track"]["runs"] or one["track"]["plans"] or one["suggestion"] or one["changed"]
    ]
    return sorted(found, key=lambda one: (not one.suggestion, not one.changed, one.name))


def backups_stand(sets: SetsView) -> Sequence[BackupStands]:
    """Each series with its newest set, and the strongest proof that is newest."""
    found = []
    for name in dict.fromkeys(one["backup"] for one in sets["items"]):
        mine = [one for one in sets["items"] if one["backup"] == name]
        dates = [at for one in mine if (at := _seconds(one["made_at"])) is not None]
        proofs = [
            (PROOFS.index(proof), at)
            for one in mine
            for proof, shown in one["proofs"].items()
            if proof in PROOFS and shown["success"] and (at := _seconds(shown["finished_at"])) is not None
        ]
        best = max(proofs, default=None)
        found.append(
            BackupStands(
                name,
                max(dates, default=None),
                len(mine),
                sum(one["bytes"] or 0 for one in mine),
                PROOFS[best[0]] if best else "",
                best[1] if best else None,
            )
        )
    unread = [BackupStands(one["backup"], None, 0, 0, problem=one["reason"]) for one in sets["unread"]]
    return [*found, *unread]


def fills_up(rows: Sequence[Mapping[str, Any]], at: float) -> Iterator[FillsUp]:
    """What was foretold at a time (Unix seconds) of each thing that can be full by itself.

    rows: as ForecastRow has them. No dates where its growth could not be told from none, nor where nothing could be
    foretold: what is said there tells which of these it is.
    """
    for row in rows:
        if row.get("limit") is None or row.get("within"):
            continue
        known = row.get("full_at") is not None and row.get("days_earliest") is not None
        latest = row.get("days_latest")
        ratio = row.get("error_ratio")
        yield FillsUp(
            str(row.get("sink", "")),
            row.get("used_ratio"),
            at + row["days_earliest"] * DAY if known else None,
            at + latest * DAY if known and latest is not None else None,
            "" if ratio is None else f"off by {ratio:.1%} of its limit, {row.get('error_days')} days ahead",
            "" if known else _not_full(row),
            _is_foretold(row),
        )


def _is_foretold(row: Mapping[str, Any]) -> bool:
    return row.get("history_days") is not None


def _not_full(row: Mapping[str, Any]) -> str:
    if _is_foretold(row) and row.get("days") is not None:
        return "not foreseen: its growth cannot be told from none"
    return str(row.get("says") or "not foretold")


def changes(before: State | None, now: State) -> Sequence[Change]:
    """What differs. Nothing is said of what was not known then or is not known now."""
    if before is None:
        return []
    found = []
    if before.config and now.config and before.config != now.config:
        found.append(Change("config", "the config has changed"))
    if before.images and now.images:
        found += _images(before.images, now.images)
    for task in sorted({*before.looked, *now.looked}):
        found += [Change("finding", what) for what in _findings(task, before, now)]
    if len(found) > MOST_CHANGES:
        left = len(found) - MOST_CHANGES
        found = [*found[:MOST_CHANGES], Change("more", f"{counted(left, 'further change')}")]
    return found


def _findings(task: str, before: State, now: State) -> Iterator[str]:
    """What a task finds that it did not, and no more: of what nobody looked at, only that."""
    was, is_ = ({id: text for id, text in one.findings.items() if id.startswith(f"{task}/")} for one in (before, now))
    if task not in now.looked:
        yield f"not looked at: {task} has no look to tell of, so whether {_known(len(was))} is gone is not known"
    elif task not in before.looked:
        yield f"not looked at before: {task} had not run at the last report, so {_known(len(is_))} may be old or new"
    elif now.looked[task] <= before.looked[task]:
        yield f"not looked at since: {task} has not looked since the last report"
    else:
        yield from (f"new: {text}" for id, text in is_.items() if id not in was)
        gone = "no longer seen, and not everything was looked at" if task in now.partly else "gone"
        yield from (f"{gone}: {text}" for id, text in was.items() if id not in is_)


def _known(count: int) -> str:
    return f"what it finds ({count})"


def packages(rows: Sequence[Mapping[str, Any]]) -> Sequence[Change]:
    """What runs did to the packages of the host, each package once, from its first version to its last.

    rows: as PackageRow has them, oldest first.
    """
    return _told([_package(*one) for one in _folded(rows)], "package", "")


def packages_of_others(entries: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> Sequence[Change]:
    """What the log of the package manager has beside what runs did: unattended upgrades, and what people typed.

    entries: as PackageRow has them, oldest first, the architecture behind each name. rows: those of runs.
    """
    ours = {(_bare(row.get("package")), str(row.get("candidate") or "")) for row in rows}
    rest = [one for one in entries if (_bare(one["package"]), str(one["candidate"])) not in ours]
    folded = [(name, before, after) for name, before, after in _folded(rest) if before != after]
    names = [_bare(name) for name, _, _ in folded]
    shown = [
        (bare if names.count(bare) == 1 else name, before, after)
        for bare, (name, before, after) in zip(names, folded, strict=True)
    ]
    return _told([_package(*one) for one in shown], "package-by-others", NOT_OURS)


def _bare(name: Any) -> str:
    """The name of a package without its architecture."""
    return str(name).partition(":")[0]


def _folded(rows: Sequence[Mapping[str, Any]]) -> Sequence[tuple[str, str, str]]:
    """Each package once, by name: its first version before and its last after, empty where it was not there."""
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    for row in rows:
        if row.get("does") in ("upgrade", "install", "remove"):
            name = str(row.get("package"))
            before.setdefault(name, str(row.get("installed") or ""))
            after[name] = str(row.get("candidate") or "")
    return [(name, before[name], after[name]) for name in sorted(after)]


def _told(texts: Sequence[str], kind: str, prefix: str) -> Sequence[Change]:
    left = len(texts) - MOST_PACKAGES
    more = [counted(left, "further package")] if left > 0 else []
    return [Change(kind, f"{prefix}{text}") for text in [*texts[:MOST_PACKAGES], *more]]


def _package(name: str, before: str, after: str) -> str:
    if not after:
        return f"package {name} {before} was removed"
    return f"package {name} was updated from {before} to {after}" if before else f"package {name} {after} was installed"


def _images(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted({*before, *now}):
        if name not in before:
            yield Change("image", f"container {name} is new, from {now[name]}")
        elif name not in now:
            yield Change("image", f"container {name} is gone")
        elif before[name] != now[name]:
            yield Change("image", f"container {name} runs another image: {now[name]}, before {before[name]}")


def state_of(document: Any) -> State | None:
    """The state in a former report; None where it is of another form."""
    try:
        kept = document["state"]
        findings = dict(kept["findings"])
        # Reports of former versions do not tell who looked: whoever found something did.
        looked = kept.get("looked", {str(id).partition("/")[0]: 0.0 for id in findings})
        times = {str(task): float(at) for task, at in looked.items()}
        return State(str(kept["config"]), dict(kept["images"]), findings, times, tuple(kept.get("partly", ())))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def in_a_sentence(runs: int, planned: int, freed: int, trouble: int, open_count: int | None) -> str:
    """A report in one line. planned, trouble: of the runs. open_count: None where it is not known."""
    only = f" ({planned} only planned)" if planned else ""
    saved = f", {format_bytes(freed)} freed" if freed else ""
    bad = f", {trouble} without success" if trouble else ""
    left = "what is open is not known" if open_count is None else f"{counted(open_count, 'thing')} open"
    return f"{counted(runs, 'run')}{only}{bad}{saved}; {left}"
