"""``explain``: what would be decided about an alert, and why."""

import click

from upkeeper.commands.options import CLIENT, Session, operation, pairs_option, shared


@click.command()
@click.argument("alert_id", required=False, type=click.IntRange(1))
@pairs_option("-l", "--label", "labels", help="A label of an alert that may come. May be given several times.")
@click.option("--no-plan", is_flag=True, help="Do not plan: only match, and ask the guards.")
@shared(*CLIENT)
@operation
async def explain(session: Session, alert_id: int | None, labels: dict[str, str], no_plan: bool) -> None:
    """Explain what would be decided about an alert now, and why.

    For ALERT_ID, an alert that came (`upkeeper alerts` lists them), or for labels that you give: which remedy matches,
    and which matcher of the others does not; which target, and how it is selected; what each guard says; what would be
    planned. Nothing is run and nothing recorded.

    \b
    Examples:
      upkeeper explain 17
      upkeeper explain --label alertname=UpkeeperLogDirectoryOverLimit --label directory=pa
    """
    from upkeeper.screens.explain import show_explanation

    if (alert_id is None) is (not labels):
        raise click.UsageError("give the id of an alert, or --label NAME=VALUE, and not both")
    async with session.client(reads=True) as client:
        show_explanation(session.screen, await client.explain(alert_id, labels or None, not no_plan))
