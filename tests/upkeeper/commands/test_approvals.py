"""``approvals``, ``approve`` and ``deny`` against a running remediator, and without one."""

import asyncio
import json
import os
import pty

import pytest

from remediator.model.shapes.approvals import ApprovalView
from tests.helpers import wait_until
from tests.remediator.stack import alert, settings
from tests.upkeeper.commandline import CLEAN, SOURCES, UPKEEPER, Done, ended, process
from tests.upkeeper.conftest import Remote

pytestmark = pytest.mark.slow


async def breach(remote: Remote, files: int = 2) -> ApprovalView:
    """A breach about which a person is asked."""
    stack = remote.stack
    asking = stack.remedies[0].model_copy(update={"autonomy": "approve"})
    stack.core.apply_settings(settings(stack.task, [asking]))
    stack.clutter(files)
    await stack.receive(alert())

    async def waits() -> list[ApprovalView]:
        return (await stack.core.approvals(state="asked"))["items"]

    (one,) = await wait_until(waits, what="a request for approval")
    return one


async def on_a_terminal(remote: Remote, answer: str, *arguments: str) -> tuple[int, str]:
    """A command whose standard input is a terminal on which somebody types; its exit status and stdout."""
    ours, theirs = pty.openpty()
    try:
        started = await asyncio.create_subprocess_exec(
            *UPKEEPER, *arguments, stdin=theirs, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**CLEAN, **remote.env}, cwd=SOURCES,
        )  # fmt: skip
        os.write(ours, answer.encode())
        done = await ended(started)
    finally:
        os.close(ours)
        os.close(theirs)
    return done.status, done.out


async def test_what_waits_is_listed_and_shown_by_the_status(remote: Remote) -> None:
    assert (await remote.upkeeper("approvals")).out == "nothing waits for a person\n"
    await breach(remote)
    listed = (await remote.upkeeper("approvals")).out.splitlines()
    assert listed[0].split() == ["ID", "TASK", "TARGET", "WOULD", "FOR", "ASKED", "EXPIRES", "STATE", "REASON"]
    assert "sweep  attic   2 actions  alert tidy" in listed[1]
    document = json.loads((await remote.upkeeper("approvals", "--json")).out)
    assert [(one["id"], one["run"], one["state"]) for one in document["items"]] == [(1, 1, "asked")]
    status = await remote.upkeeper("status")
    assert status.status == 1
    assert "look: sweep on attic waits for a person: upkeeper approve 1" in status.out
    assert "state: waiting" not in status.out
    assert "waiting" in (await remote.upkeeper("history")).out


async def test_approved_without_being_asked_it_is_followed_to_its_end(remote: Remote) -> None:
    await breach(remote)
    done = await remote.upkeeper("approve", "1", "--yes", "--reason", "go on")
    assert done.status == 0
    assert done.out.splitlines()[0] == "run 1: sweep on attic: effective, 0 files"
    assert list(remote.stack.attic.iterdir()) == []
    everything = (await remote.upkeeper("approvals", "--all")).out
    assert "approved" in everything
    assert "go on" in everything
    again = await remote.upkeeper("approve", "1", "--yes")
    assert (again.status, again.err.startswith("error: approval 1 is over: approved by ")) == (3, True)


async def test_as_json_it_is_the_approval_with_the_run_that_ended(remote: Remote) -> None:
    await breach(remote)
    document = json.loads((await remote.upkeeper("approve", "1", "--yes", "--json")).out)
    assert (document["state"], document["run"], document["ended"]["outcome"]) == ("approved", 1, "effective")


async def test_on_a_terminal_it_shows_the_plan_and_asks(remote: Remote) -> None:
    await breach(remote)
    status, out = await on_a_terminal(remote, "n\n", "approve", "1")
    assert status == 3
    assert "approval 1: sweep on attic: breached, 2 files" in out
    assert "delete  f0" in out
    assert (await remote.stack.core.approval(1))["state"] == "asked"
    status, out = await on_a_terminal(remote, "y\n", "approve", "1")
    assert (status, out.splitlines()[-1]) == (0, "  actions  2 of 2 done, 2 B freed, in 0.00 s")


async def test_where_nobody_can_be_asked_nothing_is_approved(remote: Remote) -> None:
    await breach(remote)
    async with process("approve", "1", env=remote.env) as started:
        done: Done = await ended(started)
    assert done.status == 2
    assert "to approve it without being asked: upkeeper approve 1 --yes" in done.err
    assert (await remote.stack.core.approval(1))["state"] == "asked"


async def test_another_plan_is_asked_about_again(remote: Remote) -> None:
    await breach(remote)
    (remote.stack.attic / "g").touch()
    done = await remote.upkeeper("approve", "1", "--yes")
    assert done.status == 3
    assert "approval 2 waits: sweep on attic, 3 actions" in done.out
    assert "added   delete g" in done.out
    assert "upkeeper approve 2" in done.out
    assert len(list(remote.stack.attic.iterdir())) == 3


async def test_denied(remote: Remote) -> None:
    await breach(remote)
    assert (await remote.upkeeper("deny", "1")).status == 2
    done = await remote.upkeeper("deny", "1", "--reason", "needed")
    assert (done.status, done.out) == (0, "denied approval 1: sweep on attic is not done\n")
    assert "run 1: sweep on attic: denied, denied by " in (await remote.upkeeper("show", "1")).out


async def test_a_run_by_hand_that_needs_an_approval_says_so_and_does_not_wait_for_it(remote: Remote) -> None:
    remote.stack.task.facts = remote.stack.task.facts._replace(always_approve=True)
    remote.stack.clutter(1)
    plan = await remote.upkeeper("plan", "sweep")
    assert "a run now would wait for a person: a person must approve each plan of sweep" in plan.out
    done = await remote.upkeeper("run", "sweep")
    assert done.status == 3
    assert "approval 1 waits: sweep on attic, 1 action, expires in " in done.out
    assert "upkeeper approve 1, or upkeeper deny 1" in done.out
    held = await remote.upkeeper("run", "sweep", "--json")
    assert held.status == 3
    assert json.loads(held.out)["error"]["guard"] == "in-flight"
