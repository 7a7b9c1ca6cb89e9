"""What registries are asked, against a stand-in that answers as they do: tokens, limits, indexes, mistakes."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from remediator.tasks.image_update import credentials
from remediator.tasks.image_update.choose import is_current
from remediator.tasks.image_update.credentials import Credentials
from remediator.tasks.image_update.distribution import Known, Platform, Registries, RegistryError
from remediator.tasks.image_update.references import Reference
from remediator.tasks.image_update.services import LocalImage
from tests.ports import free_port

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
AMD = Platform("linux", "amd64")


@dataclass
class StandIn:
    """Speaks the part of the protocol that is used. It serves one repository, ``team/app``."""

    address: str
    documents: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Type and bytes by digest."""
    tags: dict[str, str] = field(default_factory=dict)
    many: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    wants: str = ""
    """``basic`` or ``token``."""
    fails: tuple[int, dict[str, str]] | None = None
    head: bool = True

    def put(self, document: Any, kind: str = "application/json") -> str:
        body = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self.documents[digest] = (kind, body)
        return digest

    def image(self, architecture: str = "amd64", **config: Any) -> str:
        """A manifest with its config; the manifest's digest."""
        created = "2026-11-01T10:00:00Z"
        digest = self.put({"created": created, "architecture": architecture, "os": "linux", "config": config})
        layers = [{"digest": f"sha256:{'0' * 64}", "size": 1000}]
        return self.put({"config": {"digest": digest}, "layers": layers}, MANIFEST)

    def index(self, **images: str) -> str:
        """An index of manifests by architecture, with an attestation in it as BuildKit writes them."""
        entries = [
            {"digest": digest, "platform": {"os": "linux", "architecture": architecture}}
            for architecture, digest in images.items()
        ]
        other = {"digest": f"sha256:{'a' * 64}", "platform": {"os": "unknown", "architecture": "unknown"}}
        return self.put({"manifests": [other, *entries]}, INDEX)

    def config_of(self, manifest: str) -> str:
        return str(json.loads(self.documents[manifest][1])["config"]["digest"])

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path_qs}")
        if request.path == "/token":
            assert request.query["scope"] == "repository:team/app:pull"
            assert request.query["service"] == "here"
            good = request.headers.get("Authorization") == _basic("me", "s3cret")
            return web.json_response({"token": "t0ken"}) if good else web.Response(status=401)
        if self.fails is not None:
            return web.Response(status=self.fails[0], headers=self.fails[1])
        challenge = {
            "basic": ('Basic realm="x"', _basic("me", "s3cret")),
            "token": (f'Bearer realm="http://{self.address}/token",service="here"', "Bearer t0ken"),
        }.get(self.wants)
        if challenge is not None and request.headers.get("Authorization") != challenge[1]:
            return web.Response(status=401, headers={"WWW-Authenticate": challenge[0]})
        _, _, rest = request.path.partition("/v2/team/app/")
        what, _, name = rest.partition("/")
        if what == "tags":
            first = int(request.query.get("from", 0))
            page = self.many[first : first + 2]
            link = f'</v2/team/app/tags/list?n=2&from={first + 2}>; rel="next"'
            return web.json_response({"tags": page}, headers={"Link": link} if first + 2 < len(self.many) else None)
        digest = self.tags.get(name, name)
        if digest not in self.documents:
            return web.Response(status=404)
        kind, body = self.documents[digest]
        headers = {"Content-Type": kind, **({"Docker-Content-Digest": digest} if self.head else {})}
        if request.method == "HEAD" and not self.head:
            return web.Response(status=405)
        return web.Response(body=body, headers=headers)


def _basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


@pytest.fixture
async def registry() -> AsyncIterator[StandIn]:
    port = free_port()
    made = StandIn(f"127.0.0.1:{port}")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield made
    await runner.cleanup()


def asking(
    known: Known | None = None, read: Callable[[str], Credentials | None] = lambda _: None, ticks: float = 0.0
) -> Registries:
    return Registries(known or Known(), read_credentials=read, ticks=lambda: ticks)


def app(registry: StandIn, tag: str = "1") -> Reference:
    return Reference(registry.address, "team/app", tag)


async def test_a_digest_costs_one_head_and_an_image_is_fetched_once(registry: StandIn) -> None:
    registry.tags["1"] = registry.index(arm64=registry.image("arm64"), amd64=registry.image(Labels={"a": "b"}))
    known = Known()
    async with asking(known) as registries:
        digest = await registries.digest(app(registry))
        assert registry.asked == ["HEAD /v2/team/app/manifests/1"]
        image = await registries.image(app(registry), digest, AMD)
        assert (image.created, image.labels, image.bytes) == ("2026-11-01T10:00:00Z", {"a": "b"}, 1000)
        assert len(image.digests) == 3, "of the index, the manifest and the config"
        before = len(registry.asked)
        assert await registries.image(app(registry), digest, AMD) == image
        assert len(registry.asked) == before, "what a digest names never changes"
        with pytest.raises(RegistryError, match="is not built for linux/s390x"):
            await registries.image(app(registry), digest, Platform("linux", "s390x"))


async def test_one_that_tells_no_digest_is_asked_for_the_manifest(registry: StandIn) -> None:
    registry.tags["1"], registry.head = registry.image(), False
    async with asking() as registries:
        assert await registries.digest(app(registry)) == registry.tags["1"]


async def test_what_runs_is_known_by_any_of_its_digests(registry: StandIn) -> None:
    own = registry.image()
    registry.tags["1"] = registry.index(amd64=own)
    async with asking() as registries:
        remote = await registries.image(app(registry), registry.tags["1"], AMD)

    def local(key: str, *digests: str) -> LocalImage:
        return LocalImage(key, frozenset(digests), AMD, "", {}, {})

    assert is_current(local("sha256:1", registry.tags["1"]), remote), "by the index's digest"
    assert is_current(local(registry.config_of(own)), remote), "the classic store's id, all names lost"
    assert is_current(local(registry.tags["1"]), remote), "the containerd store's id"
    assert is_current(local("sha256:1", own), remote), "pulled by the digest of its platform"
    assert not is_current(local("sha256:1", f"sha256:{'1' * 64}"), remote)


@pytest.mark.parametrize("wants", ["basic", "token"])
async def test_credentials_go_where_they_are_asked_for(registry: StandIn, wants: str) -> None:
    registry.tags["1"], registry.wants = registry.image(), wants
    async with asking(
        read=lambda host: Credentials("me", "s3cret") if host == registry.address else None
    ) as registries:
        assert await registries.digest(app(registry)) == registry.tags["1"]
        await registries.image(app(registry), registry.tags["1"], AMD)
        assert sum("token" in each for each in registry.asked) <= 1, "one token for all questions"
    async with asking() as registries:
        with pytest.raises(RegistryError, match=r"does not let this machine read .* \(401\): docker login 127"):
            await registries.digest(app(registry))


async def test_credentials_are_those_of_docker_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert credentials.read("registry.example.org") is None
    auth = base64.b64encode(b"me:s3cret").decode()
    hub = {"https://index.docker.io/v1/": {"auth": auth}, "registry.example.org": {"auth": auth}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": hub}))
    assert credentials.read("registry.example.org") == Credentials("me", "s3cret")
    assert credentials.read("docker.io") == Credentials("me", "s3cret")
    assert credentials.read("other.example.org") is None
    assert "s3cret" not in repr(credentials.read("docker.io"))


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (401, {}, r"\(401\): docker login 127\.0\.0\.1:\d+, as the user whom Upkeeper runs as"),
        (403, {}, r"\(403\): docker login"),
        (404, {}, r"has no .*team/app:1 \(404\)"),
        (429, {"Retry-After": "90"}, r"too many questions \(429\): ask again in 1m30s; docker login"),
        (503, {}, r"fails \(503\): try again later"),
        (418, {}, r"answers 418"),
    ],
)
async def test_each_refusal_is_one_error_with_its_remedy(
    registry: StandIn, status: int, headers: dict[str, str], said: str
) -> None:
    registry.fails = (status, headers)
    async with asking() as registries:
        with pytest.raises(RegistryError, match=said):
            await registries.digest(app(registry))


async def test_who_asks_us_to_wait_is_not_asked_before(registry: StandIn) -> None:
    registry.fails, known = (429, {"Retry-After": "90"}), Known()
    for seconds, questions in ((0.0, 1), (80.0, 1), (91.0, 2)):
        async with asking(known, ticks=seconds) as registries:
            with pytest.raises(RegistryError, match="429"):
                await registries.digest(app(registry))
        assert len(registry.asked) == questions


async def test_an_answer_that_is_not_what_was_asked_for(registry: StandIn) -> None:
    digest = registry.image()
    registry.documents[digest] = (MANIFEST, b'{"config": {}}')
    async with asking() as registries:
        with pytest.raises(RegistryError, match="answers with something else than"):
            await registries.image(app(registry), digest, AMD)
    web_page = f"sha256:{hashlib.sha256(b'<html>').hexdigest()}"
    registry.documents[web_page] = ("text/html", b"<html>")
    async with asking() as registries:
        with pytest.raises(RegistryError, match="is it a registry"):
            await registries.image(app(registry), web_page, AMD)


async def test_tags_come_in_pages(registry: StandIn) -> None:
    registry.many = ["1", "2", "3", "4", "5"]
    async with asking() as registries:
        assert await registries.tags(app(registry)) == registry.many


async def test_nobody_is_there() -> None:
    async with asking() as registries:
        with pytest.raises(RegistryError, match="cannot reach 127"):
            await registries.digest(Reference(f"127.0.0.1:{free_port()}", "team/app", "1"))
