"""Several hosts on one PostgreSQL, without their web servers: names, whose an alert is, and runs for another host."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp.test_utils import TestServer

from remediator.app import build_app
from remediator.config.config import Config
from remediator.control.core import Core
from remediator.control.discovery import DiscoveryFiles
from remediator.control.place import Place
from remediator.model.caller import Caller
from remediator.model.errors import ClientError, RequestError
from remediator.statedir import StateDir
from tests.helpers import wait_until
from tests.postgres_server import PASSWORD, SUPERUSER, PostgresServer
from tests.remediator.conftest import REMEDY
from tests.remediator.stack import alert, notification, settings
from tests.remediator.sweep import Sweep
from tests.servers import prometheus

pytestmark = pytest.mark.servers

CONFIG: dict[str, Any] = {
    "remediator": {"ballast": 0},
    "state": {"database_url_file": "/nowhere"},
    "fleet": {"host_label": "node"},
}


class Member:
    """A Core of one host, and the attic that its task sweeps."""

    def __init__(self, root: Path, url: str, host: str) -> None:
        self.host = host
        self.closed = False
        self.attic = root / host / "attic"
        self.attic.mkdir(parents=True)
        state = StateDir(root / host / "state")
        state.ensure()
        own = settings(Sweep(self.attic), [REMEDY], Config.model_validate(CONFIG))
        self.core = Core(state, own, caller=Caller("api", "anna"), place=Place(url, host))

    async def start(self) -> None:
        await self.core.membership.claim()
        await self.core.open()
        await self.core.start_engine()
        await self.core.membership.arrive("http://127.0.0.1:1")

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            await self.core.close()

    async def decide(self) -> None:
        while await self.core.decider.decide_batch():
            pass

    async def decisions(self) -> list[tuple[str, str]]:
        return [(one["host"], one["verdict"]) for one in (await self.core.decisions())["items"]]


@pytest.fixture(scope="module")
def url(postgres15: PostgresServer) -> str:
    postgres15.sql("DROP DATABASE IF EXISTS hosts", "CREATE DATABASE hosts")
    return f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{postgres15.port}/hosts"


Join = Callable[[str], Awaitable[Member]]


@pytest.fixture
async def join(tmp_path: Path, url: str) -> AsyncIterator[Join]:
    async with AsyncExitStack() as stack:

        async def start(host: str) -> Member:
            member = Member(tmp_path, url, host)
            stack.push_async_callback(member.close)
            await member.start()
            return member

        yield start


async def test_a_name_is_one_process_s_and_is_given_back(join: Join, tmp_path: Path, url: str) -> None:
    kitchen = await join("kitchen")
    twin = Member(tmp_path / "twin", url, "kitchen")
    assert twin.core.membership.presence is not None
    with pytest.raises(ClientError, match="another remediator is the host 'kitchen' on this database, on the machine"):
        await twin.core.membership.presence.claim(within=0.0)
    await kitchen.close()
    await twin.core.membership.claim()
    await twin.core.close()


async def test_whoever_takes_an_alert_its_host_decides(join: Join) -> None:
    kitchen, cellar = await join("kitchen"), await join("cellar")
    (cellar.attic / "dust").touch()
    mine = (alert(node="cellar"), alert(node="roof"), alert(room="attic"))
    for member in (kitchen, cellar, kitchen):
        await member.core.inbox.accept(notification(*mine))
    await kitchen.decide()
    assert await kitchen.decisions() == [("kitchen", "no-host")] * 2
    await cellar.decide()
    assert (await kitchen.decisions())[0] == ("cellar", "run")
    reasons = [one["reason"] for one in (await kitchen.core.decisions(host="kitchen"))["items"]]
    assert sorted(reason.partition(":")[0] for reason in reasons) == [
        "the alert has no label node", "there is no such host",
    ]  # fmt: skip

    async def done() -> list[tuple[str, str | None]]:
        return [(run["host"], run["outcome"]) for run in (await kitchen.core.runs())["items"]]

    await wait_until(done, equals=[("cellar", "effective")])
    assert (await kitchen.core.runs(host="kitchen"))["items"] == []
    assert [one["host"] for one in (await kitchen.core.alerts(host="cellar"))["items"]] == ["cellar"]


async def test_a_run_for_another_host_is_begun_there_by_its_own_config(join: Join) -> None:
    kitchen, larder = await join("kitchen"), await join("larder")
    assert larder.core.membership.presence is not None
    listening = asyncio.create_task(larder.core.membership.presence.run())
    (larder.attic / "dust").touch()
    (kitchen.attic / "dust").touch()
    asked = await kitchen.core.start_run("sweep", "attic", host="larder")
    unknown = await kitchen.core.start_run("sweep", "moon", host="larder")

    async def ended() -> list[str | None]:
        return [(await kitchen.core.run(one["id"]))["outcome"] for one in (asked, unknown)]

    await wait_until(ended, equals=["effective", "failed"])
    assert "has no target 'moon'" in (await kitchen.core.run(unknown["id"]))["reason"]
    assert (list(larder.attic.iterdir()), len(list(kitchen.attic.iterdir()))) == ([], 1)
    with pytest.raises(RequestError, match="there is no host 'lader'; did you mean larder") as caught:
        await kitchen.core.start_run("sweep", "attic", host="lader")
    assert caught.value.status == 404
    listening.cancel()
    await larder.close()
    standing = {one["host"]: one["up"] for one in (await kitchen.core.hosts())["items"]}
    assert (standing["kitchen"], standing["larder"]) == (True, False)
    with pytest.raises(RequestError, match="host larder is down"):
        await kitchen.core.start_run("sweep", "attic", host="larder")


async def test_a_host_whose_session_was_cut_comes_back_and_looks_what_it_has_missed(
    join: Join, postgres15: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remediator.store.presence.AGAIN", 0.1)
    kitchen, garden = await join("kitchen"), await join("garden")
    presence = garden.core.membership.presence
    assert presence is not None
    listening = asyncio.create_task(presence.run())
    postgres15.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'upkeeper garden presence'"
    )
    (garden.attic / "dust").touch()
    asked = await kitchen.core.start_run("sweep", "attic", host="garden")

    async def outcome() -> str | None:
        return (await kitchen.core.run(asked["id"]))["outcome"]

    await wait_until(outcome, equals="effective")
    listening.cancel()


ASKING = REMEDY.model_copy(update={"autonomy": "approve", "cooldown": 0.0})


async def test_a_person_answers_and_cancels_from_any_host_what_waits_on_another(join: Join) -> None:
    kitchen, barn = await join("kitchen"), await join("barn")
    barn.core.apply_settings(settings(Sweep(barn.attic), [ASKING], Config.model_validate(CONFIG)))
    assert barn.core.membership.presence is not None
    listening = asyncio.create_task(barn.core.membership.presence.run())

    async def asks(number: int) -> int:
        """The approval that a breach leads to, of a name of its own."""
        (barn.attic / "dust").touch()
        await kitchen.core.inbox.accept(notification(alert(node="barn", room="attic", number=str(number))))
        await barn.decide()

        async def there() -> list[int]:
            return [one["id"] for one in (await kitchen.core.approvals(state="asked", host="barn"))["items"]]

        await wait_until(lambda: there(), what="a plan to wait on the barn")
        return (await there())[0]

    async def newest() -> tuple[str | None, str | None]:
        run = (await kitchen.core.runs(host="barn"))["items"][0]
        return run["outcome"], run["reason"]

    # Denied: its run has ended, in the chain of its own host.
    shown = await kitchen.core.approval(await asks(1))
    await kitchen.core.decide_approval(shown["id"], "deny", shown["plan_hash"], "not now")
    assert await newest() == ("denied", "denied by anna: not now")
    assert list(barn.attic.iterdir()) != []
    # Approved: its own host goes on with it.
    shown = await kitchen.core.approval(await asks(2))
    answered = await kitchen.core.decide_approval(shown["id"], "approve", shown["plan_hash"])
    assert (answered["host"], answered["state"]) == ("barn", "approved")

    async def outcome() -> str | None:
        return (await newest())[0]

    await wait_until(outcome, equals="effective")
    assert list(barn.attic.iterdir()) == []
    with pytest.raises(RequestError, match=r"is over: approved by anna"):
        await barn.core.decide_approval(shown["id"], "deny", shown["plan_hash"])
    # Cancelled, which ends what waits.
    shown = await kitchen.core.approval(await asks(3))
    cancelled = await kitchen.core.cancel_run(shown["run"], "moving")
    assert (cancelled["host"], cancelled["outcome"]) == ("barn", "cancelled")
    assert (await kitchen.core.approvals(state="asked", host="barn"))["items"] == []
    listening.cancel()


async def test_a_pause_is_set_and_ended_from_any_host(join: Join) -> None:
    kitchen, shed = await join("kitchen"), await join("shed")
    assert shed.core.membership.presence is not None
    listening = asyncio.create_task(shed.core.membership.presence.run())
    (there,) = await kitchen.core.pause("sweep", "moving", 60.0, host="shed")
    assert (there["host"], there["task"], there["caller"]["name"]) == ("shed", "sweep", "anna")
    (shed.attic / "dust").touch()
    await kitchen.core.inbox.accept(notification(alert(node="shed", room="attic")))
    await shed.decide()
    (held,) = (await kitchen.core.decisions(host="shed"))["items"]
    assert (held["verdict"], held["guard"]) == ("blocked", "paused")
    assert await kitchen.core.resume("sweep", host="shed") == []
    with pytest.raises(RequestError, match="task sweep is not paused"):
        await kitchen.core.resume("sweep", host="shed")
    with pytest.raises(RequestError, match="there is no host 'moon'"):
        await kitchen.core.pause(None, "moving", 60.0, host="moon")

    # It was called to look at everything again.
    async def decided() -> list[tuple[str, str]]:
        await shed.decide()
        return (await shed.decisions())[:1]

    await wait_until(decided, equals=[("shed", "run")])
    listening.cancel()


async def test_a_real_prometheus_finds_the_hosts_by_http_and_in_the_files(join: Join, tmp_path: Path) -> None:
    kitchen, _ = await join("kitchen"), await join("larder")
    token = (await kitchen.core.access.create_token("prometheus", "viewer", None))["token"]
    (tmp_path / "token").write_text(token)
    file = tmp_path / "remediators.json"
    fleet = {"host_label": "node", "discovery_files": {"remediator": str(file)}}
    config = Config.model_validate({**CONFIG, "fleet": fleet})
    await DiscoveryFiles(lambda: kitchen.core.fleet, lambda: config, lambda: True).write()
    async with TestServer(build_app(kitchen.core, lambda: True)) as server:
        by = {"type": "Bearer", "credentials_file": f"{tmp_path}/token"}
        asked = {"url": str(server.make_url("/api/v1/sd")), "authorization": by}
        jobs = [
            {"job_name": "by-http", "http_sd_configs": [asked]},
            {"job_name": "by-file", "file_sd_configs": [{"files": [str(file)]}]},
        ]
        async with (
            prometheus(tmp_path / "prometheus", {"scrape_configs": jobs}) as there,
            httpx.AsyncClient() as client,
        ):

            async def found() -> set[tuple[str, str, str]]:
                answer = (await client.get(f"{there.url}/api/v1/targets")).json()["data"]["activeTargets"]
                return {
                    (one["scrapePool"], one["labels"]["host"], one["scrapeUrl"].rpartition(":")[2]) for one in answer
                }

            port = {"by-http": "10746/metrics", "by-file": "1/metrics"}
            expected = {(job, host, port[job]) for job in port for host in ("kitchen", "larder")}

            async def all_found() -> bool:  # beside those of other tests, which shared the database
                return expected <= await found()

            await wait_until(all_found, what="both hosts to be found by both ways")


NEWER = (
    "INSERT INTO runs (id, host, task, target, params, trigger, caller, dry_run, state, outcome, reason, requested_at,"
    " started_at, before, notes) VALUES (900, 'newer', 'tea', 'pot', '{\"x\": [1]}', 'robot', 'r2', false, 'resting',"
    ' NULL, \'\', 1, 1, \'{"breached": true, "values": {}, "detail": "", "colour": 7}\', \'[]\'),'
    " (901, 'newer', 'tea', 'pot', '{}', 'robot', 'r2', false, 'finished', 'splendid', '', 1, 1, NULL, '[]')",
    'INSERT INTO actions VALUES (900, 0, \'{"kind": "pour", "object": "pot", "reason": "", "colour": 7}\','
    " 'hovering', '', 0, 1, NULL)",
    "INSERT INTO alerts (id, fingerprint, starts_at, status, labels, annotations, generator_url, first_received_at,"
    " last_received_at, receptions, decided_receptions, host) VALUES (900, 'ab', 1, 'firing', '{\"alertname\": \"T\"}',"
    " '{}', '', 1, 1, 1, 1, 'newer')",
    "INSERT INTO decisions (alert_id, host, at, last_at, repeats, verdict, remedy, task, target, guard, reason, run_id)"
    " VALUES (900, 'newer', 1, 1, 0, 'ponder', 'r', 'tea', 'pot', 'moon', 'full', 900)",
    "INSERT INTO approvals (id, run_id, host, plan_hash, plan, changes, why, state, asked_at, expires_at, reason)"
    " VALUES (900, 900, 'newer', 'h',"
    " '{\"actions\": [], \"notes\": [], \"colour\": 7}', '[]', '', 'pondered', 1, 2, '')",
    "INSERT INTO hosts (host, version, node, started_at, seen_at, labels) VALUES ('newer', '99.0', 'n', 1, 1, '{}')",
    "INSERT INTO rollouts (id, host, task, target, params, trigger, caller, wait, alerts, members, state, reason,"
    " asked_at, since, hitch, driver, driven_until) VALUES (900, 'newer', 'tea', 'pot', '{}', 'robot', 'r2', 1, true,"
    ' \'[{"host": "newer", "domain": null, "wave": 1, "state": "dreaming", "reason": "", "colour": 7}]\','
    " 'dreaming', '', 1, 1, '', 'newer', 1)",
    "INSERT INTO pauses (host, task, trigger, caller, reason, since) VALUES ('newer', 'tea', 'robot', 'r2', '', 1)",
    "INSERT INTO levels (host, remedy, configured, level, reason, at) VALUES ('newer', 'r', 'auto', 'dream', '', 1)",
    "INSERT INTO silences (host, purpose, matchers, comment, held, since, reason)"
    " VALUES ('newer', 'dream', '[]', '', '{}', 1, '')",
)
"""What a host of a newer version may have recorded, in words that this one does not know."""


async def test_what_a_newer_host_has_recorded_is_shown_and_left_alone(join: Join, postgres15: PostgresServer) -> None:
    kitchen = await join("kitchen")
    postgres15.sql(*NEWER, dbname="hosts")
    core = kitchen.core
    assert "resting" in {one["state"] for one in (await core.runs(host="newer"))["items"]}
    assert (await core.run(900))["task"] == "tea"
    assert (await core.approval(900))["state"] == "pondered"
    assert [one["verdict"] for one in (await core.decisions(host="newer"))["items"]] == ["ponder"]
    assert [one["state"] for one in (await core.rollouts())["items"]][:1] == ["dreaming"]
    assert (await core.rollout(900))["hosts"][0]["state"] == "dreaming"
    assert await core.driver.go_on() is None
    for asked in (core.hosts, core.status, core.audit, core.alerts, core.schedule, core.remedies, core.approvals):
        await asked()
    (kitchen.attic / "dust").touch()
    await core.inbox.accept(notification(alert(node="kitchen", room="attic", newer="yes")))
    await kitchen.decide()
    await core.upkeep.purge()

    async def done() -> str | None:
        return (await core.runs(host="kitchen"))["items"][0]["outcome"]

    await wait_until(done, equals="effective")
    left = postgres15.sql("SELECT state FROM runs WHERE host = 'newer' ORDER BY id", dbname="hosts")
    assert left == [("resting",), ("finished",)]
    postgres15.sql("DELETE FROM rollouts", "DELETE FROM runs WHERE host = 'newer'", "DELETE FROM alerts WHERE id = 900",
                   "DELETE FROM hosts WHERE host = 'newer'", dbname="hosts")  # fmt: skip
