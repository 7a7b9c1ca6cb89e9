"""kill -9 of a real remediator around an approval: what was answered with 200 happens once, what waits goes on."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.processes import command, end
from tests.e2e.test_crash import LINE, Host
from tests.helpers import LONG, wait_until

pytestmark = pytest.mark.servers


class AskingHost(Host):
    """One whose remedy asks a person."""

    def __init__(self, root: Path, lines: int = 2000) -> None:
        super().__init__(root, lines)
        config = yaml.safe_load(self.config.read_text())
        config["remedies"] = [
            {
                "name": "rotate",
                "match": ['alertname="UpkeeperLogDirectoryOverLimit"'],
                "task": "log-rotation",
                "target_label": "directory",
                "autonomy": "approve",
            }
        ]
        self.config.write_text(yaml.safe_dump(config))

    async def asked(self) -> dict[str, Any]:
        """What waits for a person, once anything does."""

        def waits() -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = self.api.get("approvals?state=asked")["items"]
            return items

        (one,) = await wait_until(waits, what="a request for approval")  # type: ignore[misc]
        return one

    def approve(self, one: dict[str, Any]) -> httpx.Response:
        token = (self.state / "tokens" / "operator").read_text().strip()
        return httpx.post(
            f"{self.api.url}/api/v1/approvals/{one['id']}",
            json={"verdict": "approve", "plan_hash": one["plan_hash"]},
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )

    def whole(self) -> bool:
        """Whether every line is there, once."""
        return self.kept_lines() == [LINE.format(number=number) for number in range(self.lines)]


@LONG
@pytest.mark.torture
async def test_it_waits_over_kills_and_restarts_and_an_answer_before_a_kill_takes_effect_once(tmp_path: Path) -> None:
    host = AskingHost(tmp_path)
    with host.remediator() as process:  # type: ignore[attr-defined]
        await wait_until(host.api.ready, what="the remediator to be ready")
        host.breach()
        one = await host.asked()
        process.kill()
        process.wait()
    for _ in range(2):
        with host.remediator() as process:  # type: ignore[attr-defined]
            await wait_until(host.api.ready)
            assert (await host.asked())["id"] == one["id"]
            assert end(process) == 0
    assert [path.name for path in host.logs.iterdir()] == ["app.log"], "nothing was done"
    with host.remediator() as process:  # type: ignore[attr-defined]
        await wait_until(host.api.ready)
        answer = host.approve(one)
        process.kill()
        process.wait()
    assert (answer.status_code, answer.json()["state"]) == (200, "approved")
    with host.remediator():  # type: ignore[attr-defined]
        await wait_until(host.api.ready)
        run = await host.finished_run()
        assert (run["outcome"], run["id"]) == ("effective", one["run"]), run["reason"]
        assert host.approve(one).status_code == 409
    rotated = [path for path in host.logs.iterdir() if path.name != "app.log"]
    assert len(rotated) == 1
    assert host.whole()


@LONG
@pytest.mark.torture
async def test_without_a_remediator_it_is_approved_and_done_by_the_command_itself(tmp_path: Path) -> None:
    host = AskingHost(tmp_path)
    with host.remediator():  # type: ignore[attr-defined]
        await wait_until(host.api.ready)
        host.breach()
        one = await host.asked()
    here = ("--config", host.config, "--state-dir", host.state)
    (listed,) = command("approvals", *here)["items"]
    assert (listed["id"], listed["plan_hash"]) == (one["id"], one["plan_hash"])
    done = command("approve", str(one["id"]), "--yes", *here)
    assert (done["state"], done["ended"]["outcome"]) == ("approved", "effective")
    assert host.whole()


@LONG
@pytest.mark.torture
async def test_a_log_that_grows_while_its_rotation_waits_is_the_same_plan(tmp_path: Path) -> None:
    host = AskingHost(tmp_path)
    with host.remediator():  # type: ignore[attr-defined]
        await wait_until(host.api.ready)
        host.breach()
        one = await host.asked()
        with (host.logs / "app.log").open("a") as log:
            log.writelines(LINE.format(number=number) for number in range(host.lines, host.lines + 500))
        host.lines += 500
        assert host.approve(one).status_code == 200
        run = await host.finished_run()
        assert run["outcome"] == "effective", run["reason"]
    assert host.whole()


async def test_a_run_that_waits_is_cancelled_and_stays_so_over_a_kill(tmp_path: Path) -> None:
    host = AskingHost(tmp_path)
    with host.remediator() as process:  # type: ignore[attr-defined]
        await wait_until(host.api.ready, what="the remediator to be ready")
        host.breach()
        one = await host.asked()
        env = {"UPKEEPER_URL": host.api.url, "UPKEEPER_STATE_DIR": str(host.state)}
        run = await asyncio.to_thread(command, "cancel", str(one["run"]), "--reason", "not today", env=env)
        process.kill()
        process.wait()
    assert (run["outcome"], run["cancelled"].partition(": ")[2]) == ("cancelled", "not today")
    with host.remediator():  # type: ignore[attr-defined]
        await wait_until(host.api.ready)
        assert (await host.finished_run())["reason"] == run["reason"]
        assert host.approve(one).status_code == 409
        assert [path.name for path in host.logs.iterdir()] == ["app.log"], "nothing was done"
