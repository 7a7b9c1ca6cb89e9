"""What each page of the console shows, asked of the same operations as the API's. Reads only."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import urlencode

from aiohttp import web

from remediator.api.operations import DIGITS, Operations
from remediator.console.chart import forecast_chart
from remediator.console.gate import Visitor
from remediator.console.stance import LAST_LINES, stance
from remediator.model.errors import RequestError, not_found
from remediator.model.shapes.runs import RunView
from remediator.model.words import Outcome
from remediator.webhook.watchdog import NAME as WATCHDOG

Values = Mapping[str, Any]
Read = Callable[[Operations, web.Request, Visitor], Awaitable[Values]]

ON_A_PAGE = 50
LATEST = 8
"""Runs on the first page; rollouts on that of the hosts."""
NEXT_JOBS = 5
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


@page("/", "Now", "now.html", "Now")
async def now(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    """What is wrong, what runs, what waits for a person, what is paused, and what comes next."""
    schedule, firing, status, latest = await asyncio.gather(
        ask.schedule(), ask.alerts(status="firing", limit=ON_A_PAGE), ask.status(), ask.runs(limit=LATEST)
    )
    jobs = schedule["items"]
    coming = sorted((job for job in jobs if job["next_at"] is not None), key=lambda job: str(job["next_at"]))
    shown = [
        alert
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
    }


def _under_way_first(running: Sequence[RunView], latest: Sequence[RunView]) -> Sequence[RunView]:
    """What runs, then what was asked for last. Pure."""
    known = {run["id"] for run in running}
    return [*running, *(run for run in latest if run["id"] not in known)]


@page("/approvals", "Approvals", "approvals.html", "Approvals")
async def approvals(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    state = request.query.get("state") or None
    return {
        "state": state or "",
        "page": await ask.approvals(state=state, limit=ON_A_PAGE, before=_before(request)),
        "before": _before(request),
    }


@page("/approvals/{id}", "Approval", "approval.html")
async def approval(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    found = await ask.approval(_id(request))
    return {"approval": found, "run": await ask.run(found["run"])}


@page("/runs", "Runs", "runs.html", "Runs")
async def runs(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    wanted = {name: request.query[name] for name in ("task", "target", "outcome") if request.query.get(name)}
    found = await ask.runs(limit=ON_A_PAGE, before=_before(request), **wanted)
    shown = {"page": found, "wanted": wanted, "more": _more(wanted), "before": _before(request)}
    return {**shown, "outcomes": get_args(Outcome)}


@page("/runs/{id}", "Run", "run.html")
async def run(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    found = await ask.run(_id(request))
    waits = []
    if found["state"] == "waiting":
        open_ones = (await ask.approvals(state="asked", limit=ON_A_PAGE))["items"]
        waits = [one for one in open_ones if one["run"] == found["id"]]
    return {"run": found, "waits": waits}


@page("/alerts", "Alerts", "alerts.html", "Alerts")
async def alerts(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    wanted = {"status": request.query["status"]} if request.query.get("status") else {}
    found = await ask.alerts(limit=ON_A_PAGE, before=_before(request), **wanted)
    return {"page": found, "wanted": wanted, "more": _more(wanted), "before": _before(request)}


@page("/alerts/{id}", "Why", "why.html")
async def why(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    """What was decided about an alert, and what would be now, and why."""
    id = _id(request)
    found = await ask.explain(alert_id=id, plan=False)
    decided = (await ask.decisions(alert=id, limit=ON_A_PAGE))["items"]
    ran = next((one["run_id"] for one in decided if one["run_id"] is not None), None)
    run = None if ran is None else await ask.run(ran)
    return {
        "why": found,
        "decisions": decided,
        "stance": stance(decided, run),
        "evidence": [] if run is None else run.get("evidence") or [],
        "last_lines": LAST_LINES,
    }


@page("/decisions", "Decisions", "decisions.html", "Decisions")
async def decisions(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    before = _before(request)
    return {"page": await ask.decisions(limit=ON_A_PAGE, before=before), "before": before}


@page("/tasks", "Tasks", "tasks.html", "Tasks")
async def tasks(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    return {"tasks": (await ask.tasks())["items"]}


@page("/remedies", "Remedies", "remedies.html", "Remedies")
async def remedies(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    return {"remedies": (await ask.remedies())["items"]}


@page("/schedule", "Schedule", "schedule.html", "Schedule")
async def schedule(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    """The jobs; and where one is named, why it did or did not run."""
    asked = request.query.get("job")
    at = request.query.get("at") or None
    answer, problem = None, ""
    if asked:
        try:
            answer = await ask.schedule_why(asked, at=at)
        except RequestError as error:
            problem = str(error)
    jobs = (await ask.schedule())["items"]
    return {"jobs": jobs, "asked": asked or "", "at": at or "", "answer": answer, "problem": problem}


@page("/backups", "Backups", "backups.html", "Backups")
async def backups(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    return {"sets": await ask.sets()}


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
    page, state = await asyncio.gather(ask.audit(limit=ON_A_PAGE, before=_before(request)), ask.audit_state())
    return {"page": page, "state": state, "before": _before(request)}


def _more(wanted: Mapping[str, str]) -> str:
    """What is asked for beside the cursor, for the address of the next page."""
    return f"&{urlencode(wanted)}" if wanted else ""


def _before(request: web.Request) -> int | None:
    """The cursor in the address; one that is no number is as none."""
    text = request.query.get("before", "")
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) <= DIGITS else None


def _id(request: web.Request) -> int:
    text = request.match_info["id"]
    if len(text) > DIGITS:
        raise not_found("there is nothing with so long a number")
    return int(text)
