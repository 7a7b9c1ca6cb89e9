"""The HTTP client against the real API, and against what is not one."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from remediator.model.errors import EXIT_BLOCKED, EXIT_FAILED, EXIT_UNREACHABLE, EXIT_USAGE, ClientError
from remediator.statedir import read_token
from tests.ports import free_port
from tests.remediator.stack import alert
from tests.upkeeper.conftest import Remote
from tests.upkeeper.served import listening
from upkeeper.client.http import HttpClient, exit_code_of, operator_token


@pytest.fixture
async def client(remote: Remote) -> AsyncIterator[HttpClient]:
    async with HttpClient(remote.url, read_token(remote.stack.core.state.operator_token)) as client:
        yield client


async def test_it_reads_what_the_core_has(remote: Remote, client: HttpClient) -> None:
    core = remote.stack.core
    remote.stack.clutter()
    await remote.stack.receive(alert())
    [run] = await remote.stack.finished()
    assert await client.runs() == await core.runs()
    assert await client.run(run["id"]) == await core.run(run["id"])
    assert await client.alerts() == await core.alerts()
    assert await client.decisions() == await core.decisions()
    assert await client.remedies() == await core.remedies()
    assert await client.tasks() == await core.tasks()
    assert await client.status() == await core.status()


async def test_it_pages(remote: Remote, client: HttpClient) -> None:
    await remote.stack.receive(*(alert(number=str(number)) for number in range(3)))
    first = await client.alerts(limit=2)
    assert [item["id"] for item in first["items"]] == [3, 2]
    second = await client.alerts(limit=2, before=first["next"])
    assert [item["id"] for item in second["items"]] == [1]
    assert second["next"] is None


async def test_it_plans_runs_pauses_and_resumes(remote: Remote, client: HttpClient) -> None:
    remote.stack.clutter(2)
    plan = await client.plan("sweep", "attic")
    assert [action["object"] for action in plan["plan"]["actions"]] == ["f0", "f1"]
    started = await client.start_run("sweep", "attic", dry_run=True)
    assert started["dry_run"] is True
    [run] = await remote.stack.finished()
    assert run["outcome"] == "planned"
    assert [pause["reason"] for pause in await client.pause(None, "dinner", 60)] == ["dinner"]
    assert [pause["task"] for pause in await client.pause("sweep", "dinner", None)] == [None, "sweep"]
    with pytest.raises(ClientError, match="paused") as caught:
        await client.start_run("sweep", "attic", dry_run=False)
    assert (caught.value.exit_code, caught.value.guard) == (EXIT_BLOCKED, "paused")
    assert [pause["task"] for pause in await client.resume(None)] == ["sweep"]
    assert await client.resume("sweep") == []


async def test_it_closes_a_breaker(remote: Remote, client: HttpClient) -> None:
    stack = remote.stack
    stack.task.useless = True
    stack.clutter(1)
    for number in range(3):
        stack.clock.now += 61
        await client.start_run("sweep", "attic", dry_run=False)
        await stack.finished(number + 1)
    assert [breaker["target"] for breaker in (await client.status())["open_breakers"]] == ["attic"]
    assert await client.close_breaker("sweep", "attic") == []


async def test_a_refusal_is_told_in_the_words_of_the_service(client: HttpClient) -> None:
    for task in ("no-such", "../runs", "a/b", "swéép"):
        with pytest.raises(ClientError, match="there is no task") as caught:
            await client.plan(task, "attic")
        assert caught.value.exit_code == EXIT_USAGE
    with pytest.raises(ClientError, match="no breaker is open for a/b on c d"):
        await client.close_breaker("a/b", "c d")


async def test_a_wrong_token_is_told(remote: Remote) -> None:
    async with HttpClient(remote.url, "wrong") as client:
        with pytest.raises(ClientError, match="UPKEEPER_TOKEN_FILE") as caught:
            await client.status()
    assert caught.value.exit_code == EXIT_USAGE


async def test_nothing_listens() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with HttpClient(url, "token") as client:
        with pytest.raises(ClientError, match=f"cannot reach the remediator at {url}") as caught:
            await client.status()
    assert caught.value.exit_code == EXIT_UNREACHABLE


async def test_somebody_listens_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with HttpClient(f"http://127.0.0.1:{silent.getsockname()[1]}", "token", timeout=0.2) as client:
            with pytest.raises(ClientError, match="did not answer in time") as caught:
                await client.status()
    assert caught.value.exit_code == EXIT_UNREACHABLE


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "<html>hello</html>", "content_type": "text/html"},
        {"text": "", "status": 302, "headers": {"Location": "http://192.0.2.1/"}},
        {"text": "Bad Gateway", "status": 502},
        {"text": "[1]", "status": 404, "content_type": "application/json"},
    ],
)
async def test_what_is_no_remediator_is_told(answer: dict[str, object]) -> None:
    async def respond(request: web.Request) -> web.Response:
        return web.Response(**answer)  # type: ignore[arg-type]

    app = web.Application()
    app.router.add_get("/api/v1/status", respond)
    async with listening(app) as url, HttpClient(url, "token") as client:
        with pytest.raises(ClientError, match="is not an Upkeeper remediator") as caught:
            await client.status()
    assert caught.value.exit_code == EXIT_UNREACHABLE


async def test_a_proxy_of_the_environment_is_not_asked_about_this_machine(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    async with HttpClient(remote.url, read_token(remote.stack.core.state.operator_token)) as client:
        assert (await client.status())["queue_depth"] == 0


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, EXIT_USAGE), (404, EXIT_USAGE), (409, EXIT_BLOCKED), (500, EXIT_FAILED), (503, EXIT_FAILED)],
)
def test_exit_status_of_an_http_status(status: int, code: int) -> None:
    assert exit_code_of(status) == code


def test_the_local_token_is_not_sent_to_another_machine(tmp_path: Path) -> None:
    own = tmp_path / "operator"
    own.write_text("secret\n")
    assert operator_token("http://127.0.0.1:10747", None, own) == "secret"
    with pytest.raises(ClientError, match="another machine"):
        operator_token("http://192.0.2.1:10747", None, own)
    theirs = tmp_path / "theirs"
    theirs.write_text("other\n")
    assert operator_token("http://192.0.2.1:10747", str(theirs), own) == "other"


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_missing_or_empty_token_is_told(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "operator"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ClientError, match="token") as caught:
        operator_token("http://127.0.0.1:10747", None, path)
    assert caught.value.exit_code == EXIT_USAGE
