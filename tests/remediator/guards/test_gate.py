"""Queries that must return something, judged by what Prometheus said, and asked of a real one."""

import asyncio
import time
from pathlib import Path

import pytest
from aiohttp import web

from remediator.config.config import Config
from remediator.config.guards import GuardSettings
from remediator.config.peers import Peer
from remediator.guards import gate
from remediator.guards.gate import GATE, OLDEST, SKEW, Answer, Answers, blocks
from remediator.guards.guard import Case, Sources, Subject
from remediator.guards.judge import Judge
from remediator.peers.places import AWAY_FOR, Peers
from tests.helpers import wait_until
from tests.ports import free_port
from tests.remediator.guards.cases import NOW, case
from tests.servers import prometheus
from tests.upkeeper.served import listening

ONE = GuardSettings(gate=["up"])
FRESH = Answer(NOW, 1, 1)
NO_SCRAPE = "up: whether its data is current cannot be told: Prometheus has scraped nothing lately"


@pytest.mark.parametrize(
    ("answer", "scraped_at", "reason"),
    [
        pytest.param(FRESH, NOW, None, id="a number"),
        pytest.param(Answer(NOW, 2, 1), NOW - OLDEST, None, id="a number beside what is none"),
        pytest.param(Answer(NOW - SKEW, 1, 1), NOW - SKEW, None, id="clocks differ a little"),
        pytest.param(Answer(NOW, 0, 0), NOW, "up: it returns nothing", id="nothing"),
        pytest.param(Answer(NOW, 2, 0), NOW, "up: it returns no number, but NaN for 2 series", id="NaN"),
        pytest.param("Prometheus says: no", NOW, "up: Prometheus says: no", id="an error"),
        pytest.param(FRESH, None, NO_SCRAPE, id="no scrape"),
        pytest.param(FRESH, NOW - 121, "up: its data is old: Prometheus last scraped anything 2m1s ago", id="old"),
        pytest.param(Answer(NOW - 61, 1, 1), NOW - 61, "up: Prometheus's clock and ours differ by 1m1s", id="behind"),
        pytest.param(Answer(NOW + 61, 1, 1), NOW + 61, "up: Prometheus's clock and ours differ by 1m1s", id="ahead"),
    ],
)
def test_what_opens_it(answer: Answer | str, scraped_at: float | None, reason: str | None) -> None:
    hold = blocks(Answers({"up": answer}, scraped_at), case(ONE))
    assert (hold.reason if hold is not None else None) == reason
    if hold is not None:
        assert hold.until == NOW + 60


def test_every_query_must_and_one_that_was_not_asked_does_not() -> None:
    two = GuardSettings(gate=["up", "down"])
    assert blocks(Answers({"up": FRESH, "down": FRESH}, NOW), case(two)) is None
    hold = blocks(Answers({"up": FRESH}, NOW), case(two))
    assert hold is not None
    assert hold.reason == "down: it was not asked"
    assert blocks(Answers(), case()) is None


def about(*gate: str, now: float = NOW) -> Case:
    settings = GuardSettings(gate=[*gate])
    return Case(Subject.of("here", "t", "attic", settings), settings, now)


def peers(url: str, root: Path) -> Peers:
    return Peers(lambda: Config(prometheus=Peer(url=url)), root)


async def test_a_prometheus_that_nobody_knows_or_that_is_away_closes_it(tmp_path: Path) -> None:
    for there, reason in (
        (None, "no Prometheus can be asked"),
        (Peers(Config, tmp_path), "no Prometheus is known"),
        (peers(f"http://127.0.0.1:{free_port()}", tmp_path), "cannot reach Prometheus"),
    ):
        judge = Judge(Sources(None, there), [GATE])  # type: ignore[arg-type]
        judgement = await judge.judge(about("up"))
        assert judgement.first is not None
        assert judgement.first.reason.startswith(f"up: {reason}")
        assert (await judge.judge(about())).first is None


async def test_one_that_hangs_is_not_waited_for_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def hang(request: web.Request) -> web.Response:
        asked.append(request.path)
        await asyncio.Event().wait()
        raise AssertionError

    app = web.Application()
    app.router.add_post("/api/v1/query", hang)
    monkeypatch.setattr(gate, "SECONDS", 0.2)
    async with listening(app) as url:
        there = peers(url, tmp_path)
        ticks = 0.0
        there._ticks = lambda: ticks
        judge = Judge(Sources(None, there), [GATE])  # type: ignore[arg-type]
        for now, questions in ((0.0, 2), (AWAY_FOR - 1, 2), (AWAY_FOR, 4)):
            ticks = now
            block = (await judge.judge(about("up"))).first
            assert block is not None
            assert block.reason == f"up: Prometheus at {url} did not answer within 200ms"
            assert len(asked) == questions


@pytest.mark.servers
async def test_a_real_prometheus(tmp_path: Path) -> None:
    # The target is a port on which nobody listens: `up` is there, and 0.
    target = {"job_name": "gone", "static_configs": [{"targets": [f"127.0.0.1:{free_port()}"]}]}
    async with prometheus(tmp_path, {"global": {"scrape_interval": "1s"}, "scrape_configs": [target]}) as server:
        judge = Judge(Sources(None, peers(server.url, tmp_path)), [GATE])  # type: ignore[arg-type]

        async def says(*gate: str) -> str:
            block = (await judge.judge(about(*gate, now=time.time()))).first
            return block.reason if block is not None else "open"

        await wait_until(lambda: says("up == 0", "absent(nothing)"), equals="open")
        assert await says("up == 0", "up == 1") == "up == 1: it returns nothing"
        assert await says("up / up") == "up / up: it returns no number, but NaN for 1 series"
        assert "not a scalar" in await says("scalar(up)")
        assert "parse error" in await says("up >")
