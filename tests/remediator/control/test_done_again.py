"""What is written is undone and done again where the disk was full at first: it must be as if it was done once."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa

from remediator.store.database import Database
from tests.helpers import wait_until
from tests.remediator.stack import Stack, alert, settings

T = TypeVar("T")


class Undone(Exception):
    """As a disk that is full at the commit."""


@pytest.fixture(autouse=True)
def twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undoes each write once."""
    write = Database.write

    async def again(self: Database, work: Callable[[sa.Connection], T], **more: Any) -> T:
        def undone(connection: sa.Connection) -> T:
            work(connection)
            raise Undone

        with suppress(Undone):
            await write(self, undone, **more)
        return await write(self, work, **more)

    monkeypatch.setattr(Database, "write", again)


async def test_an_alert_is_decided_and_acted_on(stack: Stack) -> None:
    stack.clutter(2)
    await stack.receive(alert())
    [run] = await stack.finished(1)
    assert (run["outcome"], run["freed_bytes"]) == ("effective", 2)
    assert [each["verdict"] for each in (await stack.core.decisions())["items"]] == ["run"]
    assert stack.task.applied == ["f0", "f1"]


async def test_a_plan_is_approved_once(stack: Stack) -> None:
    stack.remedies[0] = stack.remedies[0].model_copy(update={"autonomy": "approve"})
    stack.core.apply_settings(settings(stack.task, stack.remedies))
    stack.clutter(2)
    await stack.receive(alert())

    async def asked() -> Any:
        return (await stack.core.approvals(state="asked"))["items"]

    [waiting] = await wait_until(asked, what="the approval")
    await stack.core.decide_approval(waiting["id"], "approve", waiting["plan_hash"])
    [run] = await stack.finished(1)
    assert run["outcome"] == "effective"
    assert stack.task.applied == ["f0", "f1"]


async def test_runs_by_hand_pauses_and_cancels_are_one_each(stack: Stack) -> None:
    stack.clutter(1)
    await stack.core.start_run("sweep", "attic", dry_run=True)
    await stack.finished(1)
    await stack.core.pause(None, "moving house", 60.0)
    assert len((await stack.core.status())["paused"]) == 1
    await stack.core.resume(None)
    kinds = [each["kind"] for each in (await stack.core.audit(limit=100))["items"]]
    assert (kinds.count("pause.set"), kinds.count("run.asked")) == (1, 1), kinds
    assert (await stack.core.status()).get("audit", {"faults": ["none"]})["faults"] == []
