"""Evidence of runs that alerts asked for."""

import asyncio
from collections.abc import Sequence

import pytest

from remediator.evidence import gather
from remediator.model.evidence import Source
from remediator.model.shapes.runs import RunView
from tests.remediator.stack import Stack, alert


async def run_of(stack: Stack) -> RunView:
    (listed,) = await stack.finished()
    assert "evidence" not in listed
    return await stack.core.run(listed["id"])


async def test_it_is_kept_when_an_alert_asks(stack: Stack) -> None:
    async def lines() -> Sequence[str]:
        return ["seen", "password=hunter2"]

    stack.task.evidence = lambda target: [Source(f"of {target}", lines)]  # type: ignore[attr-defined]
    stack.clutter()
    await stack.receive(alert(), alert(alertname="Beside", room="kitchen"))
    run = await run_of(stack)
    evidence = run["evidence"]
    assert evidence is not None
    assert [one["name"] for one in evidence] == ["of attic", "processes", "alerts firing beside it"]
    assert evidence[0] == {"name": "of attic", "lines": ["seen", "password=(not shown)"], "problem": ""}
    assert any("of a CPU" in line for line in evidence[1]["lines"])
    assert evidence[2]["lines"] == ['Beside{room="kitchen"}']
    assert [one["name"] for one in run["artefacts"]] == ["evidence.json"]


async def test_a_person_who_asks_has_seen_for_himself(stack: Stack) -> None:
    stack.clutter()
    await stack.core.start_run("sweep", "attic")
    assert (await run_of(stack))["evidence"] is None


async def test_evidence_that_hangs_or_fails_neither_holds_up_nor_fails_a_run(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "DEADLINE", 0.1)

    async def hangs() -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    stack.task.evidence = lambda target: [Source("hangs", hangs)]  # type: ignore[attr-defined]
    stack.clutter()
    await stack.receive(alert())
    run = await run_of(stack)
    assert run["outcome"] == "effective"
    assert run["evidence"] is not None
    assert run["evidence"][0]["problem"] == "not known within 0.1 s"


async def test_a_run_that_cannot_even_be_measured_has_evidence(stack: Stack) -> None:
    await stack.receive(alert())
    await stack.finished()
    stack.attic.rmdir()
    await stack.pass_time(120)
    runs = await stack.finished(2, looking=True)
    assert runs[1]["outcome"] == "failed"
    assert (await stack.core.run(runs[1]["id"]))["evidence"] is not None
