"""HTTP probes against real servers: what they send, where they connect to, and what they let nobody see."""

import asyncio
import base64
import json
import os
import socket
import sys
import threading
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from exporter.probing import resolve as resolving
from exporter.probing.resolve import Address
from exporter.probing.run import run_probe
from tests.exporter.serving import answering, detailed, probe, result, says, speaking
from tests.helpers import wait_until
from tests.ports import free_port

SECRET = "hunter2-hunter2"


async def echo(request: web.Request) -> web.Response:
    """Answers with what it was sent, as an unfriendly service might."""
    headers = {"X-Echo": request.headers.get("Authorization", "")}
    return web.json_response({"sent": dict(request.headers), "url": str(request.url)}, headers=headers)


async def test_body_json_decides() -> None:
    async with answering(says('{"database": {"status": "down"}, "status": "ok"}')) as url:
        assert (await result(url, body_json=[{"path": "$.status", "equals": "ok"}])).success
        found = await result(url, body_json=[{"path": "$.database.status", "equals": "ok"}])
    assert found.detail == "status 200, but the body does not meet body_json: $.database.status"


@pytest.mark.parametrize(("padding", "elsewhere"), [(1000, False), (100_000, True)])
async def test_only_a_large_document_is_looked_at_in_a_thread(
    padding: int, elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[bool] = []

    def look(path: str, document: object) -> list[object]:
        threads.append(threading.current_thread() is not threading.main_thread())
        return ["ok"]

    monkeypatch.setattr("exporter.probing.conditions.find", look)
    async with answering(says(json.dumps({"padding": "x" * padding}))) as url:
        found = await result(url, body_json=[{"path": "$..status", "equals": "ok"}])
    assert found.success
    assert threads == [elsewhere]


async def test_a_document_that_takes_too_long_costs_one_thread_and_its_own_probe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()
    looks: list[str] = []

    def hang(path: str, document: object) -> list[object]:
        looks.append(path)
        release.wait()
        return ["ok"]

    monkeypatch.setattr("exporter.probing.conditions.find", hang)
    try:
        async with answering(says(json.dumps({"padding": "x" * 100_000}))) as url:
            asked = probe(url, body_json=[{"path": "$..status", "equals": "ok"}], timeout=2)
            details = [(await run_probe("web", asked)).detail for _ in range(3)]
    finally:
        release.set()
    assert details[0] == "no complete answer within 2 s"
    assert all("still being evaluated" in detail for detail in details[1:])
    assert looks == ["$..status"]


async def test_a_header_of_the_config_replaces_ours_in_whatever_case() -> None:
    seen: list[web.Request] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response()

    async with answering(handle) as url:
        assert (await result(url, headers={"user-agent": "me", "HOST": "example.org", "accept": "text/plain"})).success
    [request] = seen
    assert request.headers.getall("User-Agent") == ["me"]
    assert request.headers.getall("Host") == ["example.org"]
    assert request.headers.getall("Accept") == ["text/plain"]


async def test_basic_credentials_are_read_anew_for_each_probe(tmp_path: Path) -> None:
    seen: list[str] = []

    async def guarded(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.Response(status=200 if seen[-1].endswith(wanted) else 401)

    file = tmp_path / "password"
    file.write_text("first\n")
    wanted = base64.b64encode("müller:second ü".encode()).decode()
    async with answering(guarded) as url:
        settings = {"basic_auth": {"username": "müller", "password_file": str(file)}}
        assert (await result(url, **settings)).status == 401
        file.write_text("second ü")
        assert (await result(url, **settings)).success
    assert seen[0] == "Basic " + base64.b64encode("müller:first".encode()).decode()


async def test_a_bearer_token_comes_from_its_file(tmp_path: Path) -> None:
    async def guarded(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.headers["Authorization"] == f"Bearer {SECRET}" else 401)

    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    async with answering(guarded) as url:
        assert (await result(url, bearer_token_file=str(file))).success


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (None, "bearer_token_file cannot be read: No such file or directory"),
        (b"\n", "bearer_token_file is empty"),
        (b"\xff\xfe", "bearer_token_file is not text in UTF-8"),
        (b"hunter2-hunter2 and more", "bearer_token_file holds more than one token of ASCII"),
        (b"hunter2-hunter2\r\nX-Smuggled: 1", "bearer_token_file holds more than one token of ASCII"),
        ("hunter2-hunter2-ü".encode(), "bearer_token_file holds more than one token of ASCII"),
    ],
)
async def test_credentials_that_cannot_be_sent(tmp_path: Path, content: bytes | None, detail: str) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    found = await result("http://127.0.0.1:1/", bearer_token_file=str(file))
    assert (found.success, found.detail) == (False, detail)


async def test_a_file_that_hangs_costs_one_thread_and_its_own_probes(tmp_path: Path) -> None:
    """A FIFO that nobody writes to hangs when it is opened, as a file on a dead mount does."""
    fifo = tmp_path / "token"
    os.mkfifo(fifo)

    def reading() -> int:
        return sum(str(fifo) in thread.name for thread in threading.enumerate())

    async with answering(says("hello")) as url:
        asked = [result(url, bearer_token_file=str(fifo), timeout="50ms") for _ in range(10)]
        found = await asyncio.gather(*asked, result(url))
        again = await result(url, bearer_token_file=str(fifo), timeout="50ms")
        assert reading() == 1
        with fifo.open("w") as writer:
            writer.write(SECRET)
        await wait_until(lambda: not reading(), what="the thread to end")
    assert {each.detail for each in (*found[:-1], again)} == {"no complete answer within 0.05 s"}
    assert found[-1].success


async def test_credentials_do_not_follow_a_redirect_to_another_origin(tmp_path: Path) -> None:
    seen: list[tuple[str | None, str | None]] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append((request.headers.get("Authorization"), request.headers.get("X-Api-Key")))
        return web.Response()

    async def at_home(request: web.Request) -> web.Response:
        if request.path != "/there":
            raise web.HTTPFound("/there")
        seen.append((request.headers.get("Authorization"), request.headers.get("X-Api-Key")))
        raise web.HTTPFound(away)

    file = tmp_path / "token"
    file.write_text(SECRET)
    async with answering(elsewhere) as away, answering(at_home) as url:
        settings = {"bearer_token_file": str(file), "headers": {"X-Api-Key": SECRET}}
        assert (await result(url, follow_redirects=True, **settings)).success
    assert seen == [(f"Bearer {SECRET}", SECRET), (None, None)]


@pytest.mark.parametrize(
    "location",
    ["ftp://127.0.0.1/", "http://[", "file:///etc/passwd", "http://127.0.0.1:0/", f"http://{'a' * 90}.{'b' * 9000}/"],
)
async def test_a_redirect_to_what_is_no_http_is_a_failure(location: str) -> None:
    async def away(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location})

    async with answering(away) as url:
        found = await result(url, follow_redirects=True)
    assert not found.success
    assert "unexpected" not in found.detail
    assert len(found.detail) < 200


async def test_a_redirect_to_a_port_beyond_the_last_is_not_taken_for_another() -> None:
    async def away(request: web.Request) -> web.Response:
        if request.path == "/there":
            return web.Response()
        return web.Response(status=302, headers={"Location": f"http://127.0.0.1:{request.url.port + 65536}/there"})

    async with answering(away) as url:
        found = await result(url, follow_redirects=True)
    assert (found.success, found.detail) == (False, "the redirect leads to an invalid port")


async def test_a_header_that_announces_a_body_is_a_malformed_request() -> None:
    with capture_logs() as lines:
        async with answering(echo) as url:
            found = await result(url, headers={"Content-Length": "5"})
    assert found.detail == "the request is malformed: look at its url and headers"
    assert lines == []


async def test_every_step_is_told_and_no_secret_in_any(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f'"{SECRET}"')
    settings = {
        "basic_auth": {"username": "me", "password_file": str(file)},
        "headers": {"X-Api-Key": "key-key-key", "X-Plain": "plain", "X-Env": "from-environment"},
        "body_json": [{"path": "$.sent.Authorization", "exists": True}, {"path": "$.sent.Host", "equals": "h"}],
    }
    async with answering(echo) as url:
        found, recorder = await detailed(f"{url}/?q=from-environment", "from-environment", **settings)
    assert [step.what for step in recorder.steps] == [
        "resolved", "connected", "request", "response", "body", "condition", "condition", "condition",
    ]  # fmt: skip
    text = repr(recorder.steps) + repr(found)
    pair = base64.b64encode(f'me:"{SECRET}"'.encode()).decode()
    for secret in (SECRET, pair, "key-key-key", "from-environment"):
        assert secret not in text
    request = next(step.facts for step in recorder.steps if step.what == "request")
    assert isinstance(request["headers"], dict)
    assert request["headers"]["Authorization"] == "(not shown)"
    assert request["headers"]["X-Plain"] == "plain"
    assert [step.facts["met"] for step in recorder.steps if step.what == "condition"] == [True, True, False]
    assert [step.at for step in recorder.steps] == sorted(step.at for step in recorder.steps)


async def test_a_secret_that_is_cut_off_is_hidden_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("s" * 40)
    for padding in range(960, 1000, 7):
        async with answering(says("p" * padding + "s" * 40)) as url:
            _, recorder = await detailed(url, bearer_token_file=str(file))
        assert "sss" not in repr(recorder.steps)


async def test_what_a_malformed_answer_quotes_reaches_no_log(tmp_path: Path) -> None:
    async def quote(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + head.replace(b":", b"") + b"\r\n\r\n")

    file = tmp_path / "token"
    file.write_text(SECRET)
    async with speaking(quote) as port:
        found = await result(f"http://127.0.0.1:{port}", bearer_token_file=str(file))
    assert not found.success
    assert SECRET not in found.detail


def an_address(host: str, port: int) -> Address:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return Address(family, (host, port, 0, 0) if family == socket.AF_INET6 else (host, port))


@pytest.mark.parametrize(
    ("protocol", "fallback", "addresses", "tried"),
    [
        ("any", True, ["::1", "127.0.0.1"], ["[::1]", "127.0.0.1"]),
        ("any", True, ["127.0.0.1", "::1"], ["127.0.0.1"]),
        ("ipv4", True, ["::1", "127.0.0.1"], ["127.0.0.1"]),
        ("ipv6", False, ["127.0.0.1", "::1"], ["[::1]"]),
        ("ipv6", True, ["127.0.0.1"], ["127.0.0.1"]),
    ],
)
async def test_which_addresses_are_tried(
    monkeypatch: pytest.MonkeyPatch, protocol: str, fallback: bool, addresses: list[str], tried: list[str]
) -> None:
    """The server listens on 127.0.0.1 alone, so ::1 refuses, or is not there at all."""
    async with answering(says("hello")) as url:
        port = int(url.rpartition(":")[2])
        monkeypatch.setattr(resolving, "_lookup", lambda host, port: [an_address(each, port) for each in addresses])
        found, recorder = await detailed(f"http://a.test:{port}/", ip_protocol=protocol, ip_protocol_fallback=fallback)
    steps = [str(step.facts["address"]) for step in recorder.steps if step.what in ("connected", "not connected")]
    assert steps == [f"{address}:{port}" for address in tried]
    assert found.success is (tried[-1] == "127.0.0.1")


async def test_no_address_of_the_kind_that_is_asked_for() -> None:
    for protocol, host, kind in (("ipv6", "127.0.0.1", "IPv6"), ("ipv4", "[::1]", "IPv4")):
        found = await result(f"http://{host}:1/", ip_protocol=protocol, ip_protocol_fallback=False)
        assert found.detail.endswith(f"has no {kind} address")


async def test_an_address_that_does_not_answer_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener whose queue is full lets a connection wait, as a firewall that drops packets does."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        async with answering(says("hello")) as url:
            port = int(url.rpartition(":")[2])
            silent = Address(socket.AF_INET, full.getsockname())
            monkeypatch.setattr(resolving, "_lookup", lambda host, port: [silent, an_address("127.0.0.1", port)])
            found, recorder = await detailed(f"http://a.test:{port}/", timeout="2s")
        for filler in fillers:
            filler.close()
    assert found.success, found.detail
    assert [step.facts.get("reason") for step in recorder.steps if step.what == "not connected"] == ["no answer"]


async def test_a_resolver_that_hangs_costs_one_thread_however_many_probes_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    calls = 0

    def hang(host: str, port: int) -> list[Address]:
        nonlocal calls
        calls += 1
        release.wait(30)
        return [an_address("127.0.0.1", port)]

    monkeypatch.setattr(resolving, "_lookup", hang)
    port = free_port()
    try:
        found = await asyncio.gather(*(result(f"http://slow.test:{port}/", timeout="50ms") for _ in range(20)))
        again = await result(f"http://slow.test:{port}/", timeout="50ms")
    finally:
        release.set()
    assert {each.detail for each in (*found, again)} == {"no complete answer within 0.05 s, while in the phase resolve"}
    assert calls == 1


async def test_a_tcp_probe_brings_no_http_library_with_it() -> None:
    program = (
        "import asyncio, sys\n"
        "from exporter.collectors.services import ServicesCollector\n"
        "from exporter.inventory.collector import CollectorSettings\n"
        "from exporter.inventory.services import Service\n"
        "services = [Service.model_validate({'name': 'db', 'probes': [{'url': 'tcp://127.0.0.1:1'}]})]\n"
        "asyncio.run(ServicesCollector(services, CollectorSettings()).collect())\n"
        "print(sorted({'httpx', 'httpcore', 'jsonpath'} & set(sys.modules)))\n"
    )
    done = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    out, _ = await done.communicate()
    assert out.decode().splitlines()[-1] == "[]"
