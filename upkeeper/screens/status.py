"""The stack at a glance, pauses and breakers on the screen."""

from collections.abc import Sequence
from datetime import UTC, datetime

from remediator.model.shapes import BreakerView, PauseView, StatusView
from upkeeper.look.status import Overview, ServiceView
from upkeeper.screens.screen import Cell, Column, Screen, state
from upkeeper.screens.tasks import track
from upkeeper.screens.text import STYLES, ago, local


def show_status(screen: Screen, seen: Overview) -> None:
    """Problems first, then the services, what is held back, what runs, what ran, and the remedies."""
    now = datetime.now(UTC)
    status = seen["remediator"]
    screen.document(seen)
    for problem in seen["problems"]:
        screen.line(Cell("look: ", STYLES["failed"]), problem)
    screen.table(
        [Column("service"), Column("state"), Column("url", wide=True)],
        [_service(service) for service in seen["services"]],
    )
    _holds(screen, status)
    running = [f"{run['task']} on {run['target']} ({run['state']})" for run in status["running"]]
    screen.line(
        f"queue     {status['queue_depth']} unfinished" + (f", running {'; '.join(running)}" if running else "")
    )
    screen.line(
        f"alerts    last received {ago(status['last_alert_at'], now)}, watchdog {ago(status['watchdog_at'], now)}"
    )
    screen.line()
    screen.table(
        [Column("run", right=True), Column("when"), Column("task"), Column("target"), Column("outcome")],
        [
            [
                str(run["id"]),
                ago(run["requested_at"], now),
                run["task"],
                run["target"],
                state(run["outcome"] or run["state"]),
            ]
            for run in seen["runs"]
        ],
        empty="nothing has run yet",
    )
    screen.line()
    screen.table(
        [Column("remedy"), Column("autonomy"), Column("track")],
        [[remedy["name"], state(remedy["autonomy"]), track(remedy)] for remedy in seen["remedies"]],
        empty="there are no remedies: alerts are recorded and nothing runs",
    )


def _service(service: ServiceView) -> list[Cell | str]:
    word = state("up" if service["up"] else "down")
    return [service["name"], word, service["url"] or service["detail"]]


def _holds(screen: Screen, status: StatusView) -> None:
    for pause in status["paused"]:
        screen.line(Cell("paused    ", STYLES["blocked"]), _pause(pause))
    for breaker in status["open_breakers"]:
        screen.line(Cell("breaker   ", STYLES["open"]), _breaker(breaker))


def _pause(pause: PauseView) -> str:
    until = f"until {local(pause['until'])}" if pause["until"] else "until resumed"
    return f"{pause['task'] or 'all tasks'} since {local(pause['since'])}, {until}: {pause['reason']}"


def _breaker(breaker: BreakerView) -> str:
    return f"{breaker['task']} on {breaker['target']} open since {local(breaker['since'])}"


def show_pauses(screen: Screen, pauses: Sequence[PauseView]) -> None:
    """The pauses in force. As JSON a page of them."""
    screen.document({"items": list(pauses), "next": None})
    for pause in pauses:
        screen.line(Cell("paused ", STYLES["blocked"]), _pause(pause))
    if not pauses:
        screen.line("nothing is paused")


def show_breakers(screen: Screen, breakers: Sequence[BreakerView]) -> None:
    """The breakers that are still open. As JSON a page of them."""
    screen.document({"items": list(breakers), "next": None})
    for breaker in breakers:
        screen.line(Cell("open ", STYLES["open"]), _breaker(breaker))
    if not breakers:
        screen.line("no breaker is open")
