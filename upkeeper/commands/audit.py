"""``audit``: the record that is only added to, its verification, and its export."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from upkeeper.commands.alerts import before_option, limit_option
from upkeeper.commands.options import CLIENT, Session, operation, shared

if TYPE_CHECKING:
    from remediator.audit.verify import Head

host_option = click.option("--host", metavar="HOST", help="Only the chain of this host.")


class HeadType(click.ParamType["Head"]):
    """A published head of a chain."""

    name = "head"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> "Head":
        from upkeeper.look.audit import parse_head

        try:
            return parse_head(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class TimeType(click.ParamType[str]):
    """A point in time: as RFC 3339 has it, a date, or so long ago. As RFC 3339 in UTC."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from datetime import UTC, datetime, timedelta

        from exporter.base.text import format_time_ms, parse_time
        from exporter.base.units import parse_duration

        text = str(value)
        try:
            if text[:4].isdecimal() and "-" in text:
                at = parse_time(text)
            else:
                at = datetime.now(UTC) - timedelta(seconds=parse_duration(text))  # type: ignore[arg-type]  # it is a number
            return format_time_ms((at if at.tzinfo else at.astimezone()).timestamp())
        except (ValueError, TypeError, OverflowError):
            self.fail(f"{text!r} is no time; write for example 30d, 2026-11-01 or 2026-11-01T14:00:00Z", param, ctx)


@click.group()
def audit() -> None:
    """Read, verify and export the audit.

    Every decision, hold, approval and step of a run is recorded, each record with the hash of the one before it: what
    is changed, moved or left out later is found. docs/audit.md tells what this proves and what it does not.

    \b
    Examples:
      upkeeper audit list --run 12
      upkeeper audit verify
      upkeeper audit export --since 30d > audit.jsonl
    """


@audit.command("list")
@limit_option
@before_option
@click.option("--run", type=click.IntRange(1), metavar="RUN", help="Only what is about this run.")
@shared(*CLIENT)
@operation
async def list_(session: Session, limit: int, before: int | None, run: int | None) -> None:
    """List records, newest first.

    Each line has the number of the record in its host's chain, who asked for what it tells, and the run and the alert
    that it is about.

    \b
    Example:
      upkeeper audit list --run 12
    """
    from upkeeper.screens import audit as view

    async with session.client(reads=True) as client:
        view.show_records(session.screen, await client.audit(limit=limit, before=before, run=run))


@audit.command()
@click.option(
    "--head",
    "heads",
    type=HeadType(),
    multiple=True,
    metavar="[NUMBER:]HASH",
    help="A head that was published before: the chain must still hold it. May be given several times.",
)
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="EXPORT",
    help="Verify an exported file instead; needs neither a remediator nor its state.",
)
@host_option
@shared(*CLIENT)
@operation
async def verify(session: Session, heads: tuple["Head", ...], file: Path | None, host: str | None) -> int:
    """Prove that no record was changed, moved, inserted or left out.

    The records are read from the remediator, or from its state where none runs, and each hash is computed here. What
    was cut off at the end, or written anew as a whole, is found by a head that was published before: keep the one that
    this prints, or take one from Prometheus, the log or a report. The exit status is 1 when the chain is broken.

    \b
    Examples:
      upkeeper audit verify
      upkeeper audit verify --head 120:3fb0c1d25e6a7
      upkeeper audit verify --file audit.jsonl
    """
    from remediator.model.errors import EXIT_FAILED
    from upkeeper.look import audit as look
    from upkeeper.screens import audit as view

    if file is not None:
        verdicts = look.verify_file(file, host, heads)
    else:
        async with session.client(reads=True) as client:
            verdicts = await look.verify(client, host, heads)
    view.show_verdicts(session.screen, verdicts)
    return EXIT_FAILED if any(one["faults"] for one in verdicts) else 0


@audit.command()
@click.option("--since", type=TimeType(), metavar="TIME", help="From then on: 30d ago, 2026-11-01, or RFC 3339.")
@click.option("--until", type=TimeType(), metavar="TIME", help="Only what is older.")
@host_option
@shared(*CLIENT)
@operation
async def export(session: Session, since: str | None, until: str | None, host: str | None) -> None:
    """Print records as JSON, one a line, oldest first.

    What was exported can be verified without the database, by `upkeeper audit verify --file` or by anything that can
    compute SHA-256 over canonical JSON (RFC 8785). With --json it is one document, which has the records as ``items``.

    \b
    Example:
      upkeeper audit export --since 30d > audit.jsonl
    """
    import json
    from contextlib import aclosing

    from upkeeper.look import audit as look

    async with session.client(reads=True) as client, aclosing(look.export(client, host, since, until)) as records:
        separator = '{"items": [\n' if session.json else ""
        async for record in records:
            click.echo(separator + json.dumps(record, separators=(",", ":")), nl=not session.json)
            separator = ",\n" if session.json else ""
    if session.json:
        click.echo(separator.replace(",\n", "") + "\n]}")
