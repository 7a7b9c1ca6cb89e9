"""``report``: what was done, what is open, what has changed."""

from pathlib import Path

import click

from upkeeper.commands.options import CLIENT, Session, operation, shared

FORMATS = {"html": ".html", "markdown": ".md", "json": ".json"}


@click.command()
@click.option("--since", metavar="DURATION", default="7d", show_default=True, help="How far back, as in 24h or 30d.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    help="Default: as the name of --output ends, else markdown.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write it. Default: here.",
)
@shared(*CLIENT)
@operation
async def report(session: Session, since: str, form: str | None, output: Path | None) -> int:
    """Report what was done, what is open, and what has changed.

    What ran and how it ended, what it freed, which backups are proven, what waits for somebody, what will be full when,
    how remedies did and what they could be promoted to. It is a run of the task maintenance-report that tells nobody
    else; the schedule's report is mailed and posted where `notify:` says. With --json, or with --format json, it is one
    JSON document.

    \b
    Examples:
      upkeeper report
      upkeeper report --since 30d --output report.html
      upkeeper report --json | jq .totals
    """
    from remediator.tasks.maintenance_report.facts import ALL, HTML, JSON, MAINTENANCE_REPORT, MARKDOWN
    from upkeeper.client.artefacts import named, write
    from upkeeper.client.follow import exit_code, finish
    from upkeeper.screens import runs as view

    async with session.client(engine=True) as client:
        params = {"since": since, "deliver": False}
        run = await finish(client, await client.start_run(MAINTENANCE_REPORT.name, ALL, False, params))
        if exit_code(run):
            view.show_summary(session.screen, run)
            return exit_code(run)
        name = {"html": HTML, "markdown": MARKDOWN, "json": JSON}[_form(session, form, output)]
        content = (await named(client, await client.run(run["id"]), name))["content"]
    if output is None:
        click.echo(content, nl=False)
    else:
        write(output, content)
        session.screen.note(f"wrote {output}")
    return 0


def _form(session: Session, form: str | None, output: Path | None) -> str:
    if form is not None or session.json:
        return form or "json"
    return next((name for name, end in FORMATS.items() if output is not None and output.suffix == end), "markdown")
