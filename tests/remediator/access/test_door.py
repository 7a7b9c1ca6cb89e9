"""Who is let in, over HTTP: every token at every operation, and what an address with wrong ones gets."""

import io
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from remediator.access import failures
from remediator.api.operations import OPERATIONS
from remediator.app import build_app
from remediator.statedir import read_token
from tests.remediator.stack import Stack

Client = TestClient[web.Request, web.Application]
WEBHOOK = "/api/v1/alertmanager"


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[Client]:
    async with TestClient(TestServer(build_app(stack.core, lambda: True))) as client:
        yield client


async def bearer(stack: Stack, role: str) -> dict[str, str]:
    made = await stack.core.access.create_token(f"{role}-1", role, None)  # type: ignore[arg-type]
    return {"Authorization": f"Bearer {made['token']}"}


@pytest.mark.parametrize("role", ["viewer", "operator", "alertmanager"])
async def test_each_role_may_what_is_its_own_and_is_told_the_rest(stack: Stack, client: Client, role: str) -> None:
    headers = await bearer(stack, role)
    for operation in OPERATIONS:
        may = role == "operator" or (role == "viewer" and operation.role == "viewer")
        path = "/api/v1" + re.sub(r"{[a-z]+}", "1", operation.path)
        answer = await client.request(operation.method, path, headers=headers)
        assert (answer.status != 403) is may, (role, operation.name, answer.status)
        assert answer.status not in (401, 429, 500)
        if not may:
            assert answer.content_type == "application/problem+json"
            detail = (await answer.json())["detail"]
            assert detail == f"the token {role}-1 has the role {role}, and this needs {operation.role}"
    answer = await client.post(WEBHOOK, headers=headers, data=b"x")
    assert answer.status == (415 if role == "alertmanager" else 403)


def test_a_viewer_reads_and_changes_nothing() -> None:
    viewers = {operation.name for operation in OPERATIONS if operation.role == "viewer"}
    assert all(operation.method == "GET" for operation in OPERATIONS if operation.name in viewers)
    assert "tokens" not in viewers
    assert {"alerts", "runs", "status", "audit", "audit_records"} <= viewers


async def test_a_revoked_token_opens_nothing_from_the_next_request_on(stack: Stack, client: Client) -> None:
    headers = await bearer(stack, "viewer")
    assert (await client.get("/api/v1/runs", headers=headers)).status == 200
    await stack.core.access.revoke_token("viewer-1")
    assert (await client.get("/api/v1/runs", headers=headers)).status == 401


async def test_the_record_shows_the_name_of_the_token(stack: Stack, client: Client) -> None:
    await stack.core.access.create_token("night-shift", "operator", None)
    made = await stack.core.access.create_token("laptop", "operator", None)
    for headers, name in (
        ({"Authorization": f"Bearer {made['token']}"}, "laptop"),
        ({"Authorization": f"Bearer {read_token(stack.core.state.operator_token)}"}, "operator"),
    ):
        body = {"task": None, "reason": "moving", "seconds": 60}
        (pause,) = await (await client.post("/api/v1/pause", headers=headers, json=body)).json()
        assert pause["caller"] == {"trigger": "api", "name": name}
        stack.clutter(1)
        assert (await client.delete("/api/v1/pause", headers=headers)).status == 200
        asked = await client.post(
            "/api/v1/runs", headers=headers, json={"task": "sweep", "target": "attic", "dry_run": True}
        )
        assert (await asked.json())["caller"] == {"trigger": "api", "name": name}
        await stack.finished(1 if name == "laptop" else 2)
    found = (await stack.core.audit(limit=500))["items"]
    names = {
        record["caller"]["name"] for record in found if record["kind"] in ("pause.set", "pause.ended", "run.asked")
    }
    assert names == {"laptop", "operator"}


async def test_an_address_with_wrong_tokens_is_limited_and_right_ones_are_not(
    stack: Stack, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "BURST", 3)
    monkeypatch.setattr(failures, "INTERVAL", 3600.0)
    right, wrong = await bearer(stack, "viewer"), {"Authorization": "Bearer upk_wrong"}
    statuses = [(await client.get("/api/v1/runs", headers=wrong)).status for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    answer = await client.get("/api/v1/runs", headers=wrong)
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.content_type == "application/problem+json"
    # Alertmanager gives an episode up for 429, and tries again after 503.
    assert (await client.post(WEBHOOK, headers=wrong)).status == 503
    assert (await client.get("/api/v1/runs", headers=right)).status == 200
    alertmanager = await bearer(stack, "alertmanager")
    assert (await client.post(WEBHOOK, headers=alertmanager, data=b"x")).status == 415, "it is let in"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/nothing", 404),
        ("PUT", "/api/v1/runs", 405),
        ("GET", "/api/v1/runs/999", 404),
        ("GET", "/api/v1/runs?limit=x", 400),
        ("POST", "/api/v1/pause", 400),
        ("POST", "/api/v1/tokens", 400),
        ("DELETE", "/api/v1/tokens/nobody", 404),
    ],
)
async def test_every_answer_that_refuses_is_a_problem(
    stack: Stack, client: Client, method: str, path: str, status: int
) -> None:
    headers = await bearer(stack, "operator")
    answer = await client.request(method, path, headers=headers, data=b"{no json" if method == "POST" else None)
    assert answer.status == status
    assert answer.content_type == "application/problem+json"
    document = await answer.json()
    assert (document["type"], document["status"]) == ("about:blank", status)


async def test_a_body_that_is_too_large_is_a_problem(stack: Stack, client: Client) -> None:
    headers = await bearer(stack, "operator")
    answer = await client.post("/api/v1/runs", headers=headers, data=io.BytesIO(b" " * (2 * 1024 * 1024)))
    assert answer.status == 413
    assert answer.content_type == "application/problem+json"
