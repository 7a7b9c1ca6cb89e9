"""The hosts that share a record, on the screen."""

from collections.abc import Sequence

from remediator.model.shapes.answers import Page
from remediator.model.shapes.hosts import HostView
from remediator.model.shapes.runs import RunView
from upkeeper.screens.cells import Cell, Column, state
from upkeeper.screens.screen import Screen
from upkeeper.screens.text import local


def show_hosts(screen: Screen, page: Page[HostView]) -> None:
    """Every host, a line each."""
    screen.document(page)
    screen.table(
        [
            Column("host"),
            Column("state"),
            Column("version"),
            Column("last seen"),
            Column("queue", right=True),
            Column("waiting", right=True),
            Column("alerts", right=True),
            Column("paused", wide=True),
        ],
        [
            [
                Cell(host["host"], "bold"),
                state("up" if host["up"] else "down"),
                host["version"],
                local(host["last_seen_at"]),
                str(host["queue"]),
                str(host["waiting"]),
                str(host["alerts"]),
                host["paused"] or "-",
            ]
            for host in page["items"]
        ],
        empty="no remediator has worked on this record",
    )


def show_runs_of_hosts(screen: Screen, runs: Sequence[RunView], refused: Sequence[tuple[str, str]]) -> None:
    """A run on each host, and why there is none on others."""
    screen.document({"items": list(runs), "refused": [{"host": host, "reason": why} for host, why in refused]})
    rows: list[list[Cell | str]] = [
        [run["host"], str(run["id"]), state(run["outcome"] or run["state"]), run["reason"] or "-"] for run in runs
    ]
    rows += [[host, "-", state("failed"), reason] for host, reason in refused]
    screen.table(
        [Column("host"), Column("run", right=True), Column("outcome"), Column("reason", wide=True)],
        rows,
        empty="no host is up",
    )
