"""A page that is held back while its run is healthy, with a real Alertmanager and a real mail server."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from remediator.config.remedies import Remedy
from remediator.store import silences
from tests.alertmanager.mailbox import Mailbox, served
from tests.helpers import wait_until
from tests.ports import free_port
from tests.remediator.conftest import REMEDY
from tests.remediator.house import House, alertmanager_config, house
from tests.servers import ALERTMANAGERS, Server, alertmanager, alertmanager_program

pytestmark = pytest.mark.servers

HOLD = Remedy.model_validate(REMEDY.model_dump() | {"page": "hold", "settle": 30.0})


@pytest.fixture(params=ALERTMANAGERS)
def program(request: pytest.FixtureRequest) -> Path:
    return alertmanager_program(request.param)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with served(Mailbox(), login=False) as box:
        yield box


@asynccontextmanager
async def stack(
    directory: Path, program: Path, mailbox: Mailbox, remedy: Remedy = HOLD, **config: Any
) -> AsyncIterator[tuple[House, Server]]:
    """Alertmanager, which calls the remediator and mails people, and the remediator that does its work."""
    port, ours = free_port(), free_port()
    async with house(directory, remedy, [f"http://127.0.0.1:{port}"], **config) as h:
        webhook = f"http://127.0.0.1:{ours}/api/v1/alertmanager"
        token = h.core.state.alertmanager_token
        written = alertmanager_config(directory, webhook, token=token, smarthost=mailbox.address)
        async with alertmanager(directory / "am", written, program=program, port=port) as server, h.serving(ours):
            yield h, server


def be_busy(h: House) -> None:
    """Lets the run take its time until its task is no longer stuck."""
    h.task.stuck, h.task.action_timeout = asyncio.Event(), 120.0


def go_on(h: House) -> None:
    assert h.task.stuck is not None
    h.task.stuck.set()


async def active(h: House) -> list[str]:
    return [str(one["comment"]) for one in await h.silences()]


async def outcomes(h: House) -> list[str | None]:
    return [run["outcome"] for run in (await h.core.runs())["items"]]


async def page(h: House, run_id: int = 1) -> str:
    """Why the page of a run is no longer held back; empty while it is."""
    found = await h.core._database.read(partial(silences.of_run, run_id=run_id))
    assert found is not None, "it never was to be"
    return found[2]


async def test_nobody_is_paged_when_the_run_helps(tmp_path: Path, program: Path, mailbox: Mailbox) -> None:
    async with stack(tmp_path, program, mailbox) as (h, _):
        be_busy(h)
        await h.post()
        await wait_until(lambda: active(h), equals=[
            "Upkeeper run 1 (sweep on attic) works on this alert; people hear of it if that fails"
        ], what="the silence")  # fmt: skip
        (silence,) = await h.silences()
        assert {(one["name"], one["value"], one["isRegex"]) for one in silence["matchers"]} == {
            ("alertname", "Cluttered", False), ("room", "attic", False)
        }  # fmt: skip
        await h.post(room="cellar")  # is nobody's to hold back
        await wait_until(lambda: mailbox.subjects, equals=["firing cellar"], what="the mail about another alert")
        go_on(h)
        await wait_until(lambda: outcomes(h), equals=["effective"], what="the run")
        assert len(await active(h)) == 1, "the alert still fires, and may yet end"
        await h.post(ended=True)
        await wait_until(lambda: active(h), equals=[], what="the end of the silence")
        await wait_until(lambda: page(h), equals="the alert has ended", what="the record of it")
        assert ("resolved", None) in await h.alerts(), "no webhook could tell it"
        assert h.missed("resolved") == 0
        await h.post(room="cellar", ended=True)
        await wait_until(lambda: len(mailbox.subjects) == 2, what="the end of the other alert")
        assert mailbox.subjects == ["firing cellar", "resolved cellar"]


async def test_the_page_goes_out_when_the_run_fails(tmp_path: Path, program: Path, mailbox: Mailbox) -> None:
    async with stack(tmp_path, program, mailbox) as (h, _):
        be_busy(h)
        h.task.broken = True
        await h.post()
        await wait_until(lambda: active(h), what="the silence")
        go_on(h)
        await wait_until(lambda: mailbox.subjects, equals=["firing attic"], what="the mail")
        assert (await outcomes(h), await active(h)) == (["failed"], [])
        assert await page(h) == "the run was failed"
        await h.post(ended=True)
        await wait_until(lambda: mailbox.subjects, equals=["firing attic", "resolved attic"], what="its end")


async def test_the_page_goes_out_when_the_alert_does_not_end(tmp_path: Path, program: Path, mailbox: Mailbox) -> None:
    remedy = Remedy.model_validate(HOLD.model_dump() | {"settle": 3.0})
    async with stack(tmp_path, program, mailbox, remedy) as (h, _):
        await h.post()
        await wait_until(lambda: mailbox.subjects, equals=["firing attic"], what="the mail")
        assert (await outcomes(h))[-1] == "effective"
        assert await page(h) == "the alert did not end after the run"


async def test_the_page_goes_out_when_nobody_renews_the_lease(tmp_path: Path, program: Path, mailbox: Mailbox) -> None:
    async with stack(tmp_path, program, mailbox, remediator={"page_lease": "4s"}) as (h, _):
        be_busy(h)
        await h.post()
        await wait_until(lambda: active(h), what="the silence")
        (before,) = await h.silences()
        await asyncio.sleep(6)  # longer than the lease
        (after,) = await h.silences()
        assert after["id"] == before["id"], "renewed, it keeps its id"
        assert mailbox.subjects == []
        h.core.keeper.keep = h.core.silencer.sweep  # type: ignore[method-assign]  # as if it were dead
        await wait_until(lambda: mailbox.subjects, equals=["firing attic"], what="the mail")
        go_on(h)


async def test_what_alertmanager_forgot_is_made_again(tmp_path: Path, program: Path, mailbox: Mailbox) -> None:
    """A silence of the last quarter of an hour is gone after a ``kill -9``, and one that was ended is back."""
    ours = free_port()
    port = free_port()
    async with house(tmp_path, HOLD, [f"http://127.0.0.1:{port}"]) as h:
        token = h.core.state.alertmanager_token
        webhook = f"http://127.0.0.1:{ours}/api/v1/alertmanager"
        config = alertmanager_config(tmp_path, webhook, token=token, smarthost=mailbox.address)
        start = partial(alertmanager, tmp_path / "am", config, program=program, port=port)
        async with h.serving(ours):
            async with start() as server:
                be_busy(h)
                await h.post()
                await wait_until(lambda: active(h), what="the silence")
                await h.core.reconciler.look()
                os.kill(server.pid, signal.SIGKILL)
            async with start():
                assert await active(h) == []
                h.core.reconciler.look_soon()
                await wait_until(lambda: active(h), what="the silence again")
                await h.post()
                go_on(h)
                await wait_until(lambda: outcomes(h), equals=["effective"], what="the run")
                assert mailbox.subjects == []


async def test_silences_that_nothing_wants_are_ended_and_a_persons_never(
    tmp_path: Path, program: Path, mailbox: Mailbox
) -> None:
    async with stack(tmp_path, program, mailbox) as (h, server):
        be_busy(h)
        await h.post()
        await wait_until(lambda: active(h), what="the silence")
        (ours,) = await h.silences()
        anna = await h.silence(room="attic")
        left = {**ours, "comment": "Upkeeper run 77 (x on y) works on this alert"}
        edited = {**ours, "comment": "taken over until Monday"}
        async with httpx.AsyncClient(verify=False) as client:
            for one in (left, edited):
                document = {key: one[key] for key in ("matchers", "startsAt", "endsAt", "createdBy", "comment")}
                (await client.post(f"{server.url}/api/v2/silences", json=document)).raise_for_status()
        assert len(await active(h)) == 4
        await h.core.silencer.sweep()
        assert sorted(await active(h)) == sorted([ours["comment"], "moving house", "taken over until Monday"])
        go_on(h)
        await wait_until(lambda: outcomes(h), equals=["effective"], what="the run")
        await h.post(ended=True)
        await wait_until(lambda: len_active(h), equals=2, what="the end of ours")
        assert anna in {one["id"] for one in await h.silences()}


async def len_active(h: House) -> int:
    return len(await active(h))


async def test_a_silence_that_a_person_ends_stays_ended(tmp_path: Path, program: Path, mailbox: Mailbox) -> None:
    async with stack(tmp_path, program, mailbox, remediator={"page_lease": "4s"}) as (h, _):
        be_busy(h)
        await h.post()
        await wait_until(lambda: active(h), what="the silence")
        (ours,) = await h.silences()
        await h.unsilence(ours["id"])
        await wait_until(lambda: mailbox.subjects, equals=["firing attic"], what="the mail")
        await wait_until(lambda: page(h), equals="somebody ended it in Alertmanager, or it lapsed", what="the record")
        assert await active(h) == []
        go_on(h)


async def test_without_alertmanager_the_run_goes_on_and_says_that_the_page_was_not_held(tmp_path: Path) -> None:
    async with house(tmp_path, HOLD, ["http://127.0.0.1:1"]) as h, h.serving(free_port()):
        from tests.remediator.stack import alert, notification

        await h.core.inbox.accept(notification(alert(starts_at=h.clock())))
        await wait_until(lambda: outcomes(h), equals=["effective"], what="the run")
        await wait_until(lambda: page(h), what="the record")
        assert (await page(h)).startswith("not held back: cannot reach Alertmanager at http://127.0.0.1:1")
