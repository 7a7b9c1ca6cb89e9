"""Problems of a config on the screen."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from exporter.base.text import counted
from exporter.configfile.problem import Problem
from remediator.model.words import TELLING_NOBODY
from upkeeper.screens.cells import Cell
from upkeeper.screens.screen import Screen
from upkeeper.screens.text import STYLES, local

_NEXT = 3
"""Jobs that are named, the next ones."""


def show_problems(
    screen: Screen,
    path: Path | None,
    problems: Sequence[Problem],
    coming: Sequence[tuple[str, str]] = (),
    *,
    silent: bool = False,
) -> None:
    """Each problem on a line of its own, then how many there are, and what the schedule runs next.

    coming: jobs and when, the soonest first. silent: nobody is told of alerts. As JSON:
    ``{"config", "problems", "schedule": [{"job", "next_at"}], "tells_nobody"}``.
    """
    screen.document({
        "config": None if path is None else str(path),
        "problems": [asdict(each) for each in problems],
        "schedule": [{"job": name, "next_at": moment} for name, moment in coming],
        "tells_nobody": silent,
    })  # fmt: skip
    for problem in problems:
        screen.line(Cell(str(problem), STYLES["failed" if problem.severity == "error" else "skipped"]))
    mistakes = sum(problem.severity == "error" for problem in problems)
    where = "no config file: the defaults are in force" if path is None else str(path)
    if mistakes:
        screen.line(f"{where}: {counted(mistakes, 'mistake')}")
    else:
        warnings = f", {counted(len(problems), 'warning')}" if problems else ""
        screen.line(f"{where}: ", Cell("good", STYLES["up"]), warnings)
    if silent:
        screen.line(Cell(TELLING_NOBODY, STYLES["waiting"]))
    if coming:
        screen.line(f"next by the schedule: {', '.join(f'{name} {local(moment)}' for name, moment in coming[:_NEXT])}")
