"""The drill on the screen: a table that fills on a terminal, a line for each station elsewhere, and a picture of it."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from exporter.base.visible import visible
from upkeeper.drill.drill import Report
from upkeeper.drill.stations import MEANING, Station
from upkeeper.screens.cells import Cell
from upkeeper.screens.screen import Screen
from upkeeper.screens.text import STYLES

_PICTURE_WIDTH = 86


@contextmanager
def watching(screen: Screen) -> Iterator[Callable[[Report], None]]:
    """Shows the drill as it goes: on stdout, or with JSON on stderr."""
    output = screen.err if screen.as_json else screen.out
    if not output.is_terminal:
        yield _in_lines(screen.note if screen.as_json else screen.line)
        return
    spinner = Spinner("dots", style=STYLES["running"])
    with Live(console=output.console, refresh_per_second=10) as live:
        yield lambda report: live.update(_picture(report, spinner))


def _in_lines(line: Callable[[str], None]) -> Callable[[Report], None]:
    told: set[str] = set()

    def show(report: Report) -> None:
        if report.note and report.note not in told:
            told.add(report.note)
            line(report.note)
        for station, at in report.progress.passed.items():
            if station not in told:
                told.add(station)
                line(f"{_seconds(at - report.progress.started):>9}  {station:9}  {MEANING[station]}")
        if report.ended:
            for text, _ in _conclusion(report):
                line(text)

    return show


def _picture(report: Report, spinner: RenderableType) -> Group:
    """The stations, ticked as far as they are passed, and the conclusion below when it has ended."""
    progress = report.progress
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("station")
    table.add_column("what it means", overflow="fold")
    table.add_column("after", justify="right")
    table.add_column("took", justify="right")
    before = progress.started
    for station in Station:
        at = progress.passed.get(station)
        if at is None:
            mark = _waiting(report, station, spinner)
            table.add_row(mark, Text(station, style="dim"), Text(MEANING[station], style="dim"), "", "")
            continue
        times = (_seconds(at - progress.started), _seconds(at - before))
        table.add_row(Text("✔", style=STYLES["done"]), Text(station, style="bold"), MEANING[station], *times)
        before = at
    lines = [Text(visible(text), style=style) for text, style in _conclusion(report)] if report.ended else []
    if report.note and not report.ended:
        lines.append(Text(report.note, style="dim"))
    return Group(table, *lines)


def _seconds(seconds: float) -> str:
    """The looks at the services are half a second apart, so more digits would say nothing."""
    return f"{seconds:.1f} s"


def _waiting(report: Report, station: Station, spinner: RenderableType) -> RenderableType:
    if report.stuck is not None and report.stuck.station == station:
        return Text("✘", style=STYLES["failed"])
    return spinner if report.progress.current == station and not report.ended else Text(" ")


def _conclusion(report: Report) -> list[tuple[str, str]]:
    """Lines with their style: that it works, or where it stuck, why, and what to do."""
    if report.stuck is None:
        total = max(report.progress.passed.values()) - report.progress.started
        run = f", by run {report.run_id}" if report.run_id is not None else ""
        return [(f"the loop works: from the breach to the end of the alert in {_seconds(total)}{run}", "bold green")]
    found = report.stuck.diagnosis
    return [
        (f"stuck before {report.stuck.station}: {MEANING[report.stuck.station]}", "bold red"),
        (f"  likely cause: {found.cause}", ""),
        (f"  remedy:       {found.remedy}", ""),
    ]


def picture(report: Report) -> str:
    """The finished drill as an SVG document that fetches nothing: fonts are those of the reader's machine."""
    console = Console(
        record=True, width=_PICTURE_WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor",
        markup=False, highlight=False, legacy_windows=False,
    )  # fmt: skip
    console.print(Text.assemble(("$ ", "dim"), ("upkeeper drill", "bold")))
    console.print(_picture(report, Text(" ")))
    svg = console.export_svg(title="upkeeper drill", unique_id="upkeeper-drill")
    return re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL)


def show_written(screen: Screen, path: str) -> None:
    """Says where the picture lies."""
    screen.note(Cell("picture: ", "dim"), path)
