"""The remediator's /metrics: the format and the compression that are asked for, and what the reference parsers say."""

import gzip
import subprocess
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition import Format
from remediator.app import build_app
from tests.helpers import require_program
from tests.remediator.stack import Stack, alert

Client = TestClient[web.Request, web.Application]

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
PROMETHEUS_3 = {
    "Accept": "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
}


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[Client]:
    """Of a remediator that every one of its families has a sample of."""
    stack.clutter()
    await stack.receive(alert())
    await stack.finished()
    await stack.core.pause("sweep", "to see it", None)
    server = TestServer(build_app(stack.core, lambda: True))
    async with TestClient(server, auto_decompress=False, headers={"Accept-Encoding": "identity"}) as made:
        yield made


async def test_text_unless_something_else_is_asked_for_and_promtool_finds_no_fault(client: Client) -> None:
    response = await client.get("/metrics")
    body = await response.read()
    assert response.headers["Content-Type"] == Format.TEXT.value
    assert response.headers["Vary"] == "Accept, Accept-Encoding"
    assert {family.name for family in parse_text(body.decode())} >= {"upkeeper_task_runs", "upkeeper_task_paused"}
    done = subprocess.run(
        [require_program("promtool", "prometheus"), "check", "metrics"], input=body, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("headers", [OPENMETRICS, PROMETHEUS_3])
async def test_openmetrics_when_asked_for_as_its_reference_parser_reads_it(
    client: Client, headers: dict[str, str]
) -> None:
    response = await client.get("/metrics", headers=headers)
    assert response.headers["Content-Type"] == Format.OPENMETRICS.value
    families = list(parse_openmetrics(await response.text()))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert {family.name: family.type for family in families}["upkeeper_remediator_build"] == "info"


async def test_the_text_too_holds_no_names_that_clash_in_openmetrics(client: Client) -> None:
    """Prometheus keeps the same series whichever format it reads, and the strict parser reads the text as well."""
    text = await (await client.get("/metrics")).text()
    strict = await (await client.get("/metrics", headers=OPENMETRICS)).text()

    def series(body: str) -> set[str]:
        return {line.rpartition(" ")[0] for line in body.splitlines() if not line.startswith("#")}

    assert series(text) == series(strict)
    assert not [name for name in series(text) if "_created" in name]


async def test_compressed_when_asked_for(client: Client) -> None:
    plain = await client.get("/metrics", headers=OPENMETRICS)
    packed = await client.get("/metrics", headers={**OPENMETRICS, "Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(await packed.read()) == await plain.read()
