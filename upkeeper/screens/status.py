"""The stack at a glance, pauses and breakers on the screen."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from exporter.base.spans import ago
from exporter.base.text import counted
from remediator.model.shapes.holds import BreakerView, PauseView
from remediator.model.shapes.runs import RunView
from remediator.model.shapes.status import StatusView, WayView
from remediator.model.tracks import track
from remediator.model.words import ON_JOURNAL, TELLING_NOBODY
from upkeeper.look.firing import is_quiet
from upkeeper.look.status import Overview, ServiceView
from upkeeper.screens.approvals import brief
from upkeeper.screens.cells import Cell, Column, state
from upkeeper.screens.screen import Screen
from upkeeper.screens.text import STYLES, local

_PLURALS = {"log directory": "log directories"}
_RANKS = {"failed": 0, "critical": 0, "warning": 1, "ok": 2}


def show_status(screen: Screen, seen: Overview, *, everything: bool) -> None:
    """Problems first, then what is well in numbers, what is held back, what runs and what ran.

    everything: what is well is listed too, and the remedies.
    """
    now = datetime.now(UTC)
    screen.document(seen)
    for problem in seen["problems"]:
        screen.line(Cell("look: ", STYLES["failed"]), problem)
    if everything:
        _everything(screen, seen, now)
    running = [f"{service['name']} {service['url']}" for service in seen["services"] if service["up"]]
    if running and not everything:
        screen.line(Cell("up        ", STYLES["up"]), ", ".join(running))
    well = _well(seen)
    if well:
        screen.line(Cell("ok        ", STYLES["ok"]), well)
    for note in seen["notes"]:
        screen.line(Cell("note      ", "dim"), note)
    if seen["remediator"] is not None:
        _remediator(screen, seen["remediator"], now)
        _runs(screen, seen["runs"], now)
    if everything:
        screen.line()
        screen.table(
            [Column("remedy"), Column("autonomy"), Column("track")],
            [[remedy["name"], state(remedy["autonomy"]), track(remedy)] for remedy in seen["remedies"]],
            empty="there are no remedies: alerts are recorded and nothing runs",
        )


def _well(seen: Overview) -> str:
    """What is well, in numbers."""
    passed = sum(check["state"] == "ok" for check in seen["checks"])
    kinds = Counter(one["kind"] for one in seen["watched"] if one["state"] == "ok")
    waiting = [alert["name"] for alert in seen["alerts"] if alert["state"] == "pending"]
    quiet = sum(is_quiet(alert) for alert in seen["alerts"])
    parts = [
        f"{passed} of {len(seen['checks'])} checks" if seen["checks"] else "",
        *(counted(count, kind, _PLURALS.get(kind)) for kind, count in kinds.items()),
        f"{counted(len(waiting), 'alert')} pending ({', '.join(sorted(set(waiting)))})" if waiting else "",
        f"{counted(quiet, 'alert')} that need no attention" if quiet else "",
    ]
    return "; ".join(part for part in parts if part)


def _everything(screen: Screen, seen: Overview, now: datetime) -> None:
    screen.table(
        [Column("service"), Column("state"), Column("url", wide=True)],
        [_service(service) for service in seen["services"]],
    )
    screen.line()
    things: list[tuple[str, str, str]] = [(check["name"], check["state"], check["detail"]) for check in seen["checks"]]
    things += [(f"{one['kind']} {one['name']}", one["state"], one["detail"]) for one in seen["watched"]]
    screen.table(
        [Column("watched", wide=True), Column("state"), Column("detail", wide=True)],
        [[name, state(word), detail] for name, word, detail in sorted(things, key=lambda thing: _RANKS[thing[1]])],
        empty="nothing is watched",
    )
    screen.line()
    screen.table(
        [Column("alert"), Column("severity"), Column("state"), Column("since"), Column("about", wide=True),
         Column("doing", wide=True)],
        [
            [alert["name"], state(alert["severity"]), state(alert["state"]), ago(alert["since"], now),
             alert["summary"], alert["doing"]]
            for alert in seen["alerts"]
        ],
        empty="no alert fires",
    )  # fmt: skip
    screen.line()


def _remediator(screen: Screen, status: StatusView, now: datetime) -> None:
    if status.get("tells_nobody"):
        screen.line(Cell(TELLING_NOBODY, STYLES["waiting"]))
    if status.get("journal_since"):
        screen.line(Cell("journal   ", STYLES["waiting"]), f"{ON_JOURNAL}; since {ago(status['journal_since'], now)}")
    _holds(screen, status)
    for approval in status.get("approvals", []):
        screen.line(Cell("waiting   ", STYLES["waiting"]), f"{brief(approval, now)}: upkeeper approve {approval['id']}")
    running = [f"{run['task']} on {run['target']} ({run['state']})" for run in status["running"]]
    screen.line(
        f"queue     {status['queue_depth']} unfinished" + (f", running {'; '.join(running)}" if running else "")
    )
    audit = status.get("audit")
    if audit is not None:
        verified = f", verified {ago(audit['verified_at'], now)}" if audit["verified_at"] else ""
        screen.line(f"audit     {counted(audit['records'], 'record')}, head {audit['head'][:13]}{verified}")
    screen.line(
        f"alerts    last received {ago(status['last_alert_at'], now)}, watchdog {ago(status['watchdog_at'], now)}"
        + (" (lost)" if status.get("watchdog_lost") else "")
    )
    if ways := [_way(way, now) for way in status.get("ways", [])]:
        screen.line(f"telling   {', '.join(ways)}")


def _way(way: WayView, now: datetime) -> str:
    told = f"last {ago(way['told_at'], now)}" if way["told_at"] else "nothing yet"
    return f"by {way['name']} ({'fails, ' if way['failing_since'] else ''}{told})"


def _runs(screen: Screen, runs: Sequence[RunView], now: datetime) -> None:
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
            for run in runs
        ],
        empty="nothing has run yet",
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
    silent = "; nobody is told of its alerts" if pause.get("silenced") else ""
    return f"{pause['task'] or 'all tasks'} since {local(pause['since'])}, {until}: {pause['reason']}{silent}"


def _breaker(breaker: BreakerView) -> str:
    return f"{breaker['task']} on {breaker['target']} open since {local(breaker['since'])}"


def show_pauses(screen: Screen, pauses: Sequence[PauseView]) -> None:
    """The pauses in force. As JSON a page of them."""
    screen.document({"items": list(pauses), "next": None})
    for pause in pauses:
        screen.line(Cell("paused ", STYLES["blocked"]), _pause(pause))
    if not pauses:
        screen.line("nothing is paused any more")


def show_breakers(screen: Screen, breakers: Sequence[BreakerView]) -> None:
    """The breakers that are still open. As JSON a page of them."""
    screen.document({"items": list(breakers), "next": None})
    for breaker in breakers:
        screen.line(Cell("open ", STYLES["open"]), _breaker(breaker))
    if not breakers:
        screen.line("no breaker is open any more")
