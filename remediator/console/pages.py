"""What each page of the console shows, asked of the same operations as the API's. Reads only."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from remediator.api.operations import DIGITS, Operations
from remediator.console.gate import Visitor
from remediator.model.errors import RequestError, not_found

Values = Mapping[str, Any]
Read = Callable[[Operations, web.Request, Visitor], Awaitable[Values]]

ON_A_PAGE = 50
LATEST = 8
"""Runs on the first page."""
NEXT_JOBS = 5


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
    jobs = (await ask.schedule())["items"]
    coming = sorted((job for job in jobs if job["next_at"] is not None), key=lambda job: str(job["next_at"]))
    decisions = (await ask.decisions(limit=ON_A_PAGE))["items"]
    last = {decision["alert_id"]: decision for decision in reversed(decisions)}
    alerts = (await ask.alerts(limit=ON_A_PAGE))["items"]
    return {
        "status": await ask.status(),
        "firing": [alert for alert in alerts if alert["status"] == "firing" and alert["continued_by"] is None],
        "decided": last,
        "runs": (await ask.runs(limit=LATEST))["items"],
        "jobs": coming[:NEXT_JOBS],
        "overdue": [job for job in jobs if job["overdue"]],
    }


@page("/approvals", "Approvals", "approvals.html", "Approvals")
async def approvals(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    state = request.query.get("state") or None
    return {"state": state or "", "page": await ask.approvals(state=state, limit=ON_A_PAGE, before=_before(request))}


@page("/approvals/{id}", "Approval", "approval.html")
async def approval(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    found = await ask.approval(_id(request))
    return {"approval": found, "run": await ask.run(found["run"])}


@page("/runs", "Runs", "runs.html", "Runs")
async def runs(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    return {"page": await ask.runs(limit=ON_A_PAGE, before=_before(request))}


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
    return {"page": await ask.alerts(limit=ON_A_PAGE, before=_before(request))}


@page("/alerts/{id}", "Why", "why.html")
async def why(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    """What would be decided about an alert now, and why."""
    return {"why": await ask.explain(alert_id=_id(request), plan=False)}


@page("/decisions", "Decisions", "decisions.html", "Decisions")
async def decisions(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    return {"page": await ask.decisions(limit=ON_A_PAGE, before=_before(request))}


@page("/tasks", "Tasks", "tasks.html", "Tasks")
async def tasks(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    return {"tasks": (await ask.tasks())["items"], "status": await ask.status()}


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


@page("/audit", "Audit", "audit.html", "Audit")
async def audit(ask: Operations, request: web.Request, visitor: Visitor) -> Values:
    return {
        "page": await ask.audit(limit=ON_A_PAGE, before=_before(request)),
        "chains": (await ask.audit_chains())["items"],
        "state": (await ask.status()).get("audit"),
    }


def _before(request: web.Request) -> int | None:
    """The cursor in the address; one that is no number is as none."""
    text = request.query.get("before", "")
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) <= DIGITS else None


def _id(request: web.Request) -> int:
    text = request.match_info["id"]
    if len(text) > DIGITS:
        raise not_found("there is nothing with so long a number")
    return int(text)
