"""A backtest on the screen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exporter.base.text import counted, parse_time
from exporter.base.units import format_duration
from remediator.model.backtest import BacktestRemedy, BacktestView
from upkeeper.screens.cells import Cell, Column, state
from upkeeper.screens.screen import Screen
from upkeeper.screens.text import local

MOST_GAPS = 5


@contextmanager
def reading(screen: Screen) -> Iterator[Callable[[float], None]]:
    """Shows how much has been read, on stderr, each tenth."""
    last = 0

    def show(share: float) -> None:
        nonlocal last
        if int(share * 10) > last:
            last = int(share * 10)
            screen.note(Cell(f"read {last * 10} % of the history", "dim"))

    yield show if screen.err.is_terminal else lambda _: None


def show_backtest(screen: Screen, view: BacktestView) -> None:
    """The time, the remedies, what none matches, and what the figures do not tell."""
    screen.document(view)
    version = f" {view['version']}" if view["version"] else ""
    screen.line(
        Cell(counted(view["episodes"], "episode"), "bold"),
        f" of alerts from {local(view['since'])} to {local(view['until'])},"
        f" every {format_duration(view['step'])}, from Prometheus{version} at {view['prometheus']}",
    )
    if view["external_labels"]:
        labels = " ".join(f"{name}={value}" for name, value in sorted(view["external_labels"].items()))
        screen.line(f"with its external labels: {labels}")
    screen.line()
    screen.table(
        [
            Column("remedy"),
            Column("task"),
            Column("autonomy"),
            Column("episodes", right=True),
            Column("runs", right=True),
            Column("plans", right=True),
            Column("to approve", right=True),
            Column("never ran", right=True),
            Column("no target", right=True),
            Column("blocked by", wide=True),
        ],
        [
            [
                Cell(remedy["name"], "bold"),
                remedy["task"],
                state(remedy["autonomy"]),
                _count(remedy["episodes"]),
                _count(remedy["runs"]),
                _count(remedy["plans"]),
                _count(remedy["approvals"]),
                _count(remedy["held_back"]),
                _count(remedy["no_target"]),
                _blocked(remedy),
            ]
            for remedy in view["remedies"]
        ],
        empty="there are no remedies",
    )
    for remedy in view["remedies"]:
        if remedy["why_no_target"] is not None:
            screen.line(Cell(f"{remedy['name']} ", "bold"), f"has no target: {remedy['why_no_target']}")
    if view["unmatched"]:
        screen.line()
        names = ", ".join(f"{each['alertname']} ({each['episodes']})" for each in view["unmatched"])
        screen.line(Cell("no remedy matches: ", "bold"), names)
    screen.line()
    _gaps(screen, view)
    for note in view["notes"]:
        screen.line(Cell("note: ", "dim"), note)


def _gaps(screen: Screen, view: BacktestView) -> None:
    for gap in view["gaps"][:MOST_GAPS]:
        seconds = (parse_time(gap["ends"]) - parse_time(gap["begins"])).total_seconds()
        screen.line(Cell("gap: ", "dim"), f"from {local(gap['begins'])} for {format_duration(seconds)}")
    if len(view["gaps"]) > MOST_GAPS:
        screen.line(Cell("gap: ", "dim"), f"and {len(view['gaps']) - MOST_GAPS} more; --json lists them")
    if view["restarts"]:
        times = ", ".join(local(at) for at in view["restarts"][-MOST_GAPS:])
        screen.line(Cell("restarts: ", "dim"), f"{len(view['restarts'])}, the last at {times}")


def _count(number: int) -> str:
    return str(number) if number else "-"


def _blocked(remedy: BacktestRemedy) -> str:
    return ", ".join(f"{guard} ({episodes})" for guard, episodes in remedy["blocked"].items()) or "-"
