"""Probes against real servers."""

import asyncio
import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from exporter.collectors.services import ServicesCollector
from exporter.exposition import render
from exporter.health import summarize
from exporter.inventory.collector import CollectorSettings
from exporter.inventory.services import Service
from exporter.probing.conditions import MAX_BODY_BYTES
from exporter.probing.run import run_probe
from tests.exporter.serving import answering, probe, result, says, speaking
from tests.exporter.tls import make_certificate
from tests.ports import free_port


@pytest.mark.parametrize(
    ("status", "expected", "success", "detail"),
    [
        (200, [200], True, "status 200"),
        (204, [200, 204], True, "status 204"),
        (401, [401], True, "status 401"),
        (503, [200], False, "status 503, expected 200"),
        (404, [200, 204], False, "status 404, expected 200 or 204"),
    ],
)
async def test_status(status: int, expected: list[int], success: bool, detail: str) -> None:
    async with answering(says("" if status == 204 else "hello", status)) as url:
        found = await result(url, expect_status=expected)
    assert (found.success, found.detail, found.status) == (success, detail, status)


@pytest.mark.parametrize(
    ("regex", "success"), [("ok", True), (r'"status":\s*"ok"', True), ("^ok$", False), ("(?i)OK", True), ("ü", True)]
)
async def test_body_regex(regex: str, success: bool) -> None:
    async with answering(says('{"status": "ok", "name": "ü"}')) as url:
        found = await result(url, body_regex=regex)
    assert found.success is success
    assert found.status == 200


async def test_method_headers_and_no_credentials_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a proxy in the environment nor ~/.netrc has a say."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    seen: list[web.Request] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response()

    async with answering(handle) as url:
        assert (await result(url, method="POST", headers={"X-Key": "abc"})).success
    (request,) = seen
    assert request.method == "POST"
    assert request.headers["X-Key"] == "abc"
    assert request.headers["User-Agent"].startswith("upkeeper/")
    assert request.headers["Accept-Encoding"] == "identity"
    assert "Authorization" not in request.headers


async def test_redirects_are_followed_only_when_asked_for() -> None:
    async def handle(request: web.Request) -> web.Response:
        if request.path == "/there":
            return web.Response(text="found")
        raise web.HTTPFound("/there")

    async with answering(handle) as url:
        assert (await result(url)).detail == "status 302, expected 200"
        assert (await result(url, expect_status=[302])).success
        assert (await result(url, follow_redirects=True, body_regex="found")).success


async def test_a_redirect_loop_is_a_failure() -> None:
    async def handle(_: web.Request) -> web.Response:
        raise web.HTTPFound("/")

    async with answering(handle) as url:
        found = await result(url, follow_redirects=True)
    assert not found.success
    assert "redirects" in found.detail


async def test_a_server_that_never_answers() -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with speaking(hang) as port:
        for scheme, phase in (("http", "processing"), ("https", "tls")):
            found = await result(f"{scheme}://127.0.0.1:{port}", timeout="500ms")
            assert not found.success
            assert found.detail == f"no complete answer within 0.5 s, while in the phase {phase}"
            assert phase in found.phases


async def test_a_dripping_body_does_not_outlast_the_timeout() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with speaking(drip) as port:
        found = await result(f"http://127.0.0.1:{port}", timeout="500ms")
    assert (found.success, found.detail) == (False, "no complete answer within 0.5 s, while in the phase transfer")


async def test_a_huge_body_is_read_only_so_far() -> None:
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nfirst")
        while True:
            writer.write(b"." * 65536)
            sent += 65536
            await writer.drain()

    async with speaking(pour) as port:
        assert (await result(f"http://127.0.0.1:{port}", body_regex="^first")).success
        assert not (await result(f"http://127.0.0.1:{port}", body_regex="last$")).success
    assert sent < 100 * MAX_BODY_BYTES


async def test_a_compressed_body_is_unfolded_no_further_than_a_plain_one_is_read() -> None:
    bomb = gzip.compress(b"x" * 50_000_000 + b"end")

    async def handle(_: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with answering(handle) as url:
        assert (await result(url)).success
        assert (await result(url, body_regex="xxx")).success
        assert not (await result(url, body_regex="end")).success


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"])
async def test_a_broken_answer_is_a_failure(answer: bytes) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    async with speaking(speak) as port:
        found = await result(f"http://127.0.0.1:{port}")
    assert not found.success
    assert found.detail


async def test_nobody_listening_and_no_such_host() -> None:
    port = free_port()
    for url in (f"http://127.0.0.1:{port}", f"tcp://127.0.0.1:{port}"):
        found = await result(url)
        assert (found.success, found.status) == (False, None)
        assert str(port) in found.detail
    for url in ("http://nowhere.invalid", "tcp://nowhere.invalid:1", f"tcp://{'a' * 70}.invalid:1"):
        assert not (await result(url)).success


async def test_tcp_needs_no_words() -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with speaking(hang) as port:
        found = await result(f"tcp://127.0.0.1:{port}")
    assert (found.success, found.detail) == (True, "connected")


async def test_a_header_never_reaches_the_reason() -> None:
    unchecked = {"headers": {"Authorization": "Bearer hunter2\n"}}  # which the config refuses
    async with answering(says("")) as url:
        found = await run_probe("web", probe(url).model_copy(update=unchecked))
    assert not found.success
    assert "hunter2" not in found.detail


async def test_tls_is_verified_unless_told_otherwise_and_the_expiry_read_in_any_case(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    async with answering(says("hello"), certificate.server_context()) as url:
        strict = await result(url)
        lax = await result(url, tls_verify=False)
    assert (strict.success, strict.status, strict.tls_not_after) == (False, None, certificate.not_after)
    assert "certificate verify failed" in strict.detail
    assert (lax.success, lax.tls_not_after) == (True, certificate.not_after)


async def test_the_limit_of_the_caller_bounds_a_longer_timeout() -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with speaking(hang) as port:
        found = await run_probe("web", probe(f"http://127.0.0.1:{port}", timeout="1h"), limit=0.5)
    assert found.detail == "no complete answer within 0.5 s, while in the phase processing"


def service(name: str, *urls: str, **settings: object) -> Service:
    probes = [{"name": f"probe{number}", "url": url, **settings} for number, url in enumerate(urls)]
    return Service.model_validate({"name": name, "probes": probes})


async def figures(collector: ServicesCollector) -> dict[tuple[str, str, str], float]:
    return {
        (sample.name.removeprefix("upkeeper_probe_"), sample.labels["target"], sample.labels["probe"]): sample.value
        for family in await collector.collect()
        for sample in family.samples
    }


async def test_each_probe_has_its_own_figures() -> None:
    async with answering(says("hello")) as url:
        services = [service("web", url, f"tcp://127.0.0.1:{free_port()}"), service("api", f"{url}/api")]
        collector = ServicesCollector(services, CollectorSettings())
        assert collector.results is None
        values = await figures(collector)
    since = values.pop(("failing_since_timestamp_seconds", "web", "probe1"))
    assert collector.results is not None
    assert since == collector.results[1].checked_at
    assert {key: value for key, value in values.items() if "duration" not in key[0]} == {
        ("success", "web", "probe0"): True,
        ("success", "web", "probe1"): False,
        ("failure_info", "web", "probe1"): 1,
        ("success", "api", "probe0"): True,
        ("http_status_code", "web", "probe0"): 200,
        ("http_status_code", "api", "probe0"): 200,
    }
    assert [(each.target, each.success) for each in collector.results or ()] == [
        ("web", True),
        ("web", False),
        ("api", True),
    ]


async def test_it_fails_since_its_first_failure_in_a_row_also_after_a_reload() -> None:
    statuses = [500, 200, 500, 502, 500, 200]

    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=statuses.pop(0))

    seconds = iter(range(100, 200))
    async with answering(handle) as url:
        former = ServicesCollector([service("web", url)], CollectorSettings(), clock=lambda: float(next(seconds)))
        since = [await failing(former) for _ in range(4)]
        latter = ServicesCollector([service("web", url)], CollectorSettings(), clock=lambda: float(next(seconds)))
        latter.continue_from(former)
        since += [await failing(latter) for _ in range(2)]
    assert since == [100.0, None, 102.0, 102.0, 102.0, None]


async def failing(collector: ServicesCollector) -> float | None:
    return (await figures(collector)).get(("failing_since_timestamp_seconds", "web", "probe0"))


async def test_the_reason_is_one_of_few_whatever_the_network_says() -> None:
    """It is a label: no address, no port, no name that a server chose."""

    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"http://{request.path.strip('/')}.invalid/")

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 abc\r\n\r\n")

    ports = [free_port(), free_port()]
    refused = {(await result(f"{scheme}://127.0.0.1:{port}")).reason for port in ports for scheme in ("http", "tcp")}
    assert refused == {"cannot connect: Connection refused"}
    async with answering(elsewhere) as url:
        led = {(await result(f"{url}/{name}", follow_redirects=True)).reason for name in ("a", "b")}
        status = await result(url)
    assert len(led) == 1
    assert led.pop().startswith("cannot resolve its name: ")
    assert status.reason == "status 302, expected 200"
    async with speaking(silent) as port:
        slow = await result(f"http://127.0.0.1:{port}/", timeout="200ms")
    assert slow.reason == "no answer within 0.2 s"
    async with speaking(rude) as port:
        assert (await result(f"http://127.0.0.1:{port}/")).reason.startswith("no valid HTTP answer")
    async with answering(says("hello")) as url:
        well = await result(url, means="nobody is told")
    assert (well.reason, well.means) == ("", "nobody is told")


async def test_discovered_services_are_probed_unless_configured_by_that_name() -> None:
    async with answering(says("hello")) as url:
        found: list[Service] = [service("web", "http://127.0.0.1:1"), service("found", url)]

        def discovered() -> Sequence[Service]:
            return found

        collector = ServicesCollector([service("web", url)], CollectorSettings(), discovered)
        values = await figures(collector)
        assert values["success", "web", "probe0"]
        assert values["success", "found", "probe0"]
        found.clear()
        assert ("success", "found", "probe0") not in await figures(collector)


async def test_a_failure_is_logged_when_it_begins_and_when_it_ends() -> None:
    statuses = [200, 500, 500, 200, 200]

    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=statuses.pop(0))

    async with answering(handle) as url:
        collector = ServicesCollector([service("web", url)], CollectorSettings())
        with capture_logs() as logs:
            for _ in range(5):
                await collector.collect()
    assert [entry["event"] for entry in logs] == ["probe failed", "probe recovered"]


async def test_the_reason_that_is_told_is_the_one_of_now() -> None:
    """A container that is being started refuses the connection, then answers 503, then 500: each is news."""
    statuses = [503, 503, 500, 200]

    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=statuses.pop(0))

    async with answering(handle) as url:
        collector = ServicesCollector([service("web", url)], CollectorSettings())
        with capture_logs() as logs:
            for _ in range(3):
                await collector.collect()
            reloaded = ServicesCollector([service("web", url)], CollectorSettings())
            reloaded.continue_from(collector)
            await reloaded.collect()
    assert [(entry["event"], entry.get("reason")) for entry in logs] == [
        ("probe failed", "status 503, expected 200"),
        ("probe failed", "status 500, expected 200"),
        ("probe recovered", None),
    ]


async def test_no_secret_in_a_metric_a_log_line_the_health_document_or_a_repr(tmp_path: Path) -> None:
    """The service tells everything that it was sent, and every probe of it fails, each in its own way."""
    secret = "hunter2-hunter2"
    file = tmp_path / "secret"
    file.write_text(secret)

    async def echo(request: web.Request) -> web.Response:
        return web.json_response(dict(request.headers), headers={"Location": f"/{secret}", "X-Echo": secret})

    async with answering(echo) as url:
        probes = [
            {"name": "status", "expect_status": [204], "bearer_token_file": str(file)},
            {"name": "regex", "body_regex": "^x", "basic_auth": {"username": "me", "password_file": str(file)}},
            {"name": "json", "body_json": [{"path": "$.Authorization", "equals": secret}]},
            {"name": "header", "headers": {"Authorization": f"Bearer {secret}"}, "body_regex": f"{secret}{secret}"},
        ]
        web_service = Service.model_validate({"name": "web", "probes": [{"url": url, **each} for each in probes]})
        collector = ServicesCollector([web_service], CollectorSettings())
        with capture_logs() as logs:
            rendered = render(await collector.collect())
    assert [result.success for result in collector.results or ()] == [False] * 4
    document = summarize(collector.results, 0.0, 1.0)
    for text in (rendered.text.decode(), repr(logs), repr(document), repr(collector.results)):
        assert secret not in text
    assert secret not in repr(web_service.probes[3].model_copy(update={"body_regex": None}))
