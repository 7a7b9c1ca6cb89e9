"""Following a run on the screen, for the commands that start one."""

import asyncio
from typing import TYPE_CHECKING

from upkeeper.client.follow import exit_code, follow
from upkeeper.client.http import HttpClient
from upkeeper.commands.options import Session
from upkeeper.screens import runs as view

if TYPE_CHECKING:
    from remediator.api.operations import Operations
    from remediator.model.shapes.approvals import ApprovalView
    from remediator.model.shapes.runs import RunView


async def follow_on_screen(session: Session, client: "Operations", started: "RunView") -> "RunView":
    """The run once it is finished, or waits for a person."""
    number = started["id"]
    seen = started
    try:
        with view.progress(session.screen) as show:
            async for seen in follow(client, started):
                show(seen)
    except asyncio.CancelledError:
        if isinstance(client, HttpClient):
            session.screen.note(f"stopped following; run {number} continues: upkeeper show {number}")
        else:
            session.screen.note(f"stopped; run {number} continues with the next `upkeeper run` or remediator")
        raise
    return seen


async def watch(session: Session, client: "Operations", started: "RunView") -> int:
    """Follows a run and shows how it ended, or what it waits for. The exit status."""
    from upkeeper.screens import approvals

    seen = await follow_on_screen(session, client, started)
    if seen["state"] == "waiting":
        session.screen.document(seen)
        approvals.show_waiting(session.screen, await waiting_for(client, seen["id"]))
    else:
        view.show_summary(session.screen, seen)
    return exit_code(seen)


async def approved(session: Session, client: "Operations", started: "RunView", consent: str) -> "RunView":
    """The run, whose plan was approved if it waited for that: exactly the one that it waits with, which is shown."""
    from upkeeper.screens import approvals

    seen = await follow_on_screen(session, client, started)
    waits = await waiting_for(client, seen["id"]) if seen["state"] == "waiting" else None
    if waits is None:
        return seen
    found = await client.approval(waits["id"])
    if not session.json:
        approvals.show_to_approve(session.screen, found)
    await client.decide_approval(found["id"], "approve", found["plan_hash"], consent)
    return await client.run(seen["id"])


async def waiting_for(client: "Operations", run_id: int) -> "ApprovalView | None":
    """The request that a run waits for; None where somebody has just answered it."""
    before = None
    while True:
        page = await client.approvals(state="asked", before=before)
        for one in page["items"]:
            if one["run"] == run_id:
                return one
        before = page["next"]
        if before is None:
            return None
