"""Many alerts decided in one transaction are decided as if each came by itself."""

from tests.remediator.stack import START, Stack, alert


async def test_two_episodes_on_one_target_in_one_batch_make_one_run(stack: Stack) -> None:
    stack.clutter()
    await stack.receive(alert(), alert(starts_at=START + 1))
    (run,) = await stack.finished(1)
    *_, second, first = (await stack.core.decisions())["items"]  # newest first; after the run it is looked at again
    assert (first["verdict"], first["run_id"]) == ("run", run["id"])
    assert (second["verdict"], second["guard"], second["run_id"]) == ("blocked", "in-flight", None)


async def test_new_repeated_and_unmatched_alerts_in_one_batch(stack: Stack) -> None:
    stack.clutter()
    known, stranger, nowhere = alert(), alert(alertname="Other"), alert(room="cellar")
    await stack.receive(known, stranger)
    await stack.finished(1)
    await stack.receive(known, stranger, nowhere)
    decided = {(each["verdict"], each["repeats"]) for each in (await stack.core.decisions())["items"]}
    assert decided == {("run", 1), ("unmatched", 1), ("no-target", 0)}
    assert len(await stack.finished(1)) == 1
