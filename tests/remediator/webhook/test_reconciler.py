"""The record beside a real Alertmanager whose webhooks do not arrive."""

from pathlib import Path

import pytest

from remediator.config.remedies import Remedy
from tests.helpers import wait_until
from tests.ports import free_port
from tests.remediator.conftest import REMEDY
from tests.remediator.house import House, alertmanager_config, house
from tests.servers import ALERTMANAGERS, alertmanager, alertmanager_program

pytestmark = pytest.mark.servers

NOBODY = "http://127.0.0.1:1/"
LATE = 62.0
"""Seconds after which a webhook counts as lost, with the pace of alertmanager_config."""


@pytest.fixture(params=ALERTMANAGERS)
def program(request: pytest.FixtureRequest) -> Path:
    return alertmanager_program(request.param)


async def known(house: House, count: int) -> None:
    """Waits until Alertmanager has so many alerts."""
    async with house.core.peers.alertmanager(house.urls[0]) as peer:

        async def have() -> int:
            return len([alert for alert in await peer.alerts() if alert.processed])

        await wait_until(have, equals=count, what="alerts in Alertmanager")


async def test_a_lost_webhook_is_caught_and_a_lost_end_closed(tmp_path: Path, program: Path) -> None:
    config = alertmanager_config(tmp_path, NOBODY)
    async with (
        alertmanager(tmp_path / "am", config, program=program) as server,
        house(tmp_path, REMEDY, [server.url]) as h,
    ):
        await h.look()
        await h.look(ahead=LATE)  # what differs from now on arose while this process ran
        await h.post()
        await known(h, 1)
        await h.look()
        assert await h.alerts() == [], "its webhook may still come"
        await h.look(ahead=LATE)
        assert await h.alerts() == [("firing", None)]
        (run,) = (await h.core.runs())["items"]
        assert run["trigger"] == "alert"
        assert h.missed("firing") == 1
        await h.post(ended=True)
        await known(h, 0)
        await h.look()
        assert await h.alerts() == [("firing", None)], "its webhook may still come"
        await h.look(ahead=LATE)
        assert await h.alerts() == [("resolved", None)]
        assert (h.missed("resolved"), h.missed("firing")) == (1, 1)


async def test_an_outage_stays_one_when_alertmanager_is_restarted(tmp_path: Path, program: Path) -> None:
    config, port = alertmanager_config(tmp_path, NOBODY), free_port()
    async with house(tmp_path, REMEDY, [f"http://127.0.0.1:{port}"]) as h:
        h.task.useless = True
        async with alertmanager(tmp_path / "am", config, program=program, port=port):
            await h.post(since=h.clock() - 30)
            await known(h, 1)
            await h.receive()
            await wait_until(lambda: _outcomes(h), equals=["ineffective"], what="the first run")
        async with alertmanager(tmp_path / "am", config, program=program, port=port):
            await h.look()
            assert await h.alerts() == [("firing", None)], "an empty Alertmanager that has just started"
            await h.post()  # with another start
            await known(h, 1)
            await h.look()
            await h.look(ahead=LATE)
            old, new = (await h.core.alerts())["items"][::-1]
            assert (old["status"], old["continued_by"], new["status"]) == ("resolved", new["id"], "firing")
            assert h.missed("restarted") == 1
            runs = (await h.core.runs())["items"]
            assert {run["alert_id"] for run in runs} == {new["id"]}, "what was tried was tried for the same outage"
            assert {run["alert_ended_at"] for run in runs} == {None}


async def _outcomes(h: House) -> list[str | None]:
    return [run["outcome"] for run in (await h.core.runs())["items"]]


@pytest.mark.parametrize("silenced", ["wait", "run"])
async def test_a_persons_silence(tmp_path: Path, program: Path, silenced: str) -> None:
    config = alertmanager_config(tmp_path, NOBODY)
    remedy = Remedy.model_validate(REMEDY.model_dump() | {"silenced": silenced})
    async with (
        alertmanager(tmp_path / "am", config, program=program) as server,
        house(tmp_path, remedy, [server.url]) as h,
    ):
        id = await h.silence(alertname="Cluttered")
        await h.post()
        await known(h, 1)
        await h.look()
        if silenced == "run":
            assert await h.alerts() == [("firing", "silenced by anna: moving house")]
            await wait_until(lambda: _outcomes(h), equals=["effective"], what="the run")
            assert h.missed("firing") == 0, "no webhook was to come"
            return
        await h.look(ahead=LATE)
        assert await h.alerts() == []
        await h.unsilence(id)
        await h.look()
        await h.look(ahead=LATE)
        assert await h.alerts() == [("firing", None)]
        await wait_until(lambda: _outcomes(h), equals=["effective"], what="the run")


async def test_an_alert_that_a_person_silences_is_not_tried_again(tmp_path: Path, program: Path) -> None:
    config = alertmanager_config(tmp_path, NOBODY)
    async with (
        alertmanager(tmp_path / "am", config, program=program) as server,
        house(tmp_path, REMEDY, [server.url]) as h,
    ):
        h.task.useless = True
        await h.post()
        await known(h, 1)
        await h.look()
        await h.look(ahead=LATE)
        await wait_until(lambda: _outcomes(h), equals=["ineffective"], what="the first run")
        id = await h.silence(alertname="Cluttered")
        await h.look(ahead=3 * REMEDY.cooldown)
        (decision, *_) = (await h.core.decisions())["items"]
        assert (decision["verdict"], decision["guard"]) == ("blocked", "silenced")
        assert "anna: moving house" in decision["reason"]
        assert await _outcomes(h) == ["ineffective"]
        await h.unsilence(id)
        await h.look()
        await wait_until(lambda: _outcomes(h), equals=["ineffective"] * 2, what="the next try")


async def test_without_an_alertmanager_nothing_is_asked(tmp_path: Path) -> None:
    async with house(tmp_path, REMEDY, [NOBODY]) as h:
        await h.look()
        assert h.core.registry.get_sample_value("upkeeper_reconcile_last_success_timestamp_seconds") == 0
