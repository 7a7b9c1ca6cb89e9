"""``approvals``, ``approve`` and ``deny``: what waits for a person, and the answer."""

import sys
from typing import TYPE_CHECKING

import click

from upkeeper.commands.alerts import before_option, limit_option
from upkeeper.commands.complete import complete_approval
from upkeeper.commands.hosts import host_option
from upkeeper.commands.options import CLIENT, Session, operation, shared

if TYPE_CHECKING:
    from remediator.model.shapes.approvals import ApprovalDetail

_approval = click.argument("approval_id", metavar="ID", type=click.IntRange(1), shell_complete=complete_approval)


@click.command()
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that are over.")
@host_option
@limit_option
@before_option
@shared(*CLIENT)
@operation
async def approvals(session: Session, everything: bool, host: str | None, limit: int, before: int | None) -> None:
    """List plans that wait for a person.

    A remedy with `autonomy: approve` plans and then waits, until somebody answers, the alert ends or the time is over.

    \b
    Examples:
      upkeeper approvals
      upkeeper approvals --all
    """
    from upkeeper.screens import approvals as view

    async with session.client(reads=True) as client:
        state = None if everything else "asked"
        found = await client.approvals(state=state, limit=limit, before=before, host=host)
        view.show_approvals(session.screen, found)


@click.command()
@_approval
@click.option("-y", "--yes", is_flag=True, help="Approve without asking on the terminal.")
@click.option("--reason", default="", help="Why, for the record.")
@click.option("--no-wait", is_flag=True, help="Only approve; the running remediator does the rest.")
@shared(*CLIENT)
@operation
async def approve(session: Session, approval_id: int, yes: bool, reason: str, no_wait: bool) -> int:
    """Approve the plan of a run, and follow the run.

    Shows the plan and asks. What is approved is this plan: the target is measured and planned anew first, and if
    anything else would be done by now, nothing is done, and another approval asks again and says what changed.

    \b
    Examples:
      upkeeper approve 3
      upkeeper approve 3 --yes --reason "looked at it"
    """
    from remediator.model.errors import EXIT_BLOCKED, EXIT_USAGE, ClientError
    from upkeeper.client.follow import exit_code
    from upkeeper.client.http import HttpClient
    from upkeeper.commands.watch import follow_on_screen, waiting_for
    from upkeeper.screens import approvals as view
    from upkeeper.screens import runs

    async with session.client(engine=True) as client:
        if no_wait and not isinstance(client, HttpClient):
            raise ClientError("--no-wait needs a running remediator, which would do the run", EXIT_USAGE)
        found = await client.approval(approval_id)
        if not yes:
            view.show_to_approve(session.screen, found)
            if not _agrees(session, found):
                session.screen.note(f"not approved: approval {approval_id} goes on waiting")
                return EXIT_BLOCKED
        answered = await client.decide_approval(approval_id, "approve", found["plan_hash"], reason)
        if no_wait:
            session.screen.document(answered)
            session.screen.line(f"approved; run {found['run']} goes on: upkeeper show {found['run']}")
            return 0
        seen = await follow_on_screen(session, client, await client.run(found["run"]))
        if session.json:
            session.screen.document({**await client.approval(approval_id), "ended": seen})
        elif seen["state"] == "waiting":
            view.show_waiting(session.screen, await waiting_for(client, seen["id"]))
        else:
            runs.show_summary(session.screen, seen)
        return exit_code(seen)


def _agrees(session: Session, found: "ApprovalDetail") -> bool:
    """Asks on the terminal. Raises ClientError where there is none."""
    from remediator.model.errors import EXIT_USAGE, ClientError

    if found["state"] != "asked":
        return True  # it is over, as the remediator then says
    if session.json or not sys.stdin.isatty():
        how = f"upkeeper approve {found['id']} --yes"
        raise ClientError(f"nobody can be asked here; to approve it without being asked: {how}", EXIT_USAGE)
    return click.confirm("Approve this plan?", err=True)


@click.command()
@_approval
@click.option("--reason", required=True, help="Why, for the record.")
@shared(*CLIENT)
@operation
async def deny(session: Session, approval_id: int, reason: str) -> None:
    """Deny the plan of a run, which ends by that.

    Nothing of the plan is done. If the alert goes on firing, its remedy asks again after a day at the earliest; the
    target is free again for other runs at once.

    \b
    Example:
      upkeeper deny 3 --reason "the old logs are needed until Monday"
    """
    from upkeeper.screens import approvals as view

    async with session.client() as client:
        found = await client.approval(approval_id)
        view.show_denied(session.screen, await client.decide_approval(approval_id, "deny", found["plan_hash"], reason))
