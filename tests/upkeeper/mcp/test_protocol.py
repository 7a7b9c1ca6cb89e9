"""The Model Context Protocol, spoken line by line as a client does."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from remediator.api.operations import OPERATIONS, Operation, Operations
from remediator.model.errors import EXIT_UNREACHABLE, ClientError
from tests.helpers import wait_until
from upkeeper.mcp import tools
from upkeeper.mcp.protocol import MOST, VERSIONS, Server


class Remediator(Operations):
    """Stands in for one: says what it was asked, or fails."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answer: Any = {"items": [], "next": None}
        self.fails: ClientError | None = None
        self.waits: asyncio.Event | None = None

    async def ask(self, operation: Operation, values: Mapping[str, Any]) -> Any:
        self.asked.append((operation.name, dict(values)))
        if self.waits is not None:
            await self.waits.wait()
        if self.fails is not None:
            raise self.fails
        return self.answer


class Client:
    """A client's end. Messages of the server as they came."""

    def __init__(self, remediator: Remediator) -> None:
        self.heard: list[Mapping[str, Any]] = []

        @asynccontextmanager
        async def opens() -> AsyncIterator[Operations]:
            yield remediator

        self.server = Server(opens, self._hear)

    async def _hear(self, message: Mapping[str, Any]) -> None:
        self.heard.append(json.loads(json.dumps(message)))

    async def say(self, **message: object) -> None:
        await self.server.take(json.dumps({"jsonrpc": "2.0", **message}).encode())

    async def ask(self, method: str, **params: object) -> Mapping[str, Any]:
        count = len(self.heard)
        await self.say(id=f"q{count}", method=method, params=params)
        await wait_until(lambda: len(self.heard) > count, what=f"an answer to {method}")
        assert self.heard[-1]["id"] == f"q{count}"
        return self.heard[-1]

    async def call(self, name: str, **arguments: object) -> tuple[str, bool]:
        result = (await self.ask("tools/call", name=name, arguments=arguments))["result"]
        [content] = result["content"]
        return content["text"], result["isError"]


@pytest.fixture
def remediator() -> Remediator:
    return Remediator()


@pytest.fixture
async def client(remediator: Remediator) -> AsyncIterator[Client]:
    made = Client(remediator)
    yield made
    await made.server.close()


@pytest.mark.parametrize(("wanted", "spoken"), [*((each, each) for each in VERSIONS), ("2026-07-28", VERSIONS[-1])])
async def test_the_handshake_agrees_on_a_version(client: Client, wanted: str, spoken: str) -> None:
    hello = {"protocolVersion": wanted, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    result = (await client.ask("initialize", **hello))["result"]
    assert (result["protocolVersion"], result["serverInfo"]["name"]) == (spoken, "upkeeper")
    assert "tools" in result["capabilities"]
    await client.say(method="notifications/initialized")
    assert (await client.ask("ping"))["result"] == {}
    assert len(client.heard) == 2, "a notification was answered"


async def test_the_tools_only_read(client: Client) -> None:
    listed = (await client.ask("tools/list"))["result"]["tools"]
    names = {each["name"] for each in listed}
    assert names >= {"status", "alerts", "runs", "run", "explain", "plan", "approvals", "schedule"}
    ways = {each.name: each.method for each in OPERATIONS}
    assert {name for name in names if ways[name] != "GET"} == {"plan", "explain"}
    assert not names & {"start_run", "cancel_run", "decide_approval", "pause", "resume", "create_token", "tokens"}
    assert all(each["annotations"]["readOnlyHint"] for each in listed)
    [runs] = [each for each in listed if each["name"] == "runs"]
    assert set(runs["inputSchema"]["properties"]) == {"limit", "before", "task", "target", "state", "outcome", "host"}
    [plan] = [each for each in listed if each["name"] == "plan"]
    assert plan["inputSchema"]["required"] == ["task", "target"]


@pytest.mark.parametrize("name", [*sorted({each.name for each in OPERATIONS} - set(tools.tools())), "", "nonsense"])
async def test_what_acts_cannot_be_called(client: Client, remediator: Remediator, name: str) -> None:
    answer = await client.ask("tools/call", name=name, arguments={})
    assert answer["error"]["code"] == -32602
    assert not remediator.asked


async def test_a_call_is_an_operation_and_its_answer_json(client: Client, remediator: Remediator) -> None:
    remediator.answer = {"items": [{"id": 7}], "next": None}
    text, failed = await client.call("runs", limit=3, task="log-rotation", before=None)
    assert (json.loads(text), failed) == (remediator.answer, False)
    await client.call("plan", task="log-rotation", target="app", params={"x": "1"})
    await client.call("status")
    assert remediator.asked == [
        ("runs", {"limit": 3, "task": "log-rotation"}),
        ("plan", {"task": "log-rotation", "target": "app", "params": {"x": "1"}}),
        ("status", {}),
    ]


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("runs", {"limit": "many"}, "limit: "),
        ("runs", {"limit": 0}, "limit: "),
        ("runs", {"limit": 10**6}, "limit: "),
        ("runs", {"nonsense": 1}, "nonsense: "),
        ("run", {}, "id: "),
        ("plan", {"task": "a\0b", "target": "x"}, "NUL"),
    ],
)
async def test_a_wrong_argument_is_said_and_nothing_asked(
    client: Client, remediator: Remediator, name: str, arguments: dict[str, object], says: str
) -> None:
    text, failed = await client.call(name, **arguments)
    assert failed
    assert says in text
    assert not remediator.asked


async def test_what_fails_inside_is_the_tools_answer(client: Client, remediator: Remediator) -> None:
    remediator.fails = ClientError("cannot reach the remediator", EXIT_UNREACHABLE)
    assert await client.call("status") == ("cannot reach the remediator", True)
    remediator.fails, remediator.answer = None, "x" * tools.LONGEST
    text, failed = await client.call("runs")
    assert ("too long; ask for fewer with `limit`" in text, failed) == (True, True)
    remediator.answer = {1, 2}  # no JSON can be made of it
    assert (await client.ask("tools/call", name="status"))["error"]["code"] == -32603
    remediator.answer = {}
    assert await client.call("status") == ("{}", False)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nonsense", -32700),
        (b"[" * 100_000, -32700),
        (b"\xff", -32700),
        (b"[]", -32600),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 5}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "server/discover"}', -32601),
    ],
)
async def test_what_is_no_request_is_refused_and_the_next_one_answered(client: Client, line: bytes, code: int) -> None:
    await client.server.take(line)
    await wait_until(lambda: client.heard, what="a refusal")
    assert client.heard[-1]["error"]["code"] == code
    assert (await client.ask("ping"))["result"] == {}


async def test_a_slow_call_holds_up_no_other_and_can_be_cancelled(client: Client, remediator: Remediator) -> None:
    remediator.waits = asyncio.Event()
    await client.say(id=1, method="tools/call", params={"name": "status"})
    await wait_until(lambda: remediator.asked, what="the slow call")
    assert (await client.ask("ping"))["result"] == {}
    await client.say(id=1, method="ping")
    assert client.heard[-1]["error"]["code"] == -32600, "an id was used twice at once"
    await client.say(method="notifications/cancelled", params={"requestId": 1})
    await client.say(method="notifications/cancelled", params={"requestId": 99})
    await wait_until(lambda: 1 not in client.server._under_way, what="the end of the call")
    remediator.waits.set()
    assert (await client.ask("ping"))["result"] == {}
    assert not [each for each in client.heard if each["id"] == 1 and "result" in each]


async def test_so_many_calls_at_once_and_no_more(client: Client, remediator: Remediator) -> None:
    remediator.waits = asyncio.Event()
    for number in range(MOST + 1):
        await client.say(id=number, method="tools/call", params={"name": "status"})
    assert [each["id"] for each in client.heard] == [MOST]
    remediator.waits.set()
    await wait_until(lambda: len(client.heard) == MOST + 1, what="all answers")
