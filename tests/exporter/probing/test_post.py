"""Probes that send a body."""

from pathlib import Path

import pytest
from aiohttp import web

from exporter.configfile.file import load
from exporter.configfile.problem import ConfigError
from exporter.inventory.inventory import Inventory
from tests.exporter.serving import answering, detailed, result

SECRET = '{"token": "hunter2-hunter2"}'


class Seen(list[tuple[str, str, str]]):
    """Method, content type and body of each request that came."""

    async def handle(self, request: web.Request) -> web.Response:
        self.append((request.method, request.content_type, await request.text()))
        return web.Response(text=f"you sent {await request.text()}")


async def test_a_body_is_sent_with_its_kind_and_length() -> None:
    seen = Seen()
    async with answering(seen.handle) as url:
        assert (await result(url, method="POST", body='{"query": "{ok}"}')).success
        assert (await result(url, method="POST", body="ping ü")).success
        headers = {"content-type": "application/graphql"}
        assert (await result(url, method="POST", body="{ok}", headers=headers)).success
        assert (await result(url, method="POST")).success
    assert list(seen) == [
        ("POST", "application/json", '{"query": "{ok}"}'),
        ("POST", "text/plain", "ping ü"),
        ("POST", "application/graphql", "{ok}"),
        ("POST", "application/octet-stream", ""),
    ]


async def test_a_body_from_a_file_is_read_anew_and_no_step_holds_it(tmp_path: Path) -> None:
    seen, file = Seen(), tmp_path / "body.json"
    settings = {"method": "POST", "body_file": str(file)}
    async with answering(seen.handle) as url:
        missing = await result(url, **settings)
        file.write_text(f"{SECRET}\n")
        found, recorder = await detailed(url, **settings, body_regex="you sent")
        file.write_text("other")
        assert (await result(url, **settings)).success
    assert missing.detail == "body_file cannot be read: No such file or directory"
    assert found.success
    assert [body for _, _, body in seen] == [SECRET, "other"]
    assert "hunter2" not in repr(recorder.steps)
    assert "(not shown)" in repr(recorder.steps)


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_to_another_server_does_not_take_the_body_there(status: int) -> None:
    elsewhere, seen = Seen(), Seen()

    async def redirect(request: web.Request) -> web.Response:
        if request.path == "/here":
            return web.Response(status=status, headers={"Location": "/there"})
        if request.path == "/there":
            return await seen.handle(request)
        return web.Response(status=status, headers={"Location": other})

    async with answering(elsewhere.handle) as other, answering(redirect) as url:
        settings = {"method": "POST", "body": SECRET, "follow_redirects": True}
        assert (await result(f"{url}/here", **settings)).success
        found = await result(f"{url}/away", **settings)
    assert found.detail == "the redirect leads to another server, which must not get the body"
    assert ([body for _, _, body in seen], list(elsewhere)) == ([SECRET], [])


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        ("{url: http://x/, body: ping}", "body: is sent with `method: POST`"),
        ("{url: http://x/, method: GET, body_file: /x}", "body_file: is sent with `method: POST`"),
        ("{url: http://x/, method: POST, body: ping, body_file: /x}", "a probe sends one body"),
        ("{url: 'tcp://x:1', body: ping}", "has no effect on a tcp:// probe"),
    ],
)
def test_a_body_that_would_not_be_sent_is_a_mistake(tmp_path: Path, probe: str, message: str) -> None:
    config = tmp_path / "upkeeper.yml"
    config.write_text(f"services: [{{name: web, probes: [{probe}]}}]\n")
    with pytest.raises(ConfigError) as raised:
        load(config, Inventory)
    assert message in str(raised.value)
