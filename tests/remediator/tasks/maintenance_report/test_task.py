"""maintenance-report on a state directory of its own: what it makes, over what, and to whom it goes."""

import json
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from remediator.control.core import Core
from remediator.control.opening import open_core
from remediator.statedir import StateDir
from remediator.store.tables import run_rows, runs
from remediator.tasks.maintenance_report import dpkg_log
from remediator.tasks.maintenance_report.task import DAY, FIRST, MaintenanceReport
from tests.alertmanager.mailbox import Mailbox, served
from tests.helpers import wait_until
from tests.upkeeper.commandline import invoke
from tests.upkeeper.served import serve

CONFIG = """
docker: {{host: "unix://{tmp}/none.sock"}}
notify:
  email: {{to: ops@example.org, from: up@example.org, smarthost: "{smtp}", require_tls: false}}
"""


@pytest.fixture(autouse=True)
def no_dpkg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the host's log of dpkg is taken to be: this machine's own tells something else each day."""
    monkeypatch.setattr(dpkg_log, "of_host", lambda: tmp_path / "dpkg.log")
    return tmp_path / "dpkg.log"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with served(Mailbox(), login=False) as box:
        yield box


@pytest.fixture
def state(tmp_path: Path, migrated: Path, mailbox: Mailbox) -> Path:
    (tmp_path / "state").mkdir()
    shutil.copy(migrated, StateDir(tmp_path / "state").database)
    (tmp_path / "upkeeper.yml").write_text(CONFIG.format(tmp=tmp_path, smtp=mailbox.address))
    return tmp_path / "state"


@pytest.fixture
async def core(state: Path, tmp_path: Path) -> AsyncIterator[Core]:
    async with open_core(tmp_path / "upkeeper.yml", state, engine=True) as core:
        yield core


async def ran(core: Core, **params: Any) -> dict[str, Any]:
    """A run of the task, finished, with its report as a document."""
    started = await core.start_run("maintenance-report", "all", False, params)

    async def done() -> Any:
        run = await core.run(started["id"])
        return run if run["state"] == "finished" else None

    run: dict[str, Any] = dict(await wait_until(done, what="the run to end"))
    (document,) = [one for one in run["artefacts"] if one["name"] == "report.json"]
    run["report"] = json.loads((await core.artefact(document["id"]))["content"])
    return run


def findings(connection: sa.Connection, host: str, now: float, messages: Sequence[str]) -> None:
    """A run of the security review that found these, and a forecast that has been made."""
    run = {"host": host, "target": "all", "params": {}, "trigger": "cli", "caller": "me", "dry_run": False,
           "state": "finished", "outcome": "ineffective", "reason": "", "requested_at": now, "finished_at": now,
           "notes": []}  # fmt: skip
    forecast = {"sink": "filesystem:/", "limit": 1.0, "within": "", "used_ratio": 0.5, "full_at": now + 5 * DAY,
                "days_earliest": 3.0, "days_latest": 9.0}  # fmt: skip
    rows = [{"id": message, "severity": "warning", "message": message} for message in messages]
    for task, cells in (("security-review", rows), ("capacity-planning", [forecast])):
        id = connection.scalar(runs.insert().values(task=task, **run).returning(runs.c.id))
        for position, cell in enumerate(cells):
            connection.execute(run_rows.insert().values(run_id=id, position=position, cells=cell))


async def test_the_first_goes_out_and_the_next_compares_with_it(core: Core, mailbox: Mailbox, no_dpkg: Path) -> None:
    host = core._database.host
    now = core._clock()
    await core._database.write(partial(findings, host=host, now=now - 60, messages=("one", "two")))
    first = await ran(core)
    assert first["outcome"] == "effective"
    assert {one["name"] for one in first["artefacts"]} == {"report.html", "report.md", "report.json"}
    assert [action["kind"] for action in first["actions"]] == ["mail"]
    ((to, mail),) = mailbox.mails
    assert to == ["ops@example.org"]
    assert "maintenance-report-" in mail["Message-ID"]
    report = first["report"]
    assert report["regular"]
    assert report["compared_with"] is None
    assert report["fills_up"][0]["name"] == "filesystem:/"
    assert any("images run" in text for text in report["unknown"])

    looked = await ran(core, since="2d", deliver=False)  # what a person looks at is no end of the one before
    assert looked["actions"] == []
    assert not looked["report"]["regular"]
    await core._database.write(partial(findings, host=host, now=core._clock(), messages=("two", "three")))
    no_dpkg.write_text(f"{datetime.now(UTC).astimezone():%Y-%m-%d %H:%M:%S} upgrade zlib:amd64 1 2\n")
    second = await ran(core)
    assert second["report"]["compared_with"] == report["until"]
    assert [one["what"] for one in second["report"]["changes"]] == [
        "new: warning, three", "gone: warning, one", "not by Upkeeper: package zlib was updated from 1 to 2",
    ]  # fmt: skip
    assert len(mailbox.mails) == 2
    task_done = {one["task"]: one["runs"] for one in second["report"]["done"]}
    assert task_done["maintenance-report"] >= 2


async def test_over_what_it_reports_unless_told(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    task: Any = core._tasks()["maintenance-report"]
    report: MaintenanceReport = task._task
    now = core._clock()
    for last, since in ((None, FIRST), (now - 3600, DAY), (now - 30 * DAY, 30 * DAY), (now - 300 * DAY, 92 * DAY)):

        async def ended(before: float, last: float | None = last) -> float | None:
            return last

        monkeypatch.setattr(report._sources, "last_until", ended)
        monkeypatch.setattr(report, "_clock", lambda: now)
        plan = await report.plan("all", {"deliver": False})
        (document,) = [json.loads(one.content) for one in plan.made if one.name == "report.json"]
        begins = await report._since(type(report).parameters(), now)
        assert begins == pytest.approx(now - since)
        assert document["host"] == core._database.host


async def test_a_mail_that_is_not_taken_fails_the_run_and_the_report_is_there(
    core: Core, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> str:
        return "554 not today"

    monkeypatch.setattr(mailbox, "handle_DATA", refuse)
    run = await ran(core)
    assert run["outcome"] == "failed"
    assert "does not take the mail" in run["reason"]
    assert run["report"]["regular"]


async def test_the_command_asks_a_remediator_elsewhere(core: Core, mailbox: Mailbox, tmp_path: Path) -> None:
    async with serve(core) as url:
        env = {"UPKEEPER_URL": url, "UPKEEPER_TOKEN_FILE": str(core.state.operator_token)}
        shown = await invoke("report", "--since", "1d", "--output", tmp_path / "r.json", env=env)
    assert shown.status == 0, shown.err
    assert json.loads((tmp_path / "r.json").read_text())["host"] == core._database.host
    assert mailbox.mails == []


async def test_the_command_prints_and_writes_it(state: Path, tmp_path: Path, mailbox: Mailbox) -> None:
    env = {"UPKEEPER_CONFIG": str(tmp_path / "upkeeper.yml"), "UPKEEPER_STATE_DIR": str(state)}
    shown = await invoke("report", "--json", env=env)
    assert shown.status == 0, shown.err
    assert json.loads(shown.out)["totals"]["runs"] == 0
    page = await invoke("report", "--since", "30d", "--output", tmp_path / "r.html", env=env)
    assert page.status == 0, page.err
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    wrong = await invoke("report", "--since", "soon", env=env)
    assert wrong.status == 2
    assert "since" in wrong.err
    assert mailbox.mails == []
