"""``rollout`` and ``rollouts``: a task on many hosts, wave after wave."""

import sys
from typing import TYPE_CHECKING

import click

from upkeeper.commands.alerts import before_option, limit_option
from upkeeper.commands.complete import complete_target, complete_task
from upkeeper.commands.control import DurationType
from upkeeper.commands.options import CLIENT, Session, operation, params_option, shared

if TYPE_CHECKING:
    from remediator.api.operations import Operations
    from remediator.model.shapes.rollouts import RolloutView


def _names(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> list[str]:
    """Names of hosts, given one by one or with commas between them; none: all."""
    names = [name for each in given for name in each.split(",") if name]
    return [] if names == ["all"] else names


@click.command()
@click.argument("task", required=False, shell_complete=complete_task)
@click.argument("target", required=False, shell_complete=complete_target)
@click.option("--hosts", multiple=True, metavar="HOST,...", callback=_names, help="On these hosts. Default: all.")
@click.option(
    "--failure-domain", metavar="LABEL", help="One host at a time of those with the same value of this label."
)
@click.option("--wait", type=DurationType(), metavar="DURATION", help="Time after each wave. Default: 10m.")
@click.option("--at-once", type=click.IntRange(1), metavar="N", help="At most so many hosts in a wave.")
@click.option("--no-alerts", is_flag=True, help="Go on whatever alerts fire: only the runs must end well.")
@click.option("-n", "--dry-run", is_flag=True, help="Show the waves, and begin nothing.")
@click.option("-y", "--yes", is_flag=True, help="Begin without asking on the terminal.")
@click.option("--no-wait", is_flag=True, help="Only begin it; the running remediators do the rest.")
@click.option("--resume", type=click.IntRange(1), metavar="ID", help="Go on with one that has stopped.")
@click.option("--without", multiple=True, metavar="HOST,...", callback=_names, help="With --resume: leave these out.")
@click.option("--cancel", type=click.IntRange(1), metavar="ID", help="End one: no other run of it begins.")
@click.option("--reason", default="", help="With --cancel: why, for the record.")
@params_option
@shared(*CLIENT)
@operation
async def rollout(
    session: Session,
    task: str | None,
    target: str | None,
    hosts: list[str],
    failure_domain: str | None,
    wait: float | None,
    at_once: int | None,
    no_alerts: bool,
    dry_run: bool,
    yes: bool,
    no_wait: bool,
    resume: int | None,
    without: list[str],
    cancel: int | None,
    reason: str,
    params: dict[str, str],
) -> int:
    """Run a task on many hosts, wave after wave, and follow it.

    Shows the waves and asks. Without --failure-domain each host is a wave; with it, a wave has one host of each value
    of that label (`host: {labels: {...}}` in the config of each). The next wave begins when the runs of the one before
    ended well, and no new alert of a host that had its turn fires until --wait is over. Else it stops, and says why.
    Ctrl-C stops following; the remediators go on. Each host plans, guards and acts by its own config, as with `run
    --host`.

    \b
    Examples:
      upkeeper rollout system-update --failure-domain rack --dry-run
      upkeeper rollout image-update stack.n8n --hosts web-1,web-2 --wait 15m
      upkeeper rollout --resume 3 --without web-2
      upkeeper rollout --cancel 3
    """
    from remediator.api.operations import QUIET
    from remediator.model.errors import EXIT_USAGE, ClientError
    from upkeeper.client.http import HttpClient

    begins = task is not None
    if [begins, resume is not None, cancel is not None].count(True) != 1:
        raise click.UsageError("name a TASK, or give --resume ID or --cancel ID")
    if without and resume is None:
        raise click.UsageError("--without is for --resume")
    async with session.client(reads=dry_run) as client:
        if not dry_run and not isinstance(client, HttpClient):
            raise ClientError("a rollout needs a running remediator, which drives it", EXIT_USAGE)
        if cancel is not None:
            seen = await client.cancel_rollout(cancel, reason)
        elif resume is not None:
            seen = await client.resume_rollout(resume, without)
        else:
            assert task is not None
            begun = await _begin(
                session, client, task, target, params, hosts, failure_domain, QUIET if wait is None else wait, at_once,
                alerts=not no_alerts, dry_run=dry_run, yes=yes,
            )  # fmt: skip
            if isinstance(begun, int):
                return begun
            seen = begun
        return await _follow(session, client, seen, no_wait=no_wait)


async def _begin(
    session: Session,
    client: "Operations",
    task: str,
    target: str | None,
    params: dict[str, str],
    hosts: list[str],
    failure_domain: str | None,
    wait: float,
    at_once: int | None,
    *,
    alerts: bool,
    dry_run: bool,
    yes: bool,
) -> "RolloutView | int":
    """The rollout that has begun, or the exit status where none has."""
    from remediator.model.errors import EXIT_BLOCKED, EXIT_USAGE, ClientError
    from upkeeper.client.targets import only_target
    from upkeeper.screens import rollouts as view

    chosen = target or only_target((await client.tasks())["items"], task)
    planned = await client.plan_rollout(task, chosen, params, hosts, failure_domain, wait, at_once, alerts)
    if dry_run:
        view.show_plan(session.screen, planned)
        return 0
    if not yes:
        if session.json or not sys.stdin.isatty():
            raise ClientError("look at the waves with --dry-run, then add --yes", EXIT_USAGE)
        view.show_plan(session.screen, planned)
        if not click.confirm("Begin?", err=True):
            session.screen.note("not begun")
            return EXIT_BLOCKED
    return await client.start_rollout(
        task, chosen, params, hosts, failure_domain, wait, at_once, alerts, planned["plan_hash"]
    )


async def _follow(session: Session, client: "Operations", begun: "RolloutView", *, no_wait: bool) -> int:
    """Follows it to its end, unless told otherwise. The exit status."""
    import asyncio

    from upkeeper.client.rollouts import exit_code, follow
    from upkeeper.screens import rollouts as view

    seen, progress = begun, view.Progress(session.screen)
    try:
        if not no_wait:
            async for seen in follow(client, begun):
                progress.show(seen)
    except asyncio.CancelledError:
        session.screen.note(f"stopped following; rollout {seen['id']} goes on: upkeeper rollouts {seen['id']}")
        raise
    view.show_rollout(session.screen, seen)
    return 0 if no_wait else exit_code(seen)


@click.command()
@click.argument("rollout_id", metavar="[ID]", required=False, type=click.IntRange(1))
@limit_option
@before_option
@shared(*CLIENT)
@operation
async def rollouts(session: Session, rollout_id: int | None, limit: int, before: int | None) -> None:
    """List rollouts, or show one with its hosts.

    Newest first: how far each has come, why it stopped, or what holds it up. With ID the state, the run and the wave
    of each host, and why a host was left out.

    \b
    Examples:
      upkeeper rollouts
      upkeeper rollouts 3
    """
    from upkeeper.screens import rollouts as view

    async with session.client(reads=True) as client:
        if rollout_id is not None:
            view.show_rollout(session.screen, await client.rollout(rollout_id))
        else:
            view.show_rollouts(session.screen, await client.rollouts(limit=limit, before=before))
