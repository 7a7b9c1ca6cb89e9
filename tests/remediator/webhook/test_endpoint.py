"""The webhook over HTTP: who is let in, what is answered, and what is left behind in log and metrics."""

import asyncio
import gzip
import io
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from remediator.model.alert import Notification
from remediator.webhook.payload import MAX_BODY
from tests.helpers import wait_until
from tests.remediator.payloads import alert, payload, without
from tests.remediator.webhook.mutations import mutated
from tests.remediator.webhook.webhook_server import PATH, TOKEN, Webhook, running_webhook

JSON = {"Content-Type": "application/json"}
AUTHORIZED = JSON | {"Authorization": f"Bearer {TOKEN}"}
GOOD = payload(alert())


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    async with running_webhook() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    with capture_logs() as entries:
        yield entries


async def chunks(count: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b" " * size


async def test_a_valid_call_is_answered_with_its_number_of_alerts(
    webhook: Webhook, client: aiohttp.ClientSession, logs: list[Any]
) -> None:
    second = alert(fingerprint="ffffffffffffffff")
    for headers in (
        AUTHORIZED,
        {"Content-Type": "application/json; charset=utf-8", "authorization": f"bearer {TOKEN}"},
    ):
        async with client.post(webhook.url, data=payload(alert(), second), headers=headers) as answer:
            assert (answer.status, await answer.json()) == (202, {"accepted": 2})
    assert [len(one.alerts) for one in webhook.accepted] == [2, 2]
    assert (webhook.received(), webhook.rejected(), logs) == (4, {}, [])


REJECTED: dict[str, tuple[str, dict[str, str], Any, int, str]] = {
    "no credential": ("POST", JSON, GOOD, 401, "unauthorized"),
    "wrong token": ("POST", JSON | {"Authorization": "Bearer wrong"}, GOOD, 401, "unauthorized"),
    "half the token": ("POST", JSON | {"Authorization": f"Bearer {TOKEN[:-1]}"}, GOOD, 401, "unauthorized"),
    "token and more": ("POST", JSON | {"Authorization": f"Bearer {TOKEN}x"}, GOOD, 401, "unauthorized"),
    "token alone": ("POST", JSON | {"Authorization": TOKEN}, GOOD, 401, "unauthorized"),
    "empty token": ("POST", JSON | {"Authorization": "Bearer "}, GOOD, 401, "unauthorized"),
    "another scheme": ("POST", JSON | {"Authorization": f"Basic {TOKEN}"}, GOOD, 401, "unauthorized"),
    "token that is no ASCII": ("POST", JSON | {"Authorization": "Bearer ключ"}, GOOD, 401, "unauthorized"),
    "no credential, a malformed body": ("POST", {}, b"\0", 401, "unauthorized"),
    "GET": ("GET", AUTHORIZED, None, 405, "method"),
    "PUT": ("PUT", AUTHORIZED, GOOD, 405, "method"),
    "DELETE without credential": ("DELETE", {}, None, 405, "method"),
    "a form": ("POST", AUTHORIZED | {"Content-Type": "application/x-www-form-urlencoded"}, GOOD, 415, "content-type"),
    "text": ("POST", AUTHORIZED | {"Content-Type": "text/json"}, GOOD, 415, "content-type"),
    "gzip": ("POST", AUTHORIZED | {"Content-Encoding": "gzip"}, gzip.compress(GOOD), 415, "content-type"),
    "gzip in name only": ("POST", AUTHORIZED | {"Content-Encoding": "gzip"}, GOOD, 415, "content-type"),
    "no body": ("POST", AUTHORIZED, None, 400, "malformed"),
    "not JSON": ("POST", AUTHORIZED, b"<alerts/>", 400, "malformed"),
    "truncated JSON": ("POST", AUTHORIZED, GOOD[:-9], 400, "malformed"),
    "deep": ("POST", AUTHORIZED, b'{"x":' * 100_000, 400, "malformed"),
    "not an object": ("POST", AUTHORIZED, b"[]", 400, "invalid"),
    "wrong version": ("POST", AUTHORIZED, payload(alert(), version="3"), 400, "invalid"),
    "no version": ("POST", AUTHORIZED, without(GOOD, "version"), 400, "invalid"),
    "one byte too many": ("POST", AUTHORIZED, GOOD.ljust(MAX_BODY + 1), 413, "too-large"),
}


@pytest.mark.parametrize(("method", "headers", "body", "status", "reason"), REJECTED.values(), ids=REJECTED.keys())
async def test_a_rejected_call_leaves_one_log_line_and_one_count(
    webhook: Webhook,
    client: aiohttp.ClientSession,
    logs: list[Any],
    caplog: pytest.LogCaptureFixture,
    method: str,
    headers: dict[str, str],
    body: Any,
    status: int,
    reason: str,
) -> None:
    async with client.request(method, webhook.url, data=body and io.BytesIO(body), headers=headers) as answer:
        text = await answer.text()
        assert (answer.status, answer.content_type) == (status, "application/problem+json")
        assert answer.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)
        assert answer.headers.get("Allow") == ("POST" if status == 405 else None)
    # The same connection or a new one: the server goes on.
    async with client.post(webhook.url, data=GOOD, headers=AUTHORIZED) as answer:
        assert answer.status == 202
    assert len(webhook.accepted) == 1
    assert webhook.rejected() == {reason: 1}
    assert [(entry["event"], entry["reason"], entry["status"]) for entry in logs] == [
        ("webhook rejected", reason, status)
    ]
    assert TOKEN not in text + str(logs)
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


async def test_a_body_in_chunks_is_cut_off_at_the_limit(webhook: Webhook, client: aiohttp.ClientSession) -> None:
    async with client.post(webhook.url, data=chunks(17, 65536), headers=AUTHORIZED) as answer:
        assert answer.status == 413
    assert webhook.rejected() == {"too-large": 1}


async def raw(webhook: Webhook, head: dict[str, str], body: bytes = b"") -> tuple[asyncio.StreamReader, Any]:
    """A call written by hand: what its headers promise need not come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", webhook.port)
    lines = [f"POST {PATH} HTTP/1.1", "Host: test", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    await writer.drain()
    return reader, writer


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (JSON | {"Content-Length": "500000"}, b"401"),
        (JSON | {"Transfer-Encoding": "chunked"}, b"401"),
        (AUTHORIZED | {"Content-Length": "500000000"}, b"413"),
        (AUTHORIZED | {"Content-Length": "10", "Content-Type": "text/plain"}, b"415"),
    ],
)
async def test_the_headers_are_judged_before_the_body_comes(
    webhook: Webhook, head: dict[str, str], status: bytes
) -> None:
    reader, writer = await raw(webhook, head)
    assert (await reader.readline()).startswith(b"HTTP/1.1 " + status)
    writer.close()


async def test_a_body_that_never_comes_is_given_up() -> None:
    async with running_webhook(read_timeout=0.05) as webhook:
        reader, writer = await raw(webhook, AUTHORIZED | {"Content-Length": "500"}, GOOD[:10])
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        assert webhook.rejected() == {"timeout": 1}
        writer.close()


@pytest.mark.parametrize("head", [{"Content-Length": "9999"}, {"Transfer-Encoding": "chunked"}])
async def test_a_connection_that_breaks_in_the_middle_of_the_body(
    webhook: Webhook, logs: list[Any], head: dict[str, str]
) -> None:
    body = GOOD if "Content-Length" in head else b"%x\r\n%b\r\n" % (len(GOOD), GOOD)
    _, writer = await raw(webhook, AUTHORIZED | head, body)
    writer.write_eof()
    await wait_until(webhook.rejected, what="the rejection")
    assert webhook.rejected() == {"truncated": 1}
    assert len(logs) == 1
    assert webhook.accepted == []
    writer.close()


async def test_a_token_is_read_anew_and_an_empty_one_lets_nobody_in(
    webhook: Webhook, client: aiohttp.ClientSession
) -> None:
    async def status(token: str) -> int:
        async with client.post(webhook.url, data=GOOD, headers=JSON | {"Authorization": f"Bearer {token}"}) as answer:
            return answer.status

    assert await status(TOKEN) == 202
    webhook.token = "another"
    assert [await status(TOKEN), await status("another")] == [401, 202]
    webhook.token = ""
    assert [await status(TOKEN), await status("")] == [401, 401]


async def test_202_comes_only_after_the_alerts_are_stored(webhook: Webhook, client: aiohttp.ClientSession) -> None:
    storing, stored = asyncio.Event(), asyncio.Event()

    async def accept(notification: Notification) -> int:
        storing.set()
        await stored.wait()
        return len(notification.alerts)

    webhook.accept = accept
    call = asyncio.create_task(client.post(webhook.url, data=GOOD, headers=AUTHORIZED).__aenter__())
    await storing.wait()
    async with client.get(webhook.url) as another:
        assert another.status == 405
    assert not call.done()
    assert webhook.received() == 0
    stored.set()
    answer = await call
    assert answer.status == 202
    assert webhook.received() == 1


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), TimeoutError(), RuntimeError(TOKEN)])
async def test_a_store_that_fails_makes_the_sender_try_again(
    webhook: Webhook, client: aiohttp.ClientSession, logs: list[Any], failure: Exception
) -> None:
    async def accept(notification: Notification) -> int:
        raise failure

    webhook.accept = accept
    async with client.post(webhook.url, data=GOOD, headers=AUTHORIZED) as answer:
        assert (answer.status, answer.content_type) == (503, "application/problem+json")
        assert TOKEN not in await answer.text()
    assert (webhook.received(), webhook.rejected()) == (0, {"store": 1})
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("webhook not stored", "error")]


async def test_mutated_payloads_never_make_a_server_error(
    webhook: Webhook, client: aiohttp.ClientSession, logs: list[Any]
) -> None:
    valid = payload(alert(), alert(status="resolved", endsAt="2026-03-01T10:25:30Z", labels={"a": "é\0"}))
    source = random.Random(202)
    statuses: Counter[int] = Counter()
    for _ in range(300):
        async with client.post(webhook.url, data=mutated(valid, source), headers=AUTHORIZED) as answer:
            statuses[answer.status] += 1
    assert statuses.keys() == {202, 400}
    assert len(logs) == statuses[400] == sum(webhook.rejected().values())
