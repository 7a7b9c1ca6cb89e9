"""Addresses to listen on."""

import asyncio

import pytest
from aiohttp import web

from exporter.base import server
from exporter.base.listen import parse_listen
from exporter.base.server import CannotListen, serving
from tests.ports import free_port


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:10746", ("127.0.0.1", 10746)),
        ("localhost:0", ("localhost", 0)),
        (":10746", (None, 10746)),
        ("[::1]:10746", ("::1", 10746)),
    ],
)
def test_addresses(text: str, address: tuple[str | None, int]) -> None:
    assert parse_listen(text) == address


@pytest.mark.parametrize("text", ["", "127.0.0.1", "10746", "host:", "host:http", "host:65536", "host:-1", "::1:10746"])
def test_what_is_no_address_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address to listen on"):
        parse_listen(text)


async def test_a_port_in_use_is_named() -> None:
    listen = f"127.0.0.1:{free_port()}"
    async with serving(web.Application(), listen):
        with pytest.raises(CannotListen, match=f"{listen}: port {listen[10:]} is in use"):
            async with serving(web.Application(), listen):
                pass


async def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1:10746"):
        async with serving(web.Application(), "192.0.2.1:10746"):
            pass


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:"])
async def test_a_connection_without_a_whole_request_is_closed_after_a_while(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "IDLE_SECONDS", 0.05)
    port = free_port()
    async with serving(web.Application(), f"127.0.0.1:{port}"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()
