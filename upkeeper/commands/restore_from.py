"""``restore --from``: a set that no config of this machine knows, into a directory, without a remediator."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remediator.model.errors import EXIT_FAILED, EXIT_USAGE, ClientError
from upkeeper.commands.options import Session

if TYPE_CHECKING:
    from remediator.model.task import Action
    from remediator.tasks.restoring.elsewhere import Found

RESTIC = "restic:"


async def restore_from(
    session: Session,
    source: str,
    name: str,
    backup: str | None,
    params: Mapping[str, Any],
    password_file: str | None,
    identity: str | None,
    *,
    dry_run: bool,
) -> int:
    """Restores it step by step, and says where config and Compose file are then. The exit status."""
    from exporter.base.errors import UpkeeperError
    from remediator.config.config import Config
    from remediator.tasks.registry import build_tasks
    from remediator.tasks.resources import Resources
    from remediator.tasks.restore.facts import RESTORE

    to = str(params["to"])
    if "/" not in to:
        raise ClientError(
            "with --from, --to is a directory: a database needs a config that names its server", EXIT_USAGE
        )
    try:
        async with _found(session, source, name, backup, Path(to), password_file, identity, dry_run=dry_run) as found:
            if found is None:
                return 0
            config = Config(backups=[found.series])
            task = build_tasks(config, Resources(config))[RESTORE.name]
            plan = await task.plan(found.series.name, {**params, "set": found.name})
            for note in plan.notes:
                session.screen.note(note)
            done: list[dict[str, str]] = []
            for action in plan.actions:
                if not dry_run:
                    effect = await task.apply(found.series.name, action)
                    done.append({**_step(action), "state": effect.state, "detail": effect.detail})
                else:
                    done.append({**_step(action), "state": "planned", "detail": action.reason})
                session.screen.line(f"{done[-1]['state']:8} {action.kind} {action.object}: {done[-1]['detail']}")
            chosen = str(plan.actions[0].params["set"])
            places = [] if dry_run else _places(Path(str(found.series.path)) / chosen, Path(to))
    except (UpkeeperError, OSError) as error:
        if isinstance(error, ClientError):
            raise
        raise ClientError(str(error), EXIT_FAILED) from error
    for what, place in places:
        session.screen.line(f"{what}: {place}")
    session.screen.document(
        {"set": chosen, "backup": found.series.name, "to": to, "actions": done}
        | {"found": [{"what": what, "path": str(place)} for what, place in places]}
    )
    return 0


def _step(action: "Action") -> dict[str, str]:
    return {"kind": action.kind, "object": action.object}


def _places(directory: Path, to: Path) -> list[tuple[str, Path]]:
    from exporter.backups import manifest as manifests
    from remediator.tasks.restoring.elsewhere import brought_back

    return list(brought_back(manifests.read(directory)[0], to))


@asynccontextmanager
async def _found(
    session: Session,
    source: str,
    name: str,
    backup: str | None,
    to: Path,
    password_file: str | None,
    identity: str | None,
    *,
    dry_run: bool,
) -> "AsyncIterator[Found | None]":
    """The set within the block; None where it is in a repository, and was only to be told of."""
    from exporter.base.text import format_time
    from remediator.tasks.restoring import elsewhere
    from remediator.tasks.worker import in_thread

    if not source.startswith(RESTIC):
        if password_file is not None:
            raise ClientError("--password-file is for --from restic:REPOSITORY", EXIT_USAGE)
        yield await in_thread(lambda _: elsewhere.in_directory(Path(source), name, backup, identity))
        return
    if password_file is None:
        raise ClientError("--from restic:REPOSITORY needs --password-file FILE", EXIT_USAGE)
    repository = elsewhere.repository_at(source.removeprefix(RESTIC), password_file)
    snapshot = await in_thread(lambda stop: elsewhere.in_repository(repository, name, backup, stop))
    told = f"{Path(snapshot.path).name} of {snapshot.host}, made {format_time(snapshot.time)}"
    session.screen.note(f"snapshot {snapshot.id[:8]} of {repository}: {told}")
    if dry_run:
        session.screen.note(f"It would be fetched beside {to}, checked against its manifest, and restored from there.")
        session.screen.document({"snapshot": snapshot.id, "set": Path(snapshot.path).name, "to": str(to)})
        yield None
        return
    async with _fetched(repository, snapshot, to.parent, identity) as found:
        yield found


@asynccontextmanager
async def _fetched(repository: Any, snapshot: Any, beside: Path, identity: str | None) -> "AsyncIterator[Found]":
    from remediator.tasks.restoring.elsewhere import fetched
    from remediator.tasks.worker import in_thread

    context: list[Any] = []

    def enter(stop: Any) -> Any:
        context.append(fetched(repository, snapshot, beside, identity, stop))
        return context[0].__enter__()

    try:
        yield await in_thread(enter)
    finally:
        if context:
            await in_thread(lambda _: context[0].__exit__(None, None, None))
