"""``upkeeper mcp`` as an assistant starts it: a process, its input and its output."""

import asyncio
import json
import os
import sys
from pathlib import Path

UPKEEPER = Path(sys.executable).with_name("upkeeper")
OFFICIAL = os.environ.get("UPKEEPER_MCP_PYTHON")
"""A Python that has the package ``mcp``, the protocol's own library."""
ASKS = """
import json, sys, anyio
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main():
    command, *arguments = sys.argv[1:]
    async with stdio_client(StdioServerParameters(command=command, args=arguments)) as (read, write):
        async with ClientSession(read, write) as session:
            await session.initialize()
            names = [each.name for each in (await session.list_tools()).tools]
            answer = await session.call_tool("status", {})
            print(json.dumps([names, json.loads(answer.content[0].text)["version"]]))

anyio.run(main)
"""


async def test_it_answers_in_lines_and_ends_with_its_input(tmp_path: Path) -> None:
    command = [str(UPKEEPER), "mcp", "--state-dir", str(tmp_path / "state"), "--config", os.devnull]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    asked = [("initialize", hello), ("tools/call", {"name": "runs", "arguments": {"limit": 1}})]
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}) + "\n"
        for id, (method, params) in enumerate(asked)
    ]
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(("\n" + lines[0] + "nonsense\n" + lines[1]).encode())
    heard = [json.loads(await asyncio.wait_for(process.stdout.readline(), 60)) for _ in range(3)]
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 60) == 0
    by_id = {each["id"]: each for each in heard}
    assert by_id[0]["result"]["protocolVersion"] == "2025-06-18"
    assert by_id[None]["error"]["code"] == -32700
    assert json.loads(by_id[1]["result"]["content"][0]["text"]) == {"items": [], "next": None}


async def test_tools_called_at_once_without_any_record_all_answer(tmp_path: Path) -> None:
    """Each opens a record of its own, which has no table yet."""
    command = [str(UPKEEPER), "mcp", "--state-dir", str(tmp_path / "state"), "--config", os.devnull]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    calls: list[tuple[str, dict[str, object]]] = [
        ("status", {}), ("alerts", {}), ("runs", {}), ("tasks", {}),
        ("explain", {"alert_id": 1}), ("plan", {"task": "health-check", "target": "all"}),
    ]  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    for id, (name, arguments) in enumerate(calls):
        params = {"name": name, "arguments": arguments}
        asked = {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}
        process.stdin.write(json.dumps(asked).encode() + b"\n")
    heard = [json.loads(await asyncio.wait_for(process.stdout.readline(), 60)) for _ in calls]
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 60) == 0
    said = {calls[each["id"]][0]: each.get("result") or each for each in heard}
    texts = {name: result["content"][0]["text"] for name, result in said.items()}
    assert json.loads(texts["status"])["queue_depth"] == 0
    assert json.loads(texts["alerts"]) == json.loads(texts["runs"]) == {"items": [], "next": None}
    assert {"health-check", "log-rotation"} <= {one["name"] for one in json.loads(texts["tasks"])["items"]}
    assert said["explain"]["isError"]
    assert "no alert 1" in texts["explain"]
    assert "health-check" in texts["plan"]


if OFFICIAL is not None:  # not in CI, which has no such package

    async def test_the_protocols_own_client_understands_it(tmp_path: Path) -> None:
        command = [str(UPKEEPER), "mcp", "--state-dir", str(tmp_path / "state"), "--config", os.devnull]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(str(OFFICIAL), "-c", ASKS, *command, stdout=pipe)
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        names, version = json.loads(out)
        assert "explain" in names
        assert version
