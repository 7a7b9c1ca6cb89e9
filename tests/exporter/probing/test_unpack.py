"""Bodies that come compressed though nobody asked for it."""

import gzip
import zlib

import pytest
from aiohttp import web

from exporter.probing.conditions import MAX_BODY_BYTES
from exporter.probing.unpack import CannotUnpack, unpack
from tests.exporter.serving import answering, detailed, result

TEXT = b'{"status": "ok"}'


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def test_the_body_is_what_was_compressed() -> None:
    for codings, body in (
        ([], TEXT),
        (["identity"], TEXT),
        (["gzip"], gzip.compress(TEXT)),
        ([" X-GZip "], gzip.compress(TEXT)),
        (["gzip"], gzip.compress(TEXT[:5]) + gzip.compress(TEXT[5:])),
        (["deflate"], zlib.compress(TEXT)),
        (["deflate"], bare_deflate(TEXT)),
        (["deflate", "gzip"], gzip.compress(zlib.compress(TEXT))),
    ):
        assert unpack(body, codings, 1000) == TEXT, codings


@pytest.mark.parametrize("codings", [["gzip"], ["deflate"], ["br"], ["gzip", "gzip", "gzip"]])
def test_no_body_is_nothing_to_unpack(codings: list[str]) -> None:
    assert unpack(b"", codings, 1000) == b""


@pytest.mark.parametrize(
    ("codings", "reason"),
    [
        (["br"], "neither gzip nor deflate"),
        (["zstd"], "neither gzip nor deflate"),
        (["gzip"], "is not the gzip that it says it is"),
        (["deflate"], "is not the deflate that it says it is"),
        (["gzip", "gzip", "gzip"], "3 times over"),
    ],
)
def test_what_cannot_be_read_says_so_without_quoting_it(codings: list[str], reason: str) -> None:
    with pytest.raises(CannotUnpack, match=reason) as raised:
        unpack(b"\xffhunter2", codings, 1000)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_unfolds_to_the_limit_and_no_further(coding: str) -> None:
    bomb = b"x" * 50_000_000
    packed = gzip.compress(bomb) if coding == "gzip" else zlib.compress(bomb)
    assert unpack(packed, [coding], 1000) == b"x" * 1000
    many = b"".join([gzip.compress(b"")] * 10_000)
    assert unpack(many, ["gzip"], 1000) == b""


def test_one_that_was_cut_gives_what_it_holds() -> None:
    noise = bytes(range(256)) * 64
    packed = gzip.compress(noise)
    assert noise.startswith(unpack(packed[:-100], ["gzip"], MAX_BODY_BYTES) or b"?")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_probe_reads_an_answer_that_is_compressed_unasked(coding: str) -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.headers["Accept-Encoding"])
        packed = gzip.compress(TEXT) if coding == "gzip" else zlib.compress(TEXT)
        return web.Response(body=packed, headers={"Content-Encoding": coding})

    async with answering(handle) as url:
        for conditions in ({"body_regex": "ok"}, {"body_json": [{"path": "$.status", "equals": "ok"}]}):
            assert (await result(url, **conditions)).success
        found, recorder = await detailed(url, body_regex="bad")
    assert (found.success, found.detail) == (False, "status 200, but the body does not match body_regex")
    assert [step.facts["excerpt"] for step in recorder.steps if step.what == "body"] == [TEXT.decode()]
    assert set(asked) == {"identity"}


async def test_one_that_cannot_be_read_fails_only_conditions_on_the_body() -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(body=b"\x0b\x02", headers={"Content-Encoding": "br"}, status=int(request.path[1:]))

    async with answering(handle) as url:
        assert (await result(f"{url}/200")).success
        found = await result(f"{url}/200", body_regex="ok")
        down = await result(f"{url}/503", body_regex="ok")
    assert "but the body is compressed in a way that nobody asked for" in found.detail
    assert down.detail == "status 503, expected 200"
