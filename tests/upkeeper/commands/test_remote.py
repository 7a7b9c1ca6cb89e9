"""The commands against a running remediator, over HTTP."""

import asyncio
import json
import signal

import pytest

from tests.ports import free_port
from tests.remediator.stack import START, alert, settings
from tests.upkeeper.commandline import ended, invoke, process
from tests.upkeeper.conftest import Remote

pytestmark = pytest.mark.slow

READING = ["status", "alerts", "decisions", "history", "tasks", "remedies", "show 1", "plan sweep", "plan sweep attic"]


async def with_history(remote: Remote) -> None:
    """One alert, remedied by run 1."""
    remote.stack.clutter()
    await remote.stack.receive(alert())
    await remote.stack.finished()


async def test_each_reading_command_as_json_is_one_document(remote: Remote) -> None:
    await with_history(remote)
    for command in READING:
        done = await remote.upkeeper(*command.split(), "--json")
        assert (done.status, done.err) == (0, ""), command
        assert json.loads(done.out), command


async def test_what_is_listed_is_what_happened(remote: Remote) -> None:
    await with_history(remote)
    assert "Cluttered" in (await remote.upkeeper("alerts")).out
    decisions = (await remote.upkeeper("decisions")).out
    assert "tidy" in decisions
    assert "sweep attic" in decisions
    history = (await remote.upkeeper("history")).out
    assert history.splitlines()[0].split() == [
        "RUN", "WHEN", "TASK", "TARGET", "TRIGGER", "OUTCOME", "FREED", "TOOK", "REASON",
    ]  # fmt: skip
    assert "alert (tidy)  effective" in history
    shown = (await remote.upkeeper("show", "1")).out
    assert "run 1: sweep on attic: effective" in shown
    assert "before   breached, 3 files" in shown
    assert "after    good, 0 files" in shown
    assert "by remedy tidy, alert 1" in shown
    assert shown.count("delete") == 3
    remedies = (await remote.upkeeper("remedies")).out
    assert "1 of 1 effective" in remedies
    assert "label room" in remedies
    tasks = (await remote.upkeeper("tasks")).out
    assert "sweep never touches:\n  directories\n" in tasks


async def test_what_waits_and_what_did_not_help_enough_is_told(remote: Remote) -> None:
    await remote.stack.core.pause(None, "dinner", 60.0)
    remote.stack.clutter(3)
    remote.stack.task.most = 1
    await remote.stack.receive(alert())
    waits = (await remote.upkeeper("decisions")).out
    assert "paused: all tasks are paused for another 1m: dinner; tried again in " in " ".join(waits.split())
    await remote.stack.pass_time(60)
    await remote.stack.finished(1)
    assert "run 1: sweep on attic: ineffective, helped, not enough: 2 files" in (await remote.upkeeper("show", "1")).out
    assert "helped, not enough: 2 files" in (await remote.upkeeper("history")).out
    assert "0 of 1 effective" in (await remote.upkeeper("remedies")).out


async def test_the_track_of_a_remedy_that_observes(remote: Remote) -> None:
    stack = remote.stack
    observer = stack.remedies[0].model_copy(update={"autonomy": "observe"})
    stack.core.apply_settings(settings(stack.task, [observer]))
    assert "no runs yet" in (await remote.upkeeper("remedies")).out
    stack.clutter()
    await stack.receive(alert())
    await stack.finished(1)
    assert "1 plan, 1 with something to do" in (await remote.upkeeper("remedies")).out


async def test_pages(remote: Remote) -> None:
    await remote.stack.receive(*(alert(number=str(number)) for number in range(3)))
    first = await remote.upkeeper("alerts", "-n", "2")
    assert "number=2" in first.out
    assert first.err == "more: --before 2\n"
    second = await remote.upkeeper("alerts", "-n", "2", "--before", "2")
    assert "number=0" in second.out
    assert second.err == ""


async def test_a_plan_shows_what_would_be_done_and_what_would_block_it(remote: Remote) -> None:
    remote.stack.clutter(2)
    plan = await remote.upkeeper("plan", "sweep")
    assert plan.status == 0
    assert "sweep on attic: breached, 2 files" in plan.out
    assert plan.out.splitlines()[-1] == "2 actions"
    await remote.upkeeper("pause", "--reason", "dinner")
    assert (
        "a run now would be blocked by paused: all tasks are paused: dinner"
        in (await remote.upkeeper("plan", "sweep")).out
    )
    assert len(list(remote.stack.attic.iterdir())) == 2


async def test_a_run_is_followed_to_its_end(remote: Remote) -> None:
    remote.stack.clutter(3)
    done = await remote.upkeeper("run", "sweep")
    assert done.status == 0
    assert done.out.splitlines()[0] == "run 1: sweep on attic: effective, 0 files"
    assert "  before   breached, 3 files" in done.out
    assert "  after    good, 0 files" in done.out
    assert "3 of 3 done, 3 B freed" in done.out
    assert done.err.splitlines()[-1] == "run 1: sweep on attic: finished, 3/3 actions, 3 B freed"
    assert list(remote.stack.attic.iterdir()) == []

    remote.stack.clock.now += 61
    again = await remote.upkeeper("run", "sweep", "attic", "--json")
    assert json.loads(again.out)["outcome"] == "nothing-to-do"
    assert again.err.splitlines()[-1] == "run 2: sweep on attic: finished"


async def test_a_dry_run_does_nothing_and_no_wait_only_queues(remote: Remote) -> None:
    remote.stack.clutter(1)
    done = await remote.upkeeper("run", "sweep", "--dry-run")
    assert done.status == 0
    assert "planned, dry run" in done.out
    assert "f0" in done.out
    assert len(list(remote.stack.attic.iterdir())) == 1
    assert "cli" not in done.out
    assert " dry " in (await remote.upkeeper("history")).out

    queued = await remote.upkeeper("run", "sweep", "--no-wait")
    assert queued.status == 0
    assert "upkeeper show 2" in queued.out
    await remote.stack.finished(2)
    assert list(remote.stack.attic.iterdir()) == []


async def test_a_run_that_fails_exits_1(remote: Remote) -> None:
    remote.stack.task.broken = True
    remote.stack.clutter(1)
    done = await remote.upkeeper("run", "sweep")
    assert done.status == 1
    assert "run 1: sweep on attic: failed" in done.out
    assert "failed delete f0: f0 will not go" in done.out


async def test_a_blocked_run_exits_3_with_its_guard(remote: Remote) -> None:
    await remote.upkeeper("pause", "sweep", "--for", "1h")
    done = await remote.upkeeper("run", "sweep", "--json")
    assert done.status == 3
    assert json.loads(done.out)["error"] == {
        "message": "paused: task sweep is paused for another 1h: by hand",
        "exit_code": 3,
        "guard": "paused",
    }
    assert done.err == "error: paused: task sweep is paused for another 1h: by hand\n"


NOT_THERE = {
    "plan sweeep": "did you mean sweep?",
    "plan sweeep attic": "did you mean sweep?",
    "run sweep cellar": "its targets: attic",
    "show 99": "there is no run 99",
    "pause sweeep": "did you mean sweep?",
    "resume": "nothing is paused",
    "breaker close sweep attic": "no breaker is open for sweep on attic",
}


async def test_what_is_not_there_exits_2(remote: Remote) -> None:
    for command, message in NOT_THERE.items():
        done = await remote.upkeeper(*command.split())
        assert done.status == 2, command
        assert done.err.startswith("error: "), command
        assert message in done.err, command


async def test_where_the_url_points_decides(remote: Remote) -> None:
    nobody = await invoke("status", "--json", env={**remote.env, "UPKEEPER_URL": f"http://127.0.0.1:{free_port()}"})
    assert nobody.status == 4
    assert "cannot reach the remediator" in json.loads(nobody.out)["error"]["message"]
    elsewhere = await invoke("status", env={**remote.env, "UPKEEPER_URL": "http://192.0.2.1:10747"})
    assert elsewhere.status == 2
    assert "UPKEEPER_TOKEN_FILE" in elsewhere.err


async def test_pause_and_resume(remote: Remote) -> None:
    paused = await remote.upkeeper("pause", "--for", "2h", "--reason", "moving\x1b[2J house")
    assert "all tasks" in paused.out
    assert r"moving\x1b[2J house" in paused.out
    assert json.loads((await remote.upkeeper("pause", "sweep", "--json")).out)["items"][0]["task"] is None
    assert "sweep" in (await remote.upkeeper("resume")).out
    assert (await remote.upkeeper("resume", "sweep")).out == "nothing is paused any more\n"


async def test_status_says_what_a_person_should_look_at(remote: Remote) -> None:
    stack = remote.stack
    assert (await remote.upkeeper("status")).status == 0
    stack.task.useless = True
    stack.clutter(1)
    for number in range(3):
        stack.clock.now = START + 61 * (number + 1)
        assert (await remote.upkeeper("run", "sweep")).status == 1  # ineffective
    status = await remote.upkeeper("status")
    assert status.status == 1
    assert status.out.startswith("look: the breaker of sweep on attic is open")
    assert json.loads((await remote.upkeeper("status", "--json")).out)["problems"]
    closed = await remote.upkeeper("breaker", "close", "sweep", "attic")
    assert closed.out == "no breaker is open any more\n"
    assert (await remote.upkeeper("status")).status == 0


async def test_names_from_outside_cannot_fake_output(remote: Remote) -> None:
    (remote.stack.attic / "f\x1b[2K\rrun 1: all is well").touch()
    await remote.stack.receive(alert(note="\x1b]0;owned\x07", other="[bold]x[/bold]\u202e"))
    await remote.stack.finished()
    for command in ("alerts", "show 1", "history", "decisions"):
        out = (await remote.upkeeper(*command.split())).out
        assert all(char == "\n" or char.isprintable() for char in out), command
    assert r"f\x1b[2K\x0drun 1: all is well" in (await remote.upkeeper("show", "1")).out
    assert r"[bold]x[/bold]\u202e" in (await remote.upkeeper("alerts")).out


async def test_ctrl_c_stops_following_and_not_the_run(remote: Remote) -> None:
    stack = remote.stack
    stack.task.stuck = asyncio.Event()
    stack.task.action_timeout = 120.0  # not given up before it is followed and let go, on a busy machine either
    stack.clutter(1)
    async with process("run", "sweep", env=remote.env) as following:
        assert following.stderr is not None
        seen = b""
        while b"applying" not in seen:
            seen += await following.stderr.readline()
        following.send_signal(signal.SIGINT)
        done = await ended(following)
    assert done.status == 130
    assert "stopped following; run 1 continues: upkeeper show 1" in done.err
    assert "Traceback" not in done.err
    stack.task.stuck.set()
    [run] = await stack.finished()
    assert run["outcome"] == "effective"
