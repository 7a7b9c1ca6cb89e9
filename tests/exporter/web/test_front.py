"""Users, limits and headers before an application, and the files read again."""

import asyncio
import threading
from pathlib import Path
from unittest.mock import patch

import bcrypt
import httpx
import psutil
import pytest
from structlog.testing import capture_logs

from exporter.configfile.problem import ConfigError
from exporter.web import front as front_module
from exporter.web.front import Front
from tests.exporter.web.served import Served, served
from tests.helpers import wait_until

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
USERS = f"basic_auth_users: {{alice: {HASH}}}\n"
ALICE = httpx.BasicAuth("alice", "secret")
SUCCESSFUL = "config_last_reload_successful"


async def status(web: Served, path: str = "/", auth: httpx.BasicAuth | None = None) -> int:
    return (await web.get(path, auth=auth)).status_code


async def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, "") as web:
        answer = await web.get()
        assert (answer.status_code, answer.text) == (200, "hello")
        assert web.values()["denied_total/credentials"] == 0


async def test_every_path_needs_a_user(tmp_path: Path) -> None:
    async with served(tmp_path, USERS) as web:
        for path in ("/", "/nowhere", "/-/healthy", "/failing"):
            answer = await web.get(path)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == 'Basic realm="Upkeeper", charset="UTF-8"'
            assert answer.headers["Content-Type"].startswith("application/problem+json")
            assert answer.json()["status"] == 401
        assert await status(web, "/", ALICE) == 200
        assert await status(web, "/nowhere", ALICE) == 404
        for wrong in (("alice", "Secret"), ("alice", ""), ("bob", "secret"), ("", "secret")):
            assert await status(web, "/", httpx.BasicAuth(*wrong)) == 401
        assert web.values()["denied_total/credentials"] == 8


async def test_a_credential_of_the_application_does_too(tmp_path: Path) -> None:
    async with served(tmp_path, USERS, lambda request: request.headers.get("Authorization") == "Bearer t") as web:
        assert (await web.get(headers={"Authorization": "Bearer t"})).status_code == 200
        assert (await web.get(headers={"Authorization": "Bearer u"})).status_code == 401


async def test_headers_are_added_to_every_answer(tmp_path: Path) -> None:
    headers = "http_server_config: {headers: {X-Frame-Options: deny, Strict-Transport-Security: max-age=5}}\n"
    async with served(tmp_path, headers + USERS) as web:
        for path, auth, code in (
            ("/", ALICE, 200),
            ("/", None, 401),
            ("/nowhere", ALICE, 404),
            ("/failing", ALICE, 500),
        ):
            answer = await web.get(path, auth=auth)
            assert answer.status_code == code
            assert answer.headers["X-Frame-Options"] == "deny"
            assert answer.headers["Strict-Transport-Security"] == "max-age=5"


async def test_a_rate_limit_counts_all_requests(tmp_path: Path) -> None:
    async with served(tmp_path, "rate_limit: {interval: 1h, burst: 2}") as web:
        assert [await status(web) for _ in range(3)] == [200, 200, 429]
        answer = await web.get()
        assert answer.headers["Retry-After"] == "3600"
        assert answer.json()["title"] == "Too Many Requests"
        assert web.values()["denied_total/rate_limit"] == 2
        web.write("rate_limit: {interval: 1h, burst: 1}")
        await web.front.look()
        assert [await status(web) for _ in range(2)] == [200, 429]
        web.write("rate_limit: {interval: 1h, burst: 1}  # the same")
        await web.front.look()
        assert await status(web) == 429
        web.write("")
        await web.front.look()
        assert await status(web) == 200


async def test_too_many_passwords_at_once_are_turned_away(tmp_path: Path) -> None:
    async with served(tmp_path, USERS) as web:
        with patch("exporter.web.passwords.MAX_WAITING", 0):
            answer = await web.get(auth=ALICE)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert web.values()["denied_total/busy"] == 1
        assert await status(web, "/", ALICE) == 200


@pytest.mark.slow
async def test_a_thousand_wrong_passwords_leave_nothing_behind(tmp_path: Path) -> None:
    process = psutil.Process()
    async with served(tmp_path, USERS) as web, web.client() as client:

        async def guess(count: int) -> None:
            for number in range(count):
                name = ("alice", "stranger")[number % 2]
                assert (await client.get("/", auth=(name, f"guess {number}"))).status_code == 401
            assert (await client.get("/", auth=ALICE)).status_code == 200

        await guess(100)
        fds, threads, memory = process.num_fds(), threading.active_count(), process.memory_info().rss
        await guess(1000)
        assert process.num_fds() <= fds
        assert threading.active_count() <= threads + 1
        assert process.memory_info().rss - memory < 4 * 1024**2
        assert not web.front._passwords._under_way
        assert web.values()["denied_total/credentials"] == 1100


async def test_a_user_is_added_and_removed_without_a_restart(tmp_path: Path) -> None:
    async with served(tmp_path, "") as web:
        assert await status(web) == 200
        web.write(USERS)
        await web.front.look()
        assert await status(web) == 401
        assert await status(web, "/", ALICE) == 200
        web.write(USERS.replace("alice", "bob"))
        await web.front.look()
        assert await status(web, "/", ALICE) == 401
        assert await status(web, "/", httpx.BasicAuth("bob", "secret")) == 200


async def test_a_file_with_a_mistake_leaves_the_old_one_in_force_and_is_told_once(tmp_path: Path) -> None:
    async with served(tmp_path, USERS) as web:
        changes: list[int] = []
        web.front._changed = lambda: changes.append(1)
        with capture_logs() as logs:
            web.write("basic_auth_users: {alice: hunter2}")
            for _ in range(5):
                await web.front.look()
        [line] = logs
        assert (line["log_level"], line["event"]) == ("error", "web config not reloaded, the old one stays in force")
        assert "web.yml:1: basic_auth_users.alice: this must be a bcrypt hash" in line["error"]
        assert "hunter2" not in str(logs)
        assert (web.values()[SUCCESSFUL], len(changes)) == (0, 1)
        assert await status(web, "/", ALICE) == 200
        assert await status(web) == 401
        with capture_logs() as logs:
            web.write(USERS)
            await web.front.look()
            await web.front.look()
        assert [line["event"] for line in logs] == ["web config reloaded"]
        assert web.values()[SUCCESSFUL] == 1


async def test_a_file_that_is_gone_for_a_moment_is_no_reason_to_let_everybody_in(tmp_path: Path) -> None:
    async with served(tmp_path, USERS) as web:
        (tmp_path / "web.yml").unlink()
        await web.front.look()
        assert web.values()[SUCCESSFUL] == 0
        assert await status(web) == 401
        web.write(USERS)
        await web.front.look()
        assert web.values()[SUCCESSFUL] == 1


async def test_an_unchanged_file_is_not_read_into_anything_new(tmp_path: Path) -> None:
    async with served(tmp_path, USERS) as web:
        before = web.front._now
        await web.front.look()
        assert web.front._now is before
        (tmp_path / "web.yml").touch()
        await web.front.look()
        assert web.front._now is before


async def test_it_looks_by_itself(tmp_path: Path) -> None:
    async with served(tmp_path, "") as web:
        web.front._look_seconds = 0.01
        running = asyncio.create_task(web.front.run())
        try:
            web.write(USERS)
            async with asyncio.timeout(30):
                while not web.front._now.users:
                    await asyncio.sleep(0.01)
        finally:
            running.cancel()


async def test_a_file_system_that_hangs_holds_up_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_module, "LOOK_DEADLINE", 0.05)
    back = threading.Event()

    def hang(_: object) -> bool:
        assert back.wait(30)
        return False

    async with served(tmp_path, USERS) as web:
        monkeypatch.setattr(front_module, "changed", hang)
        threads = threading.active_count()
        with capture_logs() as logs:
            for _ in range(10):
                await web.front.look()
        assert threading.active_count() <= threads + 1
        assert len(logs) == 1
        assert "does not answer" in logs[0]["event"]
        assert web.values()[SUCCESSFUL] == 0
        assert await status(web, "/", ALICE) == 200
        back.set()
        monkeypatch.setattr(front_module, "LOOK_DEADLINE", 30.0)

        async def well_again() -> bool:
            await web.front.look()
            return web.values()[SUCCESSFUL] == 1

        await wait_until(well_again)


async def test_a_bug_keeps_the_old_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, USERS) as web:

        def fail(*_: object) -> bool:
            raise RuntimeError("a bug")

        monkeypatch.setattr(front_module, "changed", fail)
        await web.front.look()
        assert web.values()[SUCCESSFUL] == 0
        assert await status(web, "/", ALICE) == 200
        monkeypatch.undo()
        await web.front.look()
        assert web.values()[SUCCESSFUL] == 1


def test_a_file_that_is_wrong_at_the_start_stops_it(tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text("basic_auth_user: {}")
    with pytest.raises(ConfigError, match="did you mean basic_auth_users"):
        Front(tmp_path / "web.yml")


async def test_the_start_says_what_is_weak(tmp_path: Path, certificates: Path) -> None:
    with capture_logs() as logs:
        async with served(tmp_path, USERS):
            pass
    assert [(line["log_level"], line["event"]) for line in logs] == [
        ("info", "web config in force"),
        ("warning", "passwords are sent without TLS: whoever can read the traffic can read them"),
    ]
    assert HASH not in str(logs)
