"""Runs on the screen: while they go, when they are finished, and in the record."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from exporter.base.spans import ago, took
from exporter.base.units import format_bytes
from remediator.model.shapes.answers import Page
from remediator.model.shapes.runs import RunView
from remediator.progress import in_words
from remediator.tasks.health_check.notes import checks_of
from remediator.tasks.registry import figures, shows
from upkeeper.client.follow import Progress
from upkeeper.screens.alerts import more
from upkeeper.screens.cells import Cell, Column, state
from upkeeper.screens.figures import show_figures
from upkeeper.screens.findings import show_findings
from upkeeper.screens.screen import Screen
from upkeeper.screens.tasks import freed, measurement
from upkeeper.screens.text import local

Show = Callable[[RunView], None]

EVIDENCE = "evidence.json"
"""The artefact that the evidence is."""
_FEW = 5
"""Actions of a run that has just finished, and lines of each kind of evidence, that are shown unasked."""


@contextmanager
def progress(screen: Screen) -> Iterator[Show]:
    """Shows a run as it goes, on stderr: a line that moves on a terminal, a line for each step elsewhere."""
    if not screen.err.is_terminal:
        yield _in_lines(screen)
        return
    from upkeeper.screens.moving import moving_line

    with moving_line(screen.err.console) as show:
        yield lambda run: show(_title(run), Progress.of(run), _steps(Progress.of(run)))


def _in_lines(screen: Screen) -> Show:
    last: Progress | None = None

    def show(run: RunView) -> None:
        nonlocal last
        now = Progress.of(run)
        if now.worth_a_line(last):
            screen.note(f"{_title(run)}: {_steps(now)}")
            last = now

    return show


def _title(run: RunView) -> str:
    dry = " (dry run)" if run["dry_run"] else ""
    return f"run {run['id']}: {run['task']} on {run['target']}{dry}"


def _steps(done: Progress) -> str:
    parts = [f"{done.state} {done.part}" if done.part else done.state]
    if done.total:
        parts.append(f"{done.ended}/{done.total} {'tasks' if done.state == 'running' else 'actions'}")
    if done.freed_bytes:
        parts.append(f"{format_bytes(done.freed_bytes)} freed")
    if done.within:
        parts.append(done.within)
    return ", ".join(parts)


def show_queued(screen: Screen, run: RunView) -> None:
    """A run that nobody waits for."""
    screen.document(run)
    screen.line(f"{_title(run)}: {run['state']}{_clause(run.get('cancelled') or '')}; see: upkeeper show {run['id']}")


def show_summary(screen: Screen, run: RunView) -> None:
    """A run that has just finished: before, after, what was gained, the outcome."""
    screen.document(run)
    if shows(run["task"]) == "checks":
        _checks(screen, run)
        return
    if shows(run["task"]) in ("findings", "figures"):
        if shows(run["task"]) == "findings":
            show_findings(screen, run.get("rows", []), run["notes"])
        else:
            show_figures(screen, figures(run["task"]), run.get("rows", []), run["notes"])
        detail = run["before"]["detail"] if run["before"] is not None else run["reason"]
        screen.line(Cell(_title(run), "bold"), ": ", state(run["outcome"] or run["state"]), _clause(detail))
        return
    if figures(run["task"]) and run.get("rows"):
        show_figures(screen, figures(run["task"]), run["rows"], run["notes"])
    if "children" in run:
        _children(screen, run)
    elif run["dry_run"]:
        _actions(screen, run)
    few = len(run["actions"]) <= _FEW and not run["dry_run"]
    for action in run["actions"]:
        if action["state"] in ("failed", "partial") or (few and action["state"] == "done" and action["detail"]):
            screen.line(state(action["state"]), f" {action['kind']} {action['object']}: {action['detail']}")
    _facts(screen, run)


def _checks(screen: Screen, run: RunView) -> None:
    """What a health-check looked at: its measurement has a value for each check, its notes say more of it."""
    checks, _ = checks_of(run["before"]["values"] if run["before"] is not None else {}, run["notes"])
    rows: list[list[Cell | str]] = [[check["name"], state(check["state"]), check["detail"]] for check in checks]
    screen.table(
        [Column("check"), Column("result"), Column("detail", wide=True)], rows, empty="there is nothing to check"
    )
    passed = sum(check["state"] == "ok" for check in checks)
    outcome = state(run["outcome"] or run["state"])
    screen.line(Cell(_title(run), "bold"), ": ", outcome, f", {passed} of {len(checks)} checks pass")


def show_run(screen: Screen, run: RunView, *, all_evidence: bool = False) -> None:
    """All that the record holds of a run; of its evidence only the last lines, unless all of it is asked for."""
    screen.document(run)
    _facts(screen, run)
    screen.line(f"  trigger  {run['trigger']}{_by(run)}")
    screen.line(f"  asked    {local(run['requested_at'])}")
    screen.line(f"  started  {local(run['started_at'])}")
    screen.line(f"  ended    {local(run['finished_at'])}")
    if run["alert_id"] is not None:
        end = run["alert_ended_at"]
        screen.line(f"  alert    {'still firing' if end is None else f'resolved {local(end)}'}")
    if "page" in run:
        page = run["page"]
        held = "held back while the run is healthy"
        screen.line(f"  page     {held if page['ended_at'] is None else page['reason']}")
    if "progress" in run:
        screen.line(f"  at       {in_words(run['progress'], run['actions'])}")
    for note in run["notes"]:
        screen.line(f"  note     {note}")
    if run.get("rows") and shows(run["task"]) == "findings":
        show_findings(screen, run["rows"], [])
    if run.get("rows") and figures(run["task"]):
        show_figures(screen, figures(run["task"]), run["rows"], [])
    _actions(screen, run)
    if "children" in run:
        _children(screen, run)
    for made in run.get("artefacts", []):
        if made["name"] != EVIDENCE:  # shown below
            screen.line(f"  made     {made['name']}, {format_bytes(made['size'])}; for a copy: --save DIR")
    _evidence(screen, run, everything=all_evidence)


def _evidence(screen: Screen, run: RunView, *, everything: bool) -> None:
    left_out = 0
    for section in run.get("evidence") or []:
        lines = section["lines"] if everything else section["lines"][-_FEW:]
        left_out += len(section["lines"]) - len(lines)
        problem = f" {section['problem']}" if section["problem"] else ""
        screen.line(Cell(f"evidence: {section['name']}", "bold"), problem)
        for line in lines:
            screen.line(f"  {line}")
    if left_out:
        screen.line(f"{left_out} more lines of evidence: upkeeper show {run['id']} --evidence")


def _by(run: RunView) -> str:
    """Who asked for it, beside how."""
    if run["remedy"]:
        return f" by remedy {run['remedy']}, alert {run['alert_id']}"
    if run["trigger"] == "schedule":
        return f" by job {run['caller']['name']}"
    return f", a part of run {run['parent_id']}" if run["parent_id"] is not None else ""


def _facts(screen: Screen, run: RunView) -> None:
    screen.line(
        Cell(_title(run), "bold"), ": ", state(run["outcome"] or run["state"]),
        _clause(run["reason"] or run.get("cancelled") or ""),
    )  # fmt: skip
    for word, measured in (("before", run["before"]), ("after", run["after"])):
        if measured is not None:
            screen.line(f"  {word:8} ", *measurement(measured))
    if run["actions"]:
        done = sum(action["state"] == "done" for action in run["actions"])
        frees = run["freed_bytes"] or any(action["estimated_bytes"] for action in run["actions"])
        freed_words = f"{format_bytes(run['freed_bytes'])} freed, " if frees else ""
        screen.line(
            f"  actions  {done} of {len(run['actions'])} done, {freed_words}"
            f"in {took(run['started_at'], run['finished_at'])}"
        )


def _clause(reason: str) -> str:
    return f", {reason}" if reason else ""


def _actions(screen: Screen, run: RunView) -> None:
    screen.table(
        [
            Column("#", right=True),
            Column("action"),
            Column("object", wide=True),
            Column("state"),
            Column("freed", right=True),
            Column("took", right=True),
            Column("because", wide=True),
            Column("detail", wide=True),
        ],
        [
            [
                str(action["position"] + 1),
                action["kind"],
                Cell(action["object"], "bold"),
                state(action["state"]),
                freed(action["freed_bytes"]),
                took(action["started_at"], action["finished_at"]),
                action["reason"],
                action["detail"] or "-",
            ]
            for action in run["actions"]
        ],
        empty=_without_actions(run),
    )


def _children(screen: Screen, run: RunView) -> None:
    """The runs that are parts of a composite."""
    screen.table(
        [
            Column("run", right=True),
            Column("task"),
            Column("target"),
            Column("outcome"),
            Column("freed", right=True),
            Column("reason", wide=True),
        ],
        [
            [
                str(child["id"]),
                Cell(child["task"], "bold"),
                child["target"],
                state(child["outcome"] or child["state"]),
                freed(child["freed_bytes"]),
                child["reason"],
            ]
            for child in run["children"]
        ],
        empty="no part has run",
    )


def _without_actions(run: RunView) -> str:
    """What to say of a run that has no actions."""
    if run["state"] != "finished":
        return "there is no plan yet"
    return "it had nothing to do" if run["outcome"] in ("nothing-to-do", "planned") else "nothing was done"


def show_history(screen: Screen, page: Page[RunView]) -> None:
    """One line a run."""
    now = datetime.now(UTC)
    screen.document(page)
    screen.table(
        [
            Column("run", right=True),
            Column("when"),
            Column("task"),
            Column("target"),
            Column("trigger"),
            Column("outcome"),
            Column("freed", right=True),
            Column("took", right=True),
            Column("reason", wide=True),
        ],
        [
            [
                str(run["id"]),
                ago(run["requested_at"], now),
                Cell(run["task"], "bold"),
                run["target"],
                _trigger(run),
                state(run["outcome"] or run["state"]),
                freed(run["freed_bytes"]),
                took(run["started_at"], run["finished_at"]),
                run["reason"],
            ]
            for run in page["items"]
        ],
        empty="nothing has run yet",
    )
    more(screen, page["next"])


def _trigger(run: RunView) -> str:
    named = run["caller"]["name"] if run["trigger"] in ("alert", "schedule", "run") else ""
    by = f" ({named})" if named else ""
    return f"{run['trigger']}{by}{' dry' if run['dry_run'] else ''}"
