"""What each page of the console shows, asked of the same operations as the API's. Reads only."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, get_args
from urllib.parse import urlencode

from aiohttp import web

from exporter.backups.proofs import PROOFS_THERE_ARE
from remediator.api.operations import DIGITS, MAX_PAGE, Operations
from remediator.console.chart import forecast_chart
from remediator.console.gate import Visitor
from remediator.console.stance import LAST_LINES, Stance, stance
from remediator.model.errors import RequestError, bad_request, not_found
from remediator.model.shapes.alerts import AlertView
from remediator.model.shapes.approvals import ApprovalView
from remediator.model.shapes.runs import RunView, StepView
from remediator.model.words import ApprovalState, Outcome, RunState
from remediator.webhook.watchdog import NAME as WATCHDOG

Values = Mapping[str, Any]
Read = Callable[[Operations, web.Request, Visitor], Awaitable[Values]]

STATUS = "http_status"
"""Of what a page's values say, where it is not 200."""
ON_A_PAGE = 50
LATEST = 8
"""Runs on the first page; rollouts on that of the hosts."""
NEXT_JOBS = 5
MOST_STEPS = 20
"""Actions in the timeline of a run, half of them its first."""
WAITING = 12
"""Approvals on the first page: what is wrong stands below them, and a phone shows three at a time."""


@dataclass(frozen=True)
class Page:
    """One page. path: below the console's. menu: its name in the menu, where it has one."""

    path: str
    title: str
    template: str
    read: Read
    menu: str = ""


PAGES: list[Page] = []


def page(path: str, title: str, template: str, menu: str = "") -> Callable[[Read], Read]:
    """Makes a page of what reads its values."""

    def add(read: Read) -> Read:
        PAGES.append(Page(path, title, template, read, menu))
        return read

    return add


WATCHED_AS = {
    "services": ("service", "services"), "logs": ("log directory", "log directories"), "backups": ("backup", "backups"),
    "postgres": ("PostgreSQL server", "PostgreSQL servers"), "neo4j": ("Neo4j server", "Neo4j servers"),
    "sqlite": ("SQLite database", "SQLite databases"),
}  # fmt: skip
"""One and several of each kind of thing that is watched, by the section of the config."""


@page("/", "Now", "now.html", "Now")
async def now(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    """What is wrong, what runs, what waits for a person, what is paused, what comes next, and what is watched."""
    schedule, firing, status, latest = await asyncio.gather(
        ask.schedule(), ask.alerts(status="firing", limit=ON_A_PAGE), ask.status(), ask.runs(limit=LATEST)
    )
    jobs = schedule["items"]
    coming = sorted((job for job in jobs if job["next_at"] is not None), key=lambda job: str(job["next_at"]))
    asked = {one["run"]: one["id"] for one in status["approvals"]}
    shown = [
        _Card(alert, stance(alert["decision"], alert["run"]), asked)
        for alert in firing["items"]
        if alert["continued_by"] is None and alert["labels"].get("alertname") != WATCHDOG
    ]
    return {
        "status": status,
        "waiting": status["approvals"][:WAITING],
        "firing": shown,
        "runs": _under_way_first(status["running"], latest["items"]),
        "jobs": coming[:NEXT_JOBS],
        "overdue": [job for job in jobs if job["overdue"]],
        "watched": [
            (count, WATCHED_AS[kind]) for kind, count in status.get("watched", {}).items() if kind in WATCHED_AS
        ],
    }


@dataclass(frozen=True)
class _Card:
    """An alert that fires, and what is so about it now. asked: the requests that wait, by their runs."""

    alert: AlertView
    stance: Stance
    asked: Mapping[int, int]

    @property
    def approval(self) -> int | None:
        """The request that waits for a person, if one does."""
        return self.asked.get(self.stance.run or 0) if self.stance.word == "waits for you" else None


def _under_way_first(running: Sequence[RunView], latest: Sequence[RunView]) -> Sequence[RunView]:
    """What runs, then what was asked for last. Pure."""
    known = {run["id"] for run in running}
    return [*running, *(run for run in latest if run["id"] not in known)]


@page("/approvals", "Approvals", "approvals.html", "Approvals")
async def approvals(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    listed = _Listed.of(request, ("state", "host"))
    return listed.values(await ask.approvals(limit=ON_A_PAGE, before=listed.before, **listed.wanted)) | {
        "states": get_args(ApprovalState)
    }


@page("/approvals/{id}", "Approval", "approval.html")
async def approval(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    found = await ask.approval(_id(request))
    return {"approval": found, "run": await ask.run(found["run"])}


@page("/runs", "Runs", "runs.html", "Runs")
async def runs(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    listed = _Listed.of(request, ("task", "target", "state", "outcome", "host"))
    found = await ask.runs(limit=ON_A_PAGE, before=listed.before, **listed.wanted)
    return listed.values(found) | {"outcomes": get_args(Outcome), "states": get_args(RunState)}


@page("/runs/{id}", "Run", "run.html")
async def run(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    found = await ask.run(_id(request))
    waits = await _waits(ask, found["id"]) if found["state"] == "waiting" else []
    steps, left_out = most_telling(found.get("timeline") or [])
    return {"run": found, "waits": waits, "steps": steps, "left_out": left_out}


async def _waits(ask: Operations, run: int | None) -> Sequence[ApprovalView]:
    """The request for approval that a run waits for."""
    return [one for one in (await ask.approvals(state="asked", limit=MAX_PAGE))["items"] if one["run"] == run]


def most_telling(steps: Sequence[StepView]) -> tuple[Sequence[StepView | None], int]:
    """The steps without the middle of very many actions, which their table has: None for them, and how many. Pure."""
    actions = [number for number, step in enumerate(steps) if step["step"] in ("action", "part")]
    if len(actions) <= MOST_STEPS:
        return steps, 0
    middle = set(actions[MOST_STEPS // 2 : -MOST_STEPS // 2])
    kept: list[StepView | None] = [step for number, step in enumerate(steps) if number not in middle]
    kept.insert(min(middle), None)
    return kept, len(middle)


@page("/alerts", "Alerts", "alerts.html", "Alerts")
async def alerts(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    listed = _Listed.of(request, ("status", "fingerprint", "host"))
    found = await ask.alerts(limit=ON_A_PAGE, before=listed.before, **listed.wanted)
    return listed.values(found) | {"stances": [stance(one["decision"], one["run"]) for one in found["items"]]}


@page("/alerts/{id}", "Why", "why.html")
async def why(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    """What was decided about an alert, and what would be now, and why."""
    id = _id(request)
    found = await ask.explain(alert_id=id, plan=False)
    decided = (await ask.decisions(alert=id, limit=ON_A_PAGE))["items"]
    # The newest that is older than the next one: itself, unless its retention is over meanwhile.
    came = [one for one in (await ask.alerts(limit=1, before=id + 1))["items"] if one["id"] == id]
    ran = next((one["run_id"] for one in decided if one["run_id"] is not None), None)
    run = None if ran is None else await ask.run(ran)
    now = stance(max(decided, key=lambda one: (one["last_at"], one["id"]), default=None), run)
    return {
        "why": found,
        "alert": came[0] if came else None,
        "decisions": decided,
        "stance": now,
        "waits": await _waits(ask, now.run) if now.word == "waits for you" else [],
        "evidence": [] if run is None else run.get("evidence") or [],
        "last_lines": LAST_LINES,
    }


@page("/decisions", "Decisions", "decisions.html", "Decisions")
async def decisions(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    listed = _Listed.of(request, ("host",), numbers=("alert",))
    return listed.values(await ask.decisions(limit=ON_A_PAGE, before=listed.before, **listed.wanted))


@page("/tasks", "Tasks", "tasks.html", "Tasks")
async def tasks(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    return {"tasks": (await ask.tasks())["items"]}


@page("/remedies", "Remedies", "remedies.html", "Remedies")
async def remedies(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    found = (await ask.remedies())["items"]
    # Only who can be promoted is told where that could be written down.
    file = (await ask.configuration())["path"] if any(one["suggestion"] for one in found) else None
    return {"remedies": found, "file": file}


@page("/schedule", "Schedule", "schedule.html", "Schedule")
async def schedule(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    """The jobs; and where one is named, why it did or did not run."""
    asked = request.query.get("job")
    at = request.query.get("at") or None
    answer, problem, status = None, "", 200
    if asked:
        try:
            answer = await ask.schedule_why(asked, at=at)
        except RequestError as error:
            problem, status = str(error), error.status
    jobs = (await ask.schedule())["items"]
    return {"jobs": jobs, "asked": asked or "", "at": at or "", "answer": answer, "problem": problem, STATUS: status}


@page("/backups", "Backups", "backups.html", "Backups")
async def backups(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    """The sets, of all series or of one; and where one is named, what is known of it."""
    series, name = request.query.get("series") or None, request.query.get("set") or None
    found = await ask.sets(backup=series)
    one = next((each for each in found["items"] if each["name"] == name), None) if series and name else None
    if name and one is None:
        raise not_found(f"there is no set {name!r} of {series or 'no series'}")
    return {"sets": found, "series": series, "one": one, "proofs_there_are": PROOFS_THERE_ARE}


@page("/restore", "Restore, as a dry run", "restore.html")
async def restore(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    """The form for it, with what its address says; what it answers is a look."""
    given = {name: request.query.get(name, "") for name in ("set", "to", "only")}
    return {"given": given, "series": "", "name": "", "found": None, "problem": "", "sets": await ask.sets()}


@page("/forecast", "Forecast", "forecast.html", "Forecast")
async def forecast(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    """When what fills up will be full."""
    found = await ask.forecasts()
    return {"found": found, "chart": forecast_chart(found["items"])}


@page("/config", "Config", "config.html", "Config")
async def config(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    """What is in force, and what is wrong with the file."""
    return {"found": await ask.configuration()}


@page("/hosts", "Hosts", "hosts.html", "Hosts")
async def hosts(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    hosts, rollouts = await asyncio.gather(ask.hosts(), ask.rollouts(limit=LATEST))
    return {"hosts": hosts["items"], "rollouts": rollouts["items"]}


@page("/audit", "Audit", "audit.html", "Audit")
async def audit(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    listed = _Listed.of(request, (), numbers=("run",))
    page, state = await asyncio.gather(
        ask.audit(limit=ON_A_PAGE, before=listed.before, **listed.wanted), ask.audit_state()
    )
    return listed.values(page) | {"state": state}


@dataclass(frozen=True)
class _Listed:
    """Which part of a list its address asks for. wanted: by what it is narrowed. before: the cursor."""

    wanted: Mapping[str, Any]
    before: int | None

    @classmethod
    def of(cls, request: web.Request, words: Sequence[str], numbers: Sequence[str] = ()) -> Self:
        """Raises RequestError for a number that is none."""
        given = {name: request.query[name] for name in words if request.query.get(name)}
        counts = {name: _number(request, name) for name in (*numbers, "before")}
        before = counts.pop("before")
        return cls({**given, **{name: number for name, number in counts.items() if number is not None}}, before)

    def values(self, page: Mapping[str, Any]) -> dict[str, Any]:
        """What its template takes. more: what is asked for beside the cursor, for the address of the next page."""
        more = f"&{urlencode(self.wanted)}" if self.wanted else ""
        return {"page": page, "wanted": self.wanted, "more": more, "before": self.before}


def _number(request: web.Request, name: str) -> int | None:
    text = request.query.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > DIGITS:
        raise bad_request(f"{name} must be a number")
    return int(text)


def _id(request: web.Request) -> int:
    text = request.match_info["id"]
    if len(text) > DIGITS:
        raise not_found("there is nothing with so long a number")
    return int(text)
