"""``schedule``: the jobs, and why one did or did not run."""

import click

from upkeeper.commands.complete import complete_job
from upkeeper.commands.options import CLIENT, Session, operation, shared


@click.command()
@click.option("--why", "job", metavar="JOB", shell_complete=complete_job, help="Say why this job did or did not run.")
@click.option("--at", metavar="TIME", help='When, as in "2026-11-27 02:00", or 02:00. Default: when it was last due.')
@shared(*CLIENT)
@operation
async def schedule(session: Session, job: str | None, at: str | None) -> None:
    """List the jobs of the schedule, or say why one did not run.

    When each runs next and ran last, what became of it, and what was missed: the machine was off, or a guard blocked.
    With no `schedule:` in the config, the calendar that ships is in force.

    \b
    Examples:
      upkeeper schedule
      upkeeper schedule --why daily --at "2026-11-27 02:00"
    """
    from upkeeper.screens import schedule as view

    if at is not None and job is None:
        raise click.UsageError("--at says when for --why JOB, which is missing")
    async with session.client(reads=True) as client:
        if job is None:
            view.show_schedule(session.screen, await client.schedule())
        else:
            view.show_why(session.screen, await client.schedule_why(job, at))
