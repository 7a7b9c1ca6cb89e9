"""``run``, ``cancel``, ``history`` and ``show``: running a task, and what ran."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from remediator.model.words import Outcome
from upkeeper.commands.alerts import before_option, limit_option
from upkeeper.commands.complete import complete_run, complete_target, complete_task, complete_unfinished
from upkeeper.commands.hosts import host_option
from upkeeper.commands.options import CLIENT, Session, operation, params_option, shared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remediator.api.operations import Operations


@click.command()
@click.argument("task", shell_complete=complete_task)
@click.argument("target", required=False, shell_complete=complete_target)
@click.option("-n", "--dry-run", is_flag=True, help="Record the plan as a run without applying it.")
@click.option("--no-wait", is_flag=True, help="Only queue it; the running remediator does the rest.")
@click.option("--host", metavar="HOST", help="Run it on this host of the fleet.")
@click.option("--all", "everywhere", is_flag=True, help="Run it on every host of the fleet that is up.")
@params_option
@shared(*CLIENT)
@operation
async def run(
    session: Session,
    task: str,
    target: str | None,
    dry_run: bool,
    no_wait: bool,
    host: str | None,
    everywhere: bool,
    params: dict[str, str],
) -> int:
    """Run a task and follow it.

    Measures TARGET, plans, asks the guards, does the actions one by one, and measures again. TARGET may be left out
    where the task has only one, or one named `all`. Ctrl-C stops following; a running remediator finishes the run.
    Where a person must approve the plan, the run waits for `upkeeper approve`, and the exit status is 3.

    On another host, its own config says whether there is such a task and TARGET, and its guards whether it may run;
    where TARGET is left out, it is the one that this host's config has.

    \b
    Examples:
      upkeeper run health-check
      upkeeper run log-rotation app-logs
      upkeeper run docker-cleanup --dry-run
      upkeeper run health-check --all
    """
    if everywhere:
        from upkeeper.commands.everywhere import run_everywhere

        if host is not None:
            raise click.UsageError("--host and --all exclude each other")
        return await run_everywhere(session, task, target, params, dry_run=dry_run, no_wait=no_wait)
    return await run_and_follow(session, task, target, params, dry_run=dry_run, no_wait=no_wait, host=host)


async def run_and_follow(
    session: Session,
    task: str,
    target: str | None,
    params: "Mapping[str, Any]",
    *,
    dry_run: bool = False,
    no_wait: bool = False,
    consent: str | None = None,
    host: str | None = None,
) -> int:
    """Starts a run, and follows it unless told otherwise; the exit status.

    host: of the fleet; None: the one that is asked.
    consent: why the plan may be approved as soon as it waits for that, by whoever asks for the run.
    """
    from remediator.model.errors import EXIT_USAGE, ClientError
    from upkeeper.client.http import HttpClient
    from upkeeper.client.targets import only_target
    from upkeeper.commands.watch import approved, watch
    from upkeeper.screens import runs as view

    async with session.client(engine=True) as client:
        if no_wait and not isinstance(client, HttpClient):
            raise ClientError("--no-wait needs a running remediator, which would do the run", EXIT_USAGE)
        chosen = target or only_target((await client.tasks())["items"], task)
        if not isinstance(client, HttpClient):
            await _finish_interrupted(session, client)
        started = await client.start_run(task, chosen, dry_run, params, host)
        if no_wait:
            view.show_queued(session.screen, started)
            return 0
        if consent is not None:
            started = await approved(session, client, started, consent)
        return await watch(session, client, started)


async def _finish_interrupted(session: Session, client: "Operations") -> None:
    """Finishes runs that an interrupted command left: without a remediator nothing else does."""
    from remediator.control.core import Core
    from upkeeper.client.follow import finish

    here = client.host if isinstance(client, Core) else None
    for left in (await client.runs(host=here))["items"]:
        if left["state"] not in ("waiting", "finished"):
            session.screen.note(f"finishing run {left['id']}, {left['task']} on {left['target']}, interrupted earlier")
            ended = await finish(client, left)
            session.screen.note(f"run {ended['id']}: {ended['outcome'] or ended['state']}, {ended['reason']}")


@click.command()
@click.argument("run_id", metavar="RUN", type=click.IntRange(1), shell_complete=complete_unfinished)
@click.option("--reason", default="", help="Why, for the record.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the end of the action that is under way.")
@shared(*CLIENT)
@operation
async def cancel(session: Session, run_id: int, reason: str, no_wait: bool) -> None:
    """Cancel a run: no other action of it begins.

    A run that is queued, still plans or waits for a person ends at once. One that acts ends with the action that is
    under way, which is never broken off, and its target is measured again. A run with parts takes them with it. If its
    alert goes on firing, the remedy has another turn after a day at the earliest; the target is free at once.

    \b
    Examples:
      upkeeper cancel 12
      upkeeper cancel 12 --reason "not while we migrate"
    """
    from upkeeper.client.http import HttpClient
    from upkeeper.commands.watch import follow_on_screen
    from upkeeper.screens import runs as view

    async with session.client() as client:
        seen = await client.cancel_run(run_id, reason)
        if seen["state"] == "finished":
            view.show_summary(session.screen, seen)
        elif no_wait or not isinstance(client, HttpClient):  # without a remediator, the next one ends it
            view.show_queued(session.screen, seen)
        else:
            view.show_summary(session.screen, await follow_on_screen(session, client, seen))


@click.command()
@click.option("--task", metavar="TASK", help="Only runs of this task.", shell_complete=complete_task)
@click.option("--target", metavar="TARGET", help="Only runs on this target.", shell_complete=complete_target)
@click.option("--outcome", type=click.Choice(get_args(Outcome)), help="Only runs that ended so.")
@host_option
@limit_option
@before_option
@shared(*CLIENT)
@operation
async def history(
    session: Session,
    task: str | None,
    target: str | None,
    outcome: str | None,
    host: str | None,
    limit: int,
    before: int | None,
) -> None:
    """List runs.

    Newest first: what started each, how it ended, what it freed and how long it took. A dry run is marked; so is a
    remedy that only observes, whose runs are dry.

    \b
    Example:
      upkeeper history -n 50
      upkeeper history --task log-rotation --outcome failed
    """
    from upkeeper.screens import runs as view

    async with session.client(reads=True) as client:
        found = await client.runs(limit=limit, before=before, task=task, target=target, outcome=outcome, host=host)
        view.show_history(session.screen, found)


@click.command()
@click.argument("run_id", metavar="RUN", type=click.IntRange(1), shell_complete=complete_run)
@click.option("--evidence", is_flag=True, help="Also show all that was kept of how things were when it began.")
@click.option(
    "--save",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Save what it made, its reports and archives, in this directory.",
)
@shared(*CLIENT)
@operation
async def show(session: Session, run_id: int, evidence: bool, save: Path | None) -> None:
    """Show one run with its actions.

    The measurements before and after, what was done to what and why, what was left alone, and the outcome with its
    reason. For a run that an alert asked for, evidence was kept when it began: the end and the last log lines of the
    container, the processes that used most, the disk, the alerts that fired beside it. Secrets in it are not shown.

    \b
    Examples:
      upkeeper show 12
      upkeeper show 12 --evidence
      upkeeper show 12 --save .
    """
    from upkeeper.screens import runs as view

    async with session.client(reads=True) as client:
        found = await client.run(run_id)
        if save is not None:
            from upkeeper.client.artefacts import save_all

            for path in await save_all(client, found, save):
                session.screen.note(f"saved {path}")
    view.show_run(session.screen, found, all_evidence=evidence)
