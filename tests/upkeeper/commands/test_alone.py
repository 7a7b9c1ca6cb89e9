"""The commands without a running remediator: on the state directory itself, through the same guards and record."""

import asyncio
import fcntl
import gzip
import json
import logging
import os
import pwd
import shutil
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import structlog

from remediator import endpoints
from remediator.statedir import StateDir
from tests.ports import free_port
from tests.upkeeper.commandline import Done, ended, invoke, process

pytestmark = pytest.mark.slow

CONFIG = """
logs:
  - name: app
    path: {logs}
    max_bytes: 1MiB
    rotation: {{max_file_bytes: 256KiB}}
docker: {{host: "unix://{tmp}/no-docker.sock"}}
services:
  - name: nobody
    probes: [{{url: "tcp://127.0.0.1:1", timeout: 1s}}]
"""

Upkeeper = Callable[..., Awaitable[Done]]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    directory = tmp_path / "logs"
    directory.mkdir()
    for number in range(4):
        (directory / f"app-{number}.log").write_text(f"line {number} of a log\n" * 30_000)
    return directory


@pytest.fixture
def env(tmp_path: Path, logs: Path, migrated: Path) -> dict[str, str]:
    config = tmp_path / "upkeeper.yml"
    config.write_text(CONFIG.format(logs=logs, tmp=tmp_path))
    (tmp_path / "state").mkdir()
    shutil.copy(migrated, StateDir(tmp_path / "state").database)
    return {"UPKEEPER_CONFIG": str(config), "UPKEEPER_STATE_DIR": str(tmp_path / "state")}


@pytest.fixture
def upkeeper(env: dict[str, str]) -> Iterator[Upkeeper]:
    """Commands in this process, which saves the second that each would import."""
    handlers, level = logging.root.handlers, logging.root.level

    async def run(*arguments: str) -> Done:
        return await invoke(*arguments, env=env)

    yield run
    logging.root.handlers, logging.root.level = handlers, level
    structlog.reset_defaults()


async def test_the_first_command_that_changes_something_makes_the_state_directory(tmp_path: Path) -> None:
    env = {"UPKEEPER_STATE_DIR": str(tmp_path / "new" / "state"), "XDG_CONFIG_HOME": str(tmp_path)}
    async with process("pause", "--reason", "moving house", "--json", env=env) as started:
        done = await ended(started)
    assert done.status == 0
    assert json.loads(done.out)["items"][0]["reason"] == "moving house"
    assert StateDir(tmp_path / "new" / "state").operator_token.exists()


async def test_a_command_that_only_reads_makes_no_state_directory(upkeeper: Upkeeper, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    for arguments in (
        ["history"], ["status"], ["plan", "log-rotation", "app"], ["tasks"], ["remedies"], ["alerts"], ["decisions"],
        ["approvals"], ["schedule"], ["sets"], ["audit", "list"], ["audit", "verify"], ["token", "list"],
        ["explain", "--label", "alertname=UpkeeperServiceDown"],
    ):  # fmt: skip
        done = await upkeeper(*arguments, "--state-dir", str(tmp_path / "new" / "state"))
        assert done.status in (0, 1), done.err
        assert f"nothing is recorded in {tmp_path / 'new' / 'state'}" in done.err
    assert sorted(tmp_path.rglob("*")) == before


async def test_plan_run_and_record(upkeeper: Upkeeper, logs: Path, tmp_path: Path) -> None:
    plan = await upkeeper("plan", "log-rotation", "app")
    assert plan.status == 0
    assert plan.err == f"no remediator is running: working directly on {tmp_path / 'state'}\n"
    assert "app-0.log" in plan.out
    assert len(list(logs.iterdir())) == 4, "a plan changes nothing"

    run = await upkeeper("run", "log-rotation", "app", "--json")
    assert run.status == 0
    done = json.loads(run.out)
    assert done["outcome"] == "effective"
    assert (done["trigger"], done["caller"]) == ("cli", {"trigger": "cli", "name": pwd.getpwuid(os.getuid()).pw_name})
    kept = sorted(logs.glob("*.gz"))
    assert len(kept) == 4
    assert gzip.decompress(kept[0].read_bytes()).count(b"\n") == 30_000

    again = await upkeeper("run", "log-rotation", "app")
    assert again.status == 3
    assert "cooldown" in again.err

    history = json.loads((await upkeeper("history", "--json")).out)
    assert [item["id"] for item in history["items"]] == [1]
    assert "8 of 8 done" in (await upkeeper("show", "1")).out


async def test_health_check_prints_the_probes_and_fails_with_them(upkeeper: Upkeeper) -> None:
    done = await upkeeper("run", "health-check")
    assert done.status == 1
    table, conclusion = done.out.rstrip("\n").rsplit("\n", 1)
    assert table.splitlines()[0].split() == ["CHECK", "RESULT", "DETAIL"]
    assert table.splitlines()[1].split()[:2] == ["nobody/live", "failed"]
    assert conclusion == "run 1: health-check on all: ineffective, 0 of 1 checks pass"


async def test_a_pause_holds_without_a_remediator_too(upkeeper: Upkeeper) -> None:
    assert (await upkeeper("pause", "--reason", "dinner")).status == 0
    blocked = await upkeeper("run", "log-rotation", "app", "--json")
    assert blocked.status == 3
    assert json.loads(blocked.out)["error"]["guard"] == "paused"
    assert (await upkeeper("resume")).out == "nothing is paused any more\n"


async def test_status_says_that_no_remediator_runs(upkeeper: Upkeeper) -> None:
    done = await upkeeper("status", "--json")
    assert done.status == 1
    missing, failing = json.loads(done.out)["problems"]
    assert missing.startswith("the remediator is not running: start it by `upkeeper up`")
    assert failing.startswith("nobody/live fails: cannot connect to ")


async def test_parameters_that_a_task_does_not_have_are_told(upkeeper: Upkeeper) -> None:
    for command in ("plan", "run"):
        done = await upkeeper(command, "log-rotation", "app", "--param", "force=1")
        assert done.status == 2
        assert done.err.endswith("log-rotation has no parameter force; its parameters: none\n")
        malformed = await upkeeper(command, "log-rotation", "app", "--param", "force")
        assert malformed.status == 2
        assert "'force' must be KEY=VALUE" in malformed.err


async def test_no_wait_needs_somebody_to_do_the_run(upkeeper: Upkeeper) -> None:
    done = await upkeeper("run", "log-rotation", "app", "--no-wait")
    assert done.status == 2
    assert "--no-wait needs a running remediator" in done.err


async def test_a_broken_config_is_told_with_file_line_and_key(upkeeper: Upkeeper, env: dict[str, str]) -> None:
    path = Path(env["UPKEEPER_CONFIG"])
    path.write_text("logz: []\nservices: 7\n")
    done = await upkeeper("tasks", "--json")
    assert done.status == 2
    assert f"error: {path}:1: logz: unknown key (did you mean logs?)" in done.err
    assert f"{path}:2: services" in done.err
    assert "Traceback" not in done.err
    assert json.loads(done.out)["error"]["exit_code"] == 2


async def test_a_state_directory_that_cannot_be_made_is_told(upkeeper: Upkeeper, env: dict[str, str]) -> None:
    done = await upkeeper("history", "--state-dir", f"{env['UPKEEPER_CONFIG']}/below")
    assert done.status == 2
    assert "error: cannot use the state directory" in done.err
    assert "Traceback" not in done.err


async def test_another_command_at_work_keeps_runs_out_and_lets_readers_in(
    upkeeper: Upkeeper, env: dict[str, str]
) -> None:
    assert (await upkeeper("history")).status == 0
    nobody = endpoints.Endpoints(remediator=f"http://127.0.0.1:{free_port()}")  # not the tester's own on the usual port
    endpoints.write(Path(env["UPKEEPER_STATE_DIR"]), nobody)
    lock = os.open(Path(env["UPKEEPER_STATE_DIR"]) / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        assert (await upkeeper("history")).status == 0
        done = await upkeeper("run", "log-rotation", "app")
    finally:
        os.close(lock)
    assert done.status == 2
    assert "another remediator is working on" in done.err


async def test_an_interrupted_run_is_closed_by_the_next_command_that_runs(
    upkeeper: Upkeeper, env: dict[str, str], logs: Path
) -> None:
    async with process("run", "log-rotation", "app", env=env) as running:
        assert running.stderr is not None
        while b"run 1: log-rotation on app" not in await running.stderr.readline():
            await asyncio.sleep(0)
        running.send_signal(signal.SIGINT)
        done = await ended(running)
    assert done.status in (0, 130)  # it may have been quicker
    assert "Traceback" not in done.err
    after = await upkeeper("run", "health-check")
    assert after.status == 1
    assert done.status == 0 or "finishing run 1" in after.err
    first = json.loads((await upkeeper("show", "1", "--json")).out)
    assert first["state"] == "finished"
    assert first["outcome"] == "effective"
    lines = sum(gzip.decompress(path.read_bytes()).count(b"\n") for path in logs.glob("*.gz"))
    assert lines + sum(path.read_bytes().count(b"\n") for path in logs.glob("*.log")) == 120_000


async def test_explain_says_which_remedy_and_why_and_leaves_no_trace(upkeeper: Upkeeper, logs: Path) -> None:
    labels = ("--label", "alertname=UpkeeperLogDirectoryOverLimit", "--label", "directory=app")
    done = await upkeeper("explain", *labels)
    assert done.status == 0
    text = " ".join(done.out.split())
    for part in (
        'rotate-logs matches: alertname="UpkeeperLogDirectoryOverLimit"',
        "target app, by label directory; task log-rotation",
        "cooldown passes, there was no run on this target that counts",
        'clean-docker does not match: alertname="UpkeeperDockerSpaceCleanable", and the label is',
        "decided now: run, remedy rotate-logs matches",
        "rotate-logs would plan: log-rotation on app: breached",
    ):
        assert part in text
    document = json.loads((await upkeeper("explain", *labels, "--no-plan", "--json")).out)
    assert (document["alert_id"], document["plan"]) == (None, None)
    assert json.loads((await upkeeper("alerts", "--json")).out)["items"] == []
    assert (await upkeeper("explain")).status == 2
    assert (await upkeeper("explain", "99")).status == 2
    assert len(list(logs.iterdir())) == 4


async def test_remedies_say_what_limits_them(upkeeper: Upkeeper, env: dict[str, str]) -> None:
    config = Path(env["UPKEEPER_CONFIG"])
    guards = 'guards: {gate: "up == 1", window: [{days: [mon], to: "06:00"}], storm: {alerts: 9}}\n'
    config.write_text(config.read_text() + guards + "    \n")
    text = (await upkeeper("remedies")).out
    for line in (
        "begins mon 00:00-06:00",
        "needs a result of up == 1",
        "stops when more than 9 alerts begin within 10m",
    ):
        assert f"each remedy: {line}" in text
    (remedy, *_) = json.loads((await upkeeper("remedies", "--json")).out)["items"]
    assert remedy["window"] == [{"days": ["mon"], "from": "00:00", "to": "06:00", "timezone": None}]
    assert (remedy["gate"], remedy["concurrency"]) == (["up == 1"], {"disruptive_per_host": 1})
