"""``pause``, ``resume`` and ``breaker``: manual control of what runs by itself."""

from typing import TYPE_CHECKING, Literal

import click

from upkeeper.commands.complete import complete_remedy, complete_target, complete_task
from upkeeper.commands.options import CLIENT, Session, operation, shared

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from remediator.api.operations import Operations
    from remediator.model.shapes.holds import PauseView


class DurationType(click.ParamType[float]):
    """A duration as in the config file: ``30m``, ``1h30m``, ``7d``. Seconds as a value."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from exporter.base.units import parse_duration

        try:
            seconds = float(parse_duration(value))  # type: ignore[arg-type]  # what is no number fails here
        except (TypeError, ValueError) as error:
            self.fail(str(error), param, ctx)
        if seconds <= 0:
            self.fail("must be longer than 0", param, ctx)
        return seconds


held_host = click.option("--host", metavar="HOST", help="On this host of the fleet.")
everywhere = click.option("--all", "all_hosts", is_flag=True, help="On every host of the fleet.")


async def _on_all(session: Session, client: "Operations", do: "Callable[[str], Awaitable[list[PauseView]]]") -> int:
    """Does it on each host, and shows the pauses of all. The exit status: the worst of them; that there was nothing to
    do on a host counts only where it is so on all.
    """
    from remediator.model.errors import EXIT_USAGE, ClientError
    from upkeeper.screens import status as view

    pauses: list[PauseView] = []
    statuses = set()
    hosts = (await client.hosts())["items"]
    if not hosts:
        raise ClientError("no remediator has worked here yet, so there is no host to name: leave --all out", EXIT_USAGE)
    for host in hosts:
        try:
            pauses += await do(host["host"])
            statuses.add(0)
        except ClientError as error:
            session.screen.note(f"{host['host']}: {error}")
            statuses.add(error.exit_code)
    view.show_pauses(session.screen, pauses)
    return max(statuses - {EXIT_USAGE} or statuses, default=0)


@click.command()
@click.argument("task", required=False, shell_complete=complete_task)
@click.option("--reason", default="by hand", show_default=True, help="Why, for the record.")
@click.option("--for", "seconds", type=DurationType(), metavar="DURATION", help="How long. Default: until resumed.")
@click.option("--silence", is_flag=True, help="Tell people of no alerts meanwhile; needs --for.")
@held_host
@everywhere
@shared(*CLIENT)
@operation
async def pause(
    session: Session,
    task: str | None,
    reason: str,
    seconds: float | None,
    silence: bool,
    host: str | None,
    all_hosts: bool,
) -> int:
    """Hold back runs, of one task or of all.

    Alerts are still received and decided upon, and the record says what was held back. A run that is under way is
    finished. With --silence Alertmanager tells nobody of this host's alerts meanwhile, or, with a TASK, of those that
    ask for it. With --for it ends by itself; without, an alert tells of it after a day. It takes the place of an
    earlier pause, but of no longer one of another person.

    \b
    Examples:
      upkeeper pause --for 2h --reason "moving house" --silence
      upkeeper pause docker-cleanup
      upkeeper pause --host web-2 --for 1h
      upkeeper pause --all --for 1h --reason "the network is rebuilt"
    """
    from upkeeper.screens import status as view

    if silence and seconds is None:
        raise click.UsageError("--silence needs an end: add --for, as in --for 2h")
    _not_both(host, all_hosts)
    async with session.client() as client:
        if all_hosts:
            return await _on_all(session, client, lambda one: client.pause(task, reason, seconds, silence, one))
        view.show_pauses(session.screen, await client.pause(task, reason, seconds, silence, host))
        return 0


@click.command()
@click.argument("task", required=False, shell_complete=complete_task)
@held_host
@everywhere
@shared(*CLIENT)
@operation
async def resume(session: Session, task: str | None, host: str | None, all_hosts: bool) -> int:
    """Let runs proceed after a pause.

    Ends the pause of TASK, or without TASK the pause of everything, with its silence. An alert that still fires is
    decided upon again.

    \b
    Examples:
      upkeeper resume
      upkeeper resume docker-cleanup
    """
    from upkeeper.screens import status as view

    _not_both(host, all_hosts)
    async with session.client() as client:
        if all_hosts:
            return await _on_all(session, client, lambda one: client.resume(task, one))
        view.show_pauses(session.screen, await client.resume(task, host))
        return 0


def _not_both(host: str | None, all_hosts: bool) -> None:
    if host is not None and all_hosts:
        raise click.UsageError("--host and --all exclude each other")


@click.group()
def breaker() -> None:
    """Close an open breaker.

    A breaker opens when the last runs of a task on a target did not help; then a person should look. It closes by
    itself after a time, or by `upkeeper breaker close`.

    \b
    Example:
      upkeeper breaker close log-rotation app-logs
    """


@breaker.command()
@click.argument("task", shell_complete=complete_task)
@click.argument("target", shell_complete=complete_target)
@held_host
@shared(*CLIENT)
@operation
async def close(session: Session, task: str, target: str, host: str | None) -> None:
    """Close the breaker of a task on a target.

    The runs up to now no longer count for it. `upkeeper status` lists the breakers that are open.

    \b
    Example:
      upkeeper breaker close log-rotation app-logs
    """
    from upkeeper.screens import status as view

    async with session.client() as client:
        view.show_breakers(session.screen, await client.close_breaker(task, target, host))


@click.group()
def autonomy() -> None:
    """Promote a remedy, or give it back the autonomy of the config.

    A remedy whose track says that it may do more by itself can be promoted a level: observe, approve, auto. After
    several runs in a row that did not help, it may do less by itself than its `autonomy:` says: auto becomes approve,
    approve becomes observe. `upkeeper remedies` says so and why.

    \b
    Example:
      upkeeper autonomy reset restart-down
    """


@autonomy.command()
@click.argument("remedy", shell_complete=complete_remedy)
@click.option("--to", type=click.Choice(["approve", "auto"]), required=True, help="What it may do from now on.")
@held_host
@shared(*CLIENT)
@operation
async def promote(session: Session, remedy: str, to: Literal["approve", "auto"], host: str | None) -> None:
    """Let a remedy do more by itself, as its track suggests.

    `upkeeper remedies` says what each could be. Nothing else is taken: a remedy that has not shown it is promoted by
    its `autonomy:` in the config alone.

    \b
    Example:
      upkeeper autonomy promote rotate-logs --to auto
    """
    async with session.client() as client:
        now = await client.promote(remedy, to, host)
    session.screen.document(now)
    session.screen.line(f"{now['remedy']} is {now['autonomy']} from now on")


@autonomy.command()
@click.argument("remedy", shell_complete=complete_remedy)
@held_host
@shared(*CLIENT)
@operation
async def reset(session: Session, remedy: str, host: str | None) -> None:
    """Let a remedy do again what the config says.

    Its runs up to now no longer count against it, nor for it. To let it do less for good, change its `autonomy:` in the
    config; that takes effect at once, whatever it was before.

    \b
    Example:
      upkeeper autonomy reset restart-down
    """
    async with session.client() as client:
        now = await client.reset_autonomy(remedy, host)
    session.screen.document(now)
    session.screen.line(f"{now['remedy']} is {now['autonomy']} again")
