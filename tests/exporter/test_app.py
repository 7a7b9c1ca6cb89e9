"""The application over HTTP."""

import gzip
import subprocess
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from exporter.app import build_app
from exporter.snapshot import Snapshot
from tests.exporter.fakes import FakeCollector, HangingCollector
from tests.helpers import require_program, wait_until

FOREVER = float("inf")
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}

Client = TestClient[aiohttp.web.Request, aiohttp.web.Application]


class Health:
    """What /health says."""

    def __init__(self) -> None:
        self.answer: tuple[int, Mapping[str, object]] = (200, {"status": "ok", "probes": []})

    def __call__(self) -> tuple[int, Mapping[str, object]]:
        return self.answer


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def snapshot() -> AsyncIterator[Snapshot]:
    made = Snapshot()
    yield made
    await made.stop()


@pytest.fixture
async def client(snapshot: Snapshot, health: Health) -> AsyncIterator[Client]:
    async with TestClient(TestServer(build_app(snapshot, health)), auto_decompress=False) as made:
        yield made


async def collected(snapshot: Snapshot, *names: str) -> None:
    await snapshot.replace([FakeCollector(name, interval=3600) for name in names], FOREVER)
    await wait_until(lambda: snapshot.ready)


async def assert_problem(response: aiohttp.ClientResponse, status: int, words: str) -> None:
    assert response.status == status
    assert response.content_type == "application/problem+json"
    document = await response.json(content_type=None)
    assert document["status"] == status
    assert words in document.get("detail", "")


async def test_text_is_the_default_and_promtool_finds_no_fault(client: Client, snapshot: Snapshot) -> None:
    await collected(snapshot, "one")
    response = await client.get("/metrics", headers={"Accept-Encoding": "identity"})
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "Content-Encoding" not in response.headers
    body = await response.read()
    assert b"upkeeper_one 1.0\n" in body
    promtool = require_program("promtool", "prometheus")
    done = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


async def test_openmetrics_when_asked_for(client: Client, snapshot: Snapshot) -> None:
    await collected(snapshot, "one")
    response = await client.get("/metrics", headers=OPENMETRICS | {"Accept-Encoding": "identity"})
    assert response.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert "upkeeper_one" in {family.name for family in parse_openmetrics(await response.text())}


async def test_gzip_when_accepted(client: Client, snapshot: Snapshot) -> None:
    await collected(snapshot, "one")
    plain = await (await client.get("/metrics", headers={"Accept-Encoding": "identity"})).read()
    response = await client.get("/metrics", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Vary"] == "Accept, Accept-Encoding"
    assert gzip.decompress(await response.read()) == plain


async def test_collect_filters_by_collector(client: Client, snapshot: Snapshot) -> None:
    await collected(snapshot, "one", "two", "three")
    response = await client.get("/metrics?collect[]=one&collect[]=three", headers={"Accept-Encoding": "gzip"})
    body = gzip.decompress(await response.read())
    assert b"upkeeper_one" in body
    assert b"upkeeper_three" in body
    assert b"two" not in body
    await assert_problem(await client.get("/metrics?collect[]=four"), 400, "'four'")


async def test_a_hanging_collector_delays_neither_metrics_nor_forever_readiness(
    client: Client, snapshot: Snapshot
) -> None:
    hanging = HangingCollector(deadline=3600)
    await snapshot.replace([FakeCollector("one"), hanging], FOREVER)
    await wait_until(lambda: snapshot.sections[0].success)
    body = await (await client.get("/metrics", headers={"Accept-Encoding": "identity"})).text()
    assert "upkeeper_one 1.0" in body
    await assert_problem(await client.get("/-/ready"), 503, "hanging")
    assert (await client.get("/-/healthy")).status == 200
    hanging.release.set()
    await wait_until(lambda: snapshot.ready)
    assert (await client.get("/-/ready")).status == 200


async def test_health_passes_status_and_document_on(client: Client, health: Health) -> None:
    assert (await client.get("/health")).status == 200
    health.answer = (503, {"status": "failing", "probes": [{"target": "web"}]})
    response = await client.get("/health")
    assert response.status == 503
    assert await response.json() == {"status": "failing", "probes": [{"target": "web"}]}


async def test_the_landing_page_shows_collectors_and_escapes_what_they_say(client: Client, snapshot: Snapshot) -> None:
    bad = FakeCollector("bad", interval=3600)
    bad.error = OSError("<script>alert(1)</script>")
    await snapshot.replace([bad, FakeCollector("good", interval=90)], FOREVER)
    await wait_until(lambda: snapshot.ready)
    response = await client.get("/")
    page = await response.text()
    assert response.content_type == "text/html"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "1m30s" in page
    for link in ("/metrics", "/health", "/-/healthy", "/-/ready"):
        assert f'href="{link}"' in page


async def test_errors_are_problems(client: Client) -> None:
    await assert_problem(await client.get("/nowhere"), 404, "")
    await assert_problem(await client.post("/metrics"), 405, "GET")
