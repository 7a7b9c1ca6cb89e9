"""Questions to a real Prometheus, with history from promtool, and to one that answers what it should not."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from remediator.peers.http import PeerError
from remediator.peers.prometheus import Prometheus, Sample
from tests.servers import prometheus, tool
from tests.upkeeper.served import listening

BEGIN = 1_700_000_000
HISTORY = f"""\
# TYPE level gauge
level{{room="attic"}} 1 {BEGIN}
level{{room="attic"}} NaN {BEGIN + 60}
level{{room="attic"}} +Inf {BEGIN + 120}
level{{room="cellar"}} 2 {BEGIN + 60}
# EOF
"""


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[Prometheus]:
    (tmp_path / "history").write_text(HISTORY)
    arguments = [tool("promtool", "prometheus"), "tsdb", "create-blocks-from", "openmetrics"]
    subprocess.run([*arguments, tmp_path / "history", tmp_path / "data"], check=True, capture_output=True)
    config = {"global": {"external_labels": {"cluster": "home"}}}
    async with prometheus(tmp_path, config) as server, Prometheus(server.url) as client:
        yield client


@pytest.mark.servers
async def test_each_question_and_its_answer(real: Prometheus) -> None:
    named = {"__name__": "level", "room": "cellar"}
    assert await real.instant("level > 1", at=BEGIN + 60) == [Sample(named, BEGIN + 60, 2.0)]
    assert await real.instant("absent_one") == []
    for query, kind in (("1 > bool 0", "scalar"), ('"text"', "string"), ("level[1h]", "matrix")):
        with pytest.raises(PeerError, match=f"must return an instant vector, not a {kind}"):
            await real.instant(query)
    with pytest.raises(PeerError, match="must return a range vector, not a vector"):
        await real.raw("level", BEGIN)
    with pytest.raises(PeerError, match=f"^Prometheus at {real.url} says: .*parse error"):
        await real.instant("level >")
    [attic, cellar] = sorted(await real.raw("level[1h]", BEGIN + 3599), key=lambda one: one.labels["room"])
    assert [at for at, _ in attic.samples] == [BEGIN, BEGIN + 60, BEGIN + 120]
    assert [str(value) for _, value in attic.samples] == ["1.0", "nan", "inf"]
    assert cellar.samples == [(BEGIN + 60, 2.0)]
    [series] = await real.range('level{room="cellar"}', BEGIN, BEGIN + 120, 60)
    assert series.samples == [(BEGIN + 60, 2.0), (BEGIN + 120, 2.0)]
    assert "cluster: home" in (await real.status("config"))["yaml"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([], "answers 200 to /api/v1/query; is it Prometheus"),
        ({"status": "success"}, "answers in a form that is not understood"),
        ({"status": "success", "data": {"resultType": "vector", "result": [{}]}}, "in a form that is not understood"),
        ({"status": "error", "error": "query\ntimed out"}, "says: query timed out$"),
    ],
)
async def test_what_is_no_answer(answer: Any, message: str) -> None:
    async def respond(request: web.Request) -> web.Response:
        return web.json_response(answer)

    app = web.Application()
    app.router.add_post("/api/v1/query", respond)
    async with listening(app) as url, Prometheus(url) as client:
        with pytest.raises(PeerError, match=message):
            await client.instant("up")
