"""The API over HTTP: credentials, shapes, errors, and the document that describes it."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from remediator.access import failures
from remediator.api.operations import OPERATIONS
from remediator.app import build_app
from remediator.statedir import read_token
from tests.helpers import wait_until
from tests.remediator.stack import START, Stack, alert, settings

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[Client]:
    token = read_token(stack.core.state.operator_token)
    server = TestServer(build_app(stack.core, lambda: True))
    async with TestClient(server, headers={"Authorization": f"Bearer {token}"}) as client:
        yield client


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer wrong", "Basic b3BlcmF0b3I6", "Bearer \xff"])
async def test_every_operation_needs_a_credential(
    client: Client, authorization: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "BURST", 1000)
    headers = {"Authorization": authorization or ""}
    for operation in OPERATIONS:
        path = "/api/v1" + re.sub(r"\{\w+\}", "1", operation.path)
        answer = await client.request(operation.method, path, headers=headers)
        assert answer.status == 401, (operation.method, path)
        assert answer.content_type == "application/problem+json"
    answer = await client.get("/api/v1/openapi.json", headers=headers)
    assert answer.status == 401


async def test_the_credential_of_alertmanager_opens_only_the_webhook(stack: Stack, client: Client) -> None:
    headers = {"Authorization": f"Bearer {read_token(stack.core.state.alertmanager_token)}"}
    assert (await client.get("/api/v1/runs", headers=headers)).status == 403
    body = {
        "version": "4",
        "groupKey": "{}",
        "status": "firing",
        "receiver": "upkeeper",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "",
        "truncatedAlerts": 0,
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "X"},
                "annotations": {},
                "startsAt": "2026-01-01T00:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "",
                "fingerprint": "00000000000000aa",
            }
        ],
    }
    answer = await client.post("/api/v1/alertmanager", json=body, headers=headers)
    assert (answer.status, await answer.json()) == (202, {"accepted": 1})
    assert (await client.post("/api/v1/alertmanager", json=body)).status == 403
    assert [item["labels"] for item in (await (await client.get("/api/v1/alerts")).json())["items"]] == [
        {"alertname": "X"}
    ]


async def test_a_run_by_hand_from_request_to_record(stack: Stack, client: Client) -> None:
    stack.clutter(2)
    answer = await client.post("/api/v1/plans", json={"task": "sweep", "target": "attic"})
    assert answer.status == 200
    assert len((await answer.json())["plan"]["actions"]) == 2
    answer = await client.post("/api/v1/runs", json={"task": "sweep", "target": "attic", "params": {}})
    assert answer.status == 202
    run_id = (await answer.json())["id"]
    await stack.finished(1)
    run = await (await client.get(f"/api/v1/runs/{run_id}")).json()
    assert (run["outcome"], run["requested_at"]) == ("effective", "2027-01-15T08:00:00.000Z")
    answer = await client.post("/api/v1/runs", json={"task": "sweep", "target": "attic"})
    assert (answer.status, (await answer.json())["guard"]) == (409, "cooldown")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "detail"),
    [
        ("GET", "/runs/99", None, 404, "no run 99"),
        ("GET", "/runs/" + "9" * 30, None, 404, "no such run"),
        ("GET", "/runs?limit=0", None, 400, "limit must be"),
        ("GET", "/runs?before=x", None, 400, "before must be"),
        ("GET", "/runs?limit=٣", None, 400, "limit must be"),
        ("POST", "/plans", {"task": "sweep"}, 400, "target: Field required"),
        ("POST", "/plans", {"task": "sweep", "target": "cellar"}, 404, "its targets: attic"),
        ("POST", "/runs", {"task": "sweep", "target": "attic", "force": True}, 400, "force: Extra inputs"),
        ("POST", "/runs", {"task": "swep", "target": "attic"}, 404, "did you mean sweep?"),
        (
            "POST",
            "/runs",
            {"task": "sweep", "target": "attic", "params": []},
            400,
            "params: Input should be an object",
        ),
        (
            "POST",
            "/runs",
            {"task": "sweep", "target": "attic", "params": {"force": 1}},
            422,
            "sweep has no parameter force; its parameters: none",
        ),
        (
            "POST",
            "/plans",
            {"task": "sweep", "target": "attic", "params": {"force": 1}},
            422,
            "sweep has no parameter force; its parameters: none",
        ),
        ("POST", "/pause", {}, 400, "reason: Field required"),
        ("POST", "/pause", {"reason": "x", "seconds": -1}, 400, "seconds: Input should be greater than 0"),
        ("POST", "/pause", {"reason": "x", "seconds": 1e23}, 400, "seconds: Input should be less than or equal to"),
        ("POST", "/pause", {"reason": "x\0"}, 400, "must not have the character NUL"),
        ("POST", "/tokens", {"name": "x", "role": "viewer", "seconds": 1e23}, 400, "seconds: Input should be less"),
        ("POST", "/explain", {"alert_id": 10**30}, 400, "alert_id: Input should be less than or equal to"),
        ("GET", "/runs/٣", None, 404, None),
        ("GET", "/audit/chains/x?since=now&after=1", None, 400, "since must be a time like"),
        ("GET", "/audit/chains/x%00", None, 400, "must not have the character NUL"),
        ("GET", "/schedule/why?job=daily&at=9999-12-31T23:59:59Z", None, 400, "too far away"),
        ("GET", "/approvals?state=done", None, 400, "state must be one of asked, approved"),
        ("GET", "/sd?service=grafana", None, 400, "service must be one of exporter, remediator"),
        ("GET", "/approvals/9", None, 404, "no approval 9"),
        ("POST", "/approvals/9", {"verdict": "approve", "plan_hash": "0"}, 404, "no approval 9"),
        ("POST", "/approvals/9", {"verdict": "approve"}, 400, "plan_hash: Field required"),
        ("POST", "/approvals/9", {"verdict": "approve", "plan_hash": ""}, 400, "plan_hash: String should have"),
        ("POST", "/approvals/9", {"verdict": "maybe", "plan_hash": "0"}, 400, "verdict: Input should be 'approve' or"),
        ("DELETE", "/pause", None, 404, "nothing is paused"),
        ("DELETE", "/breakers/sweep/attic", None, 404, "no breaker is open"),
        ("GET", "/nothing", None, 404, None),
        ("PUT", "/runs", {}, 405, None),
    ],
)
async def test_a_bad_request_gets_one_clear_problem(
    client: Client, method: str, path: str, body: object, status: int, detail: str | None
) -> None:
    answer = await client.request(method, "/api/v1" + path, json=body)
    problem = await answer.json()
    assert (answer.status, answer.content_type, problem["status"]) == (status, "application/problem+json", status)
    if detail is not None:
        assert detail in problem["detail"]


async def test_an_approval_from_the_question_to_its_end(stack: Stack, client: Client) -> None:
    asking = stack.remedies[0].model_copy(update={"autonomy": "approve"})
    stack.core.apply_settings(settings(stack.task, [asking]))
    stack.clutter(2)
    await stack.receive(alert())

    async def waits() -> list[dict[str, object]]:
        items: list[dict[str, object]] = (await (await client.get("/api/v1/approvals?state=asked")).json())["items"]
        return items

    (one,) = await wait_until(waits, what="a request for approval")
    assert (one["id"], one["run"], one["task"], one["target"]) == (1, 1, "sweep", "attic")
    seen = await (await client.get("/api/v1/approvals/1")).json()
    assert [action["object"] for action in seen["plan"]["actions"]] == ["f0", "f1"]
    assert (seen["guards"], seen["plan_hash"]) == ([], one["plan_hash"])
    text = await (await client.get("/metrics")).text()
    assert 'upkeeper_approvals_pending{remedy="tidy"} 1.0' in text
    assert f'upkeeper_approvals_oldest_timestamp_seconds{{remedy="tidy"}} {START}' in text.replace(
        "1.8e+09", str(START)
    )
    stale = await client.post("/api/v1/approvals/1", json={"verdict": "approve", "plan_hash": "0" * 64})
    assert (stale.status, stale.content_type) == (409, "application/problem+json")
    assert "about another plan" in (await stale.json())["detail"]
    answer = {"verdict": "approve", "plan_hash": one["plan_hash"], "reason": "go on"}
    answers = await asyncio.gather(*(client.post("/api/v1/approvals/1", json=answer) for _ in range(5)))
    assert sorted(each.status for each in answers) == [200, 409, 409, 409, 409]
    (run,) = await stack.finished(1)
    assert (run["outcome"], stack.task.applied) == ("effective", ["f0", "f1"])
    text = await (await client.get("/metrics")).text()
    assert 'upkeeper_approvals_pending{remedy="tidy"} 0.0' in text
    assert "upkeeper_approvals_oldest_timestamp_seconds{" not in text


async def test_pause_and_resume(client: Client) -> None:
    (paused,) = await (await client.post("/api/v1/pause", json={"reason": "holiday", "seconds": 60})).json()
    assert (paused["task"], paused["reason"]) == (None, "holiday")
    assert (await (await client.get("/api/v1/status")).json())["paused"] == [paused]
    assert "upkeeper_paused 1.0" in await (await client.get("/metrics")).text()
    assert await (await client.delete("/api/v1/pause")).json() == []
    assert "upkeeper_paused 0.0" in await (await client.get("/metrics")).text()


async def test_metrics_tell_of_runs_and_decisions(stack: Stack, client: Client) -> None:
    stack.clutter(2)
    await stack.receive(alert(), alert(starts_at=START, room="cellar"))
    await stack.finished(1)
    text = await (await client.get("/metrics", headers={"Authorization": ""})).text()
    for line in (
        'upkeeper_task_runs_total{outcome="effective",task="sweep",trigger="alert"} 1.0',
        'upkeeper_task_duration_seconds_count{task="sweep"} 1.0',
        'upkeeper_repair_seconds_count{remedy="tidy"} 1.0',
        'upkeeper_task_reclaimed_bytes_total{task="sweep"} 2.0',
        'upkeeper_decisions_total{guard="",remedy="tidy",verdict="run"} 1.0',
        'upkeeper_decisions_total{guard="",remedy="tidy",verdict="no-target"} 1.0',
        "upkeeper_queue_depth 0.0",
    ):
        assert line in text
    assert re.search('upkeeper_task_last_action_timestamp_seconds{target="attic",task="sweep"} [0-9]', text)


async def test_the_document_describes_every_operation(client: Client) -> None:
    document = await (await client.get("/api/v1/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    operations = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert operations == {(each.method, "/api/v1" + each.path) for each in OPERATIONS} | {
        ("POST", "/api/v1/alertmanager")
    }
    references = [part.split('"')[0] for part in str(document).replace("'", '"').split("#/components/schemas/")[1:]]
    assert references
    assert set(references) <= set(document["components"]["schemas"])
    names = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(set(names)) == len(names)


async def test_the_probes_are_open(client: Client) -> None:
    assert (await client.get("/-/healthy", headers={"Authorization": ""})).status == 200
    assert (await client.get("/-/ready", headers={"Authorization": ""})).status == 200
