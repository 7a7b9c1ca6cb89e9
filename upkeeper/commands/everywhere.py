"""``run --all``: a task on every host of the fleet that is up."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upkeeper.commands.options import Session


async def run_everywhere(
    session: "Session", task: str, target: str | None, params: Mapping[str, Any], *, dry_run: bool, no_wait: bool
) -> int:
    """Queues a run on each, and follows them all unless told otherwise. The exit status: the worst of them."""
    from remediator.model.errors import EXIT_UNREACHABLE, EXIT_USAGE, ClientError
    from upkeeper.client.follow import exit_code, finish
    from upkeeper.client.http import HttpClient
    from upkeeper.client.targets import only_target
    from upkeeper.screens.hosts import show_runs_of_hosts

    async with session.client(engine=True) as client:
        if not isinstance(client, HttpClient):
            raise ClientError("--all needs a running remediator, which takes part in it", EXIT_USAGE)
        chosen = target or only_target((await client.tasks())["items"], task)
        started, refused, worst = [], [], 0
        for host in [one for one in (await client.hosts())["items"] if one["up"]]:
            try:
                started.append(await client.start_run(task, chosen, dry_run, params, host["host"]))
            except ClientError as error:
                if error.exit_code == EXIT_UNREACHABLE:
                    raise
                refused.append((host["host"], str(error)))
                worst = max(worst, error.exit_code)
        if not no_wait:
            started = [await finish(client, run) for run in started]
            worst = max([worst, *map(exit_code, started)])
        show_runs_of_hosts(session.screen, started, refused)
        return worst
