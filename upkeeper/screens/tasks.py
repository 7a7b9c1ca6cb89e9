"""Tasks, remedies and plans on the screen."""

from collections.abc import Iterator

from exporter.base.text import counted
from exporter.base.units import format_bytes, format_duration
from remediator.model.shapes.answers import Page
from remediator.model.shapes.plans import PartPlanView, PlanBody, PlanView
from remediator.model.shapes.remedies import RemedyView
from remediator.model.shapes.runs import MeasurementView
from remediator.model.shapes.tasks import TaskView
from remediator.model.tracks import track
from remediator.tasks.registry import figures, shows
from upkeeper.screens.cells import Cell, Column, state
from upkeeper.screens.figures import show_figures
from upkeeper.screens.findings import show_findings
from upkeeper.screens.screen import Screen
from upkeeper.screens.text import STYLES, local


def show_tasks(screen: Screen, page: Page[TaskView]) -> None:
    """Every task, its targets, and what it never touches."""
    screen.document(page)
    screen.table(
        [Column("task"), Column("does", wide=True), Column("disruption"), Column("targets", wide=True)],
        [
            [Cell(task["name"], "bold"), task["summary"], task["disruption"], ", ".join(task["targets"]) or "-"]
            for task in page["items"]
        ],
        empty="there are no tasks",
    )
    for task in page["items"]:
        if task["never"]:
            screen.line()
            screen.line(Cell(task["name"], "bold"), " never touches:")
        for item in task["never"]:
            screen.line(f"  {item}")


def show_remedies(screen: Screen, page: Page[RemedyView]) -> None:
    """Every remedy with its track, and what it waits for."""
    screen.document(page)
    screen.table(
        [
            Column("remedy"),
            Column("task"),
            Column("target"),
            Column("autonomy"),
            Column("cooldown", right=True),
            Column("track", wide=True),
            Column("on alerts", wide=True),
        ],
        [
            [
                Cell(remedy["name"], "bold"),
                remedy["task"],
                _target(remedy),
                state(remedy["autonomy"]),
                format_duration(remedy["cooldown"]),
                track(remedy),
                ", ".join(remedy["match"]),
            ]
            for remedy in page["items"]
        ],
        empty="there are no remedies: alerts are recorded and nothing runs",
    )
    limited: dict[str, list[str]] = {}
    for remedy in page["items"]:
        for line in limits(remedy):
            limited.setdefault(line, []).append(remedy["name"])
    for line, names in limited.items():
        whose = "each remedy" if len(names) == len(page["items"]) > 1 else ", ".join(names)
        screen.line(Cell(whose, "bold"), f": {line}")
    for remedy in page["items"]:
        for words, said in trust(remedy):
            screen.line(Cell(words, STYLES["warning"]), said)
        for target in remedy["open_breakers"]:
            screen.line(Cell("breaker open ", STYLES["open"]), f"{remedy['name']}: {remedy['task']} on {target}")


def trust(remedy: RemedyView) -> Iterator[tuple[str, str]]:
    """Whether a remedy may do more or less than the config says, and what it has shown. An older remediator tells none
    of it.
    """
    changed, suggestion = remedy.get("changed"), remedy.get("suggestion")
    if changed is not None:
        said = f"the config says {remedy['configured_autonomy']}; since {local(changed['since'])} {changed['reason']}"
        yield f"{remedy['autonomy']} ", f"{remedy['name']}: {said}: upkeeper autonomy reset {remedy['name']}"
    if suggestion is not None:
        how = f"upkeeper autonomy promote {remedy['name']} --to {suggestion['autonomy']}"
        yield f"could be {suggestion['autonomy']} ", f"{remedy['name']}: {suggestion['reason']}: {how}"


def limits(remedy: RemedyView) -> Iterator[str]:
    """What limits a remedy beside its cooldown, its rate and its breaker. An older remediator tells none of it."""
    if remedy.get("window"):
        from remediator.config.window import Window, said  # seldom needed, and slow to import

        yield f"begins {said([Window.model_validate(window) for window in remedy['window']])}"
    for query in remedy.get("gate", ()):
        yield f"needs a result of {query}"
    budget = remedy.get("budget", {})
    for span in ("run", "day"):
        size, items = budget.get(f"bytes_per_{span}"), budget.get(f"items_per_{span}")
        parts = [*([format_bytes(size)] if size is not None else []), *([counted(items, "object")] if items else [])]
        if parts:
            yield f"removes at most {' and '.join(parts)} a {span}"
    storm = remedy.get("storm", {})
    if storm.get("alerts"):
        within = format_duration(storm["within"] or 0)
        yield f"stops when more than {storm['alerts']} alerts begin within {within}"


def _target(remedy: RemedyView) -> str:
    if remedy["target"] is not None:
        return remedy["target"]
    label = f"label {remedy['target_label']}"
    chosen = dict.fromkeys((remedy["targets"] or {}).values())
    return f"{label}: {', '.join(chosen)}" if chosen else label


def show_plan(screen: Screen, plan: PlanView) -> None:
    """What a task would do, what it leaves alone, and what would block it."""
    screen.document(plan)
    for child in plan.get("children", ()):
        _show_plan(screen, child)
        screen.line()
    _show_plan(screen, plan)


def _show_plan(screen: Screen, plan: PlanView | PartPlanView) -> None:
    screen.line(Cell(f"{plan['task']} on {plan['target']}", "bold"), ": ", *measurement(plan["measurement"]))
    show_body(screen, plan["task"], plan["plan"])
    for guard in plan["guards"]:
        if guard["guard"] == "approval":
            screen.line(Cell("a run now would wait for a person", STYLES["waiting"]), f": {guard['reason']}")
        else:
            blocked = Cell("a run now would be blocked", STYLES["blocked"])
            screen.line(blocked, f" by {guard['guard']}: {guard['reason']}")


def show_body(screen: Screen, task: str, plan: PlanBody) -> None:
    """What a task would do, and what it leaves alone."""
    if shows(task) == "findings":
        show_findings(screen, plan.get("rows", []), plan["notes"])
        return
    if shows(task) == "figures":
        show_figures(screen, figures(task), plan.get("rows", []), plan["notes"])
        return
    if figures(task) and plan.get("rows"):
        show_figures(screen, figures(task), plan["rows"], [])
    actions = plan["actions"]
    screen.table(
        [Column("action"), Column("object", wide=True), Column("frees", right=True), Column("because", wide=True)],
        [[action["kind"], action["object"], freed(action["estimated_bytes"]), action["reason"]] for action in actions],
        empty="there is nothing to do",
    )
    total = sum(action["estimated_bytes"] for action in actions)
    if actions:
        count = counted(len(actions), "action")
        screen.line(f"{count}, to free about {format_bytes(total)}" if total else count)
    for note in plan["notes"]:
        screen.line(Cell("note: ", "dim"), note)


def measurement(measured: MeasurementView) -> tuple[Cell, Cell]:
    """A measurement in one line."""
    word = Cell("breached", STYLES["firing"]) if measured["breached"] else Cell("good", STYLES["up"])
    return word, Cell(f", {measured['detail']}" if measured["detail"] else "")


def freed(count: int) -> str:
    """Bytes freed; a dash for none."""
    return format_bytes(count) if count else "-"
