"""``tasks``, ``remedies`` and ``plan``: what can be done, when it is done by itself, and what it would do."""

import click

from upkeeper.commands.complete import complete_target, complete_task
from upkeeper.commands.options import CLIENT, Session, operation, params_option, shared


@click.command()
@shared(*CLIENT)
@operation
async def tasks(session: Session) -> None:
    """List tasks and their targets.

    A task is a maintenance job; a target is the configured or discovered thing that it works on. The list also
    says what each task never touches.

    \b
    Example:
      upkeeper tasks
    """
    from upkeeper.screens import tasks as view

    async with session.client(reads=True) as client:
        view.show_tasks(session.screen, await client.tasks())


@click.command()
@shared(*CLIENT)
@operation
async def remedies(session: Session) -> None:
    """List remedies with their autonomy and track.

    A remedy is a rule of the config: alerts that match start a task on a target. `observe` only records what would
    run; `auto` runs it. The track is how often it ran, and how often that helped; of one that observes, how many plans
    it made, and how many of them had something to do. Fire drills do not count.

    \b
    Example:
      upkeeper remedies --json
    """
    from upkeeper.screens import tasks as view

    async with session.client(reads=True) as client:
        view.show_remedies(session.screen, await client.remedies())


@click.command()
@click.argument("task", shell_complete=complete_task)
@click.argument("target", required=False, shell_complete=complete_target)
@params_option
@shared(*CLIENT)
@operation
async def plan(session: Session, task: str, target: str | None, params: dict[str, str]) -> None:
    """Show what a task would do. Changes nothing.

    Measures TARGET, lists the actions that TASK would take with their effect, what it leaves alone and why, and the
    guards that would block it now. TARGET may be left out where the task has only one, or one named `all`.

    \b
    Examples:
      upkeeper plan docker-cleanup
      upkeeper plan log-rotation app-logs
    """
    from upkeeper.client.targets import only_target
    from upkeeper.screens import tasks as view

    async with session.client(reads=True) as client:
        chosen = target or only_target((await client.tasks())["items"], task)
        view.show_plan(session.screen, await client.plan(task, chosen, params))
