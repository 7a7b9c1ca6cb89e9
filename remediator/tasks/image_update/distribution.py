"""A registry's HTTP API: https://distribution.github.io/distribution/spec/api/ and .../spec/auth/token/

Only ever read. The digest of a tag is asked for with HEAD, which registries do not count against their limits; a
manifest is fetched only where that digest is new. What a digest names never changes, so it is remembered.
"""

import asyncio
import hashlib
import json
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urljoin, urlsplit

from exporter.base.units import format_bytes, format_duration
from remediator.model.task import TaskError
from remediator.peers.http import is_loopback, verification
from remediator.tasks.image_update import credentials
from remediator.tasks.image_update.references import HUB, Reference
from remediator.tasks.worker import in_thread

if TYPE_CHECKING:
    import httpx

SECONDS = 30.0
"""For a whole answer."""
_MAX_BYTES = 8 * 1024**2
_MAX_TAGS = 20_000
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_ACCEPT = ", ".join((*_INDEXES, *_MANIFESTS))
_CHALLENGE = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_WAIT = 60.0


class RegistryError(TaskError):
    """A registry cannot be asked, or will not answer. The message says what to do about it."""


@dataclass(frozen=True, slots=True)
class Platform:
    """For which an image is built, as an engine's inspection names it."""

    os: str
    architecture: str
    variant: str = ""


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An image as its registry has it."""

    digest: str
    """What the tag names: an index of several platforms, or one manifest."""
    digests: frozenset[str]
    """All digests by which an engine may know the same image: of the index, of the manifest, of the config."""
    created: str
    """When it was built, as it says itself (RFC 3339)."""
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    bytes: int = 0
    """Of its layers, compressed."""


@dataclass
class Known:
    """What is remembered of registries for as long as the process runs: documents by their digest, and who asked us to
    wait, until when on a clock that only goes forward.
    """

    documents: dict[str, Any] = field(default_factory=dict)
    away: dict[str, float] = field(default_factory=dict)

    def keep(self, digest: str, document: Any) -> None:
        if len(self.documents) >= 500:
            self.documents.clear()
        self.documents[digest] = document


class Registries:
    """Asks registries. Use as an async context manager. Every question raises RegistryError where it has no answer.

    insecure: hosts that the engine talks to without TLS. read_credentials: of a registry. ticks: seconds that pass.
    """

    def __init__(
        self,
        known: Known,
        insecure: frozenset[str] = frozenset(),
        seconds: float = SECONDS,
        read_credentials: Callable[[str], credentials.Credentials | None] = credentials.read,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._known, self._insecure, self._seconds, self._ticks = known, insecure, seconds, ticks
        self._read_credentials = read_credentials
        self._http: httpx.AsyncClient | None = None
        self._authorized: dict[tuple[str, str], str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.aclose()

    async def digest(self, image: Reference) -> str:
        """What its tag names now."""
        status, headers, body = await self._ask("HEAD", image, f"manifests/{image.tag}")
        found = headers.get("docker-content-digest", "")
        if status == 200 and _DIGEST.fullmatch(found):
            return found
        _, _, body = await self._ask("GET", image, f"manifests/{image.tag}")  # some tell it only so
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self._known.keep(digest, _document(body, image))
        return digest

    async def image(self, image: Reference, digest: str, platform: Platform) -> RemoteImage:
        """The image that a digest names, for a platform. Raises RegistryError where there is none for it."""
        top = await self._document(image, f"manifests/{digest}", digest)
        manifest, names = top, {digest}
        if isinstance(top.get("manifests"), list):
            child = _for_platform(top["manifests"], platform)
            if child is None:
                raise RegistryError(
                    f"{image.short} is not built for {platform.os}/{platform.architecture}: it stays as it is"
                )
            names.add(child)
            manifest = await self._document(image, f"manifests/{child}", child)
        try:
            config_digest = str(manifest["config"]["digest"])
            size = sum(int(layer.get("size") or 0) for layer in manifest["layers"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RegistryError(f"{image.short} at {image.registry} is no image that an engine can run") from None
        if not _DIGEST.fullmatch(config_digest):
            raise RegistryError(f"{image.short} at {image.registry} has a digest that is none")
        config = await self._document(image, f"blobs/{config_digest}", config_digest)
        inner = config.get("config") or {}
        return RemoteImage(
            digest=digest,
            digests=frozenset({*names, config_digest}),
            created=str(config.get("created") or ""),
            environment=environment_of(inner.get("Env")),
            labels={str(key): str(value) for key, value in (inner.get("Labels") or {}).items()},
            bytes=size,
        )

    async def tags(self, image: Reference) -> list[str]:
        """All tags of its repository, at most some thousands."""
        found: list[str] = []
        path: str | None = "tags/list?n=1000"
        while path is not None and len(found) < _MAX_TAGS:
            _, headers, body = await self._ask("GET", image, path)
            found += [str(each) for each in _document(body, image).get("tags") or ()]
            path = _next(headers.get("link", ""), image)
        return found

    async def _document(self, image: Reference, path: str, digest: str) -> Mapping[str, Any]:
        if digest not in self._known.documents:
            _, _, body = await self._ask("GET", image, path)
            if f"sha256:{hashlib.sha256(body).hexdigest()}" != digest:
                raise RegistryError(f"{image.registry} answers with something else than {image.name}@{digest}")
            self._known.keep(digest, _document(body, image))
        found: Mapping[str, Any] = self._known.documents[digest]
        return found

    async def _ask(self, method: str, image: Reference, path: str) -> tuple[int, Mapping[str, str], bytes]:
        import httpx

        wait = self._known.away.get(image.registry, 0.0) - self._ticks()
        if wait > 0:
            raise RegistryError(_too_many(image.registry, wait))
        url = f"{self._base(image.registry)}/v2/{image.path}/{path}"
        scope = (image.registry, image.path)
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._send(method, url, self._authorized.get(scope, ""))
                if response.status_code == 401:
                    self._authorized[scope] = await self._authorize(response, image)
                    response = await self._send(method, url, self._authorized[scope])
        except TimeoutError:
            raise RegistryError(
                f"{image.registry} did not answer within {format_duration(self._seconds)}; is the network there?"
            ) from None
        except httpx.HTTPError as error:
            raise RegistryError(f"cannot reach {image.registry}: {error or type(error).__name__}") from None
        if response.status_code == 200 or (method == "HEAD" and response.status_code in (405, 501)):
            return response.status_code, response.headers, response.content
        raise self._refused(response, image)

    async def _send(
        self, method: str, url: str, authorization: str, form: Mapping[str, str] | None = None
    ) -> "httpx.Response":
        import httpx

        headers = {"Accept": _ACCEPT, **({"Authorization": authorization} if authorization else {})}
        client = self._client()
        async with client.stream(method, url, headers=headers, data=form) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise RegistryError(
                        f"the answer of {urlsplit(url).netloc} is longer than {format_bytes(_MAX_BYTES)}"
                    )
            return httpx.Response(
                response.status_code,
                headers=[(key, value) for key, value in response.headers.items() if key != "content-encoding"],
                content=bytes(body),
                request=response.request,
            )

    def _client(self) -> "httpx.AsyncClient":
        import httpx

        if self._http is None:
            self._http = httpx.AsyncClient(
                timeout=None,  # noqa: S113  a deadline for the whole question stands around each
                verify=_verification(),
                follow_redirects=True,  # to where the blobs are; httpx sends no credentials to another host
                max_redirects=5,
            )
        return self._http

    def _base(self, registry: str) -> str:
        host = "registry-1.docker.io" if registry == HUB else registry
        plain = registry in self._insecure or is_loopback(f"http://{registry}")
        return f"{'http' if plain else 'https'}://{host}"

    async def _authorize(self, challenge: "httpx.Response", image: Reference) -> str:
        """The header that answers a challenge."""
        from httpx import BasicAuth, Request

        asked = challenge.headers.get("www-authenticate", "")
        known = await in_thread(lambda _: self._read_credentials(image.registry))
        basic = ""
        if known is not None and known.username and known.password:
            flow = BasicAuth(known.username, known.password).auth_flow(Request("GET", "https://x"))
            basic = next(flow).headers["Authorization"]
        if asked.lower().startswith("basic") and basic:
            return basic
        if not asked.lower().startswith("bearer"):
            raise self._refused(challenge, image)
        told: dict[str, str] = dict(_CHALLENGE.findall(asked))
        realm = told.get("realm", "")
        if not realm.startswith("https://") and not (
            realm.startswith("http://") and self._base(image.registry).startswith("http://")
        ):
            raise RegistryError(f"{image.registry} wants its token fetched without TLS, which is not done")
        scope = told.get("scope") or f"repository:{image.path}:pull"
        form = {"service": told.get("service", ""), "scope": scope, "client_id": "upkeeper"}
        if known is not None and known.token:
            form |= {"grant_type": "refresh_token", "refresh_token": known.token}
            response = await self._send("POST", realm, "", form)
        else:
            import httpx

            response = await self._send("GET", str(httpx.URL(realm).copy_merge_params(form)), basic)
        if response.status_code != 200:
            raise self._refused(response, image)
        document = _document(response.content, image)
        token = document.get("token") or document.get("access_token")
        if not token:
            raise RegistryError(f"{urlsplit(realm).netloc} gives no token for {image.name}")
        return f"Bearer {token}"

    def _refused(self, response: "httpx.Response", image: Reference) -> RegistryError:
        status, registry = response.status_code, image.registry
        if status in (401, 403):
            return RegistryError(
                f"{registry} does not let this machine read {image.name} ({status}): docker login {registry}, as the "
                f"user whom Upkeeper runs as, writes what it needs into {credentials.place()}"
            )
        if status == 404:
            return RegistryError(f"{registry} has no {image.short} (404): correct its name, or it was removed there")
        if status == 429:
            wait = _retry_after(response.headers.get("retry-after", ""))
            self._known.away[registry] = self._ticks() + wait
            return RegistryError(_too_many(registry, wait))
        if status >= 500:
            return RegistryError(f"{registry} fails ({status}): try again later")
        return RegistryError(f"{registry} answers {status} to what is asked of {image.name}")


@cache
def _verification() -> ssl.SSLContext | bool:
    """The system's certificates, read once: that takes a twentieth of a second."""
    return verification(["https://"])


def environment_of(entries: Any) -> dict[str, str]:
    """``NAME=value`` by name."""
    pairs = (str(each).partition("=") for each in entries or ())
    return {name: value for name, _, value in pairs}


def _too_many(registry: str, wait: float) -> str:
    return (
        f"{registry} has answered too many questions (429): ask again in {format_duration(max(1.0, round(wait)))}; "
        f"docker login {registry} raises its limit"
    )


def _retry_after(value: str) -> float:
    """Seconds; it may be a date, which is not worth more than a minute here. At most an hour is believed."""
    return min(3600.0, float(value)) if value.isdigit() else _WAIT


def _document(body: bytes, image: Reference) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RegistryError(f"{image.registry} answers in a form that is not understood; is it a registry?")
    return found


def _for_platform(manifests: list[Any], platform: Platform) -> str | None:
    """The digest of the manifest for a platform; of several variants the same one, else the first."""
    found: list[tuple[bool, int, str]] = []
    for each in manifests:
        if not isinstance(each, dict) or not _DIGEST.fullmatch(str(each.get("digest"))):
            continue
        its = each.get("platform") or {}
        if (its.get("os"), its.get("architecture")) == (platform.os, platform.architecture):
            found.append((str(its.get("variant") or "") != platform.variant, len(found), str(each["digest"])))
    return min(found)[2] if found else None


def _next(link: str, image: Reference) -> str | None:
    """The rest of the path of the next page, by the header that names it."""
    found = re.match(r"\s*<([^>]*)>\s*;\s*rel=\"?next\"?", link)
    if found is None:
        return None
    path = urljoin(f"/v2/{image.path}/tags/list", found[1])
    query = urlsplit(path).query
    return f"tags/list?{query}" if query else None
