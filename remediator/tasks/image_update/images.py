"""Images on the engine: pulled by their digest, tagged, and kept from being cleaned up."""

import hashlib
import re
from typing import TYPE_CHECKING

from exporter.base.units import format_duration
from exporter.docker.engine import DockerEngine, DockerUnavailable, is_gone
from remediator.model.task import TaskError
from remediator.tasks.image_update.references import Reference
from remediator.tasks.image_update.services import Estate, LocalImage

if TYPE_CHECKING:
    from docker import APIClient

FORMER = "upkeeper-former"
"""First part of the names that former images have until their update is settled."""


def former_name(target: str) -> str:
    """By which the former image of a service is kept: an image with a tag is nobody's rubbish. Pure."""
    plain = re.sub(r"[^a-z0-9]+", "-", target.lower()).strip("-") or "service"
    return f"{FORMER}/{plain}-{hashlib.sha256(target.encode()).hexdigest()[:8]}"


class Images:
    """Of one engine. pull_timeout: seconds that a pull may take without a word from the engine."""

    def __init__(self, engine: DockerEngine, pull_timeout: float) -> None:
        self._engine, self._estate, self._pull_timeout = engine, Estate(engine), pull_timeout

    async def pull(self, image: Reference, digest: str) -> bool:
        """Pulls what a digest names; no tag moves by that. False where it was there. Raises UpkeeperError."""
        name = f"{image.name}@{digest}"
        if await self._estate.image(name) is not None:
            return False
        try:
            await self._engine.patient(self._pull_timeout).call(lambda client: _pull(client, image.name, digest))
        except DockerUnavailable as error:
            if "did not answer" in str(error):
                raise TaskError(
                    f"{name} was not there within {format_duration(self._pull_timeout)} (images.pull_timeout)"
                ) from None
            raise
        if await self._estate.image(name) is None:
            raise TaskError(f"{name} was pulled, and the engine does not have it")
        return True

    async def keep(self, target: str, former: str) -> None:
        """The image with this id stays until ``let_go``, whoever cleans up. Raises UpkeeperError."""
        await self._engine.call(lambda client: client.tag(former, former_name(target), "latest", force=True))

    async def tag(self, image: Reference, image_id: str) -> None:
        """Its tag means this image on this machine from now on."""
        await self._engine.call(lambda client: client.tag(image_id, image.name, image.tag, force=True))

    async def let_go(self, target: str) -> bool:
        """Takes back what ``keep`` gave, unless nothing else names the image. Whether the image has another name."""
        return await self._engine.call(lambda client: _let_go(client, f"{former_name(target)}:latest"))

    async def one(self, name: str) -> LocalImage | None:
        """The image of a name or id."""
        return await self._estate.image(name)


def _pull(client: "APIClient", name: str, digest: str) -> None:
    client.reload_config()  # somebody may have logged in since it was made
    for line in client.pull(name, tag=digest, stream=True, decode=True):
        if "error" in line:
            raise TaskError(f"cannot pull {name}@{digest[:19]}: {said(str(line['error']))}")


def said(error: str) -> str:
    """What an engine said of a pull that failed, on one line, with what to do about it where that is known. Pure."""
    plain = " ".join(error.split())[:300]
    if "no space left" in plain.lower():
        return f"{plain}: make room where Docker has its data; upkeeper plan docker-cleanup says what could go"
    if "toomanyrequests" in plain.lower() or "429" in plain:
        return f"{plain}: docker login raises the limit, or wait"
    if any(word in plain.lower() for word in ("unauthorized", "access denied", "authentication required")):
        return f"{plain}: docker login, as the user whom Upkeeper runs as"
    return plain


def _let_go(client: "APIClient", name: str) -> bool:
    try:
        found = client.inspect_image(name)
    except OSError as error:
        if not is_gone(error):
            raise
        return True
    names = [*(found.get("RepoTags") or ()), *(found.get("RepoDigests") or ())]
    if all(str(each).startswith(f"{FORMER}/") for each in names):
        return False
    client.remove_image(name, noprune=True)
    return True
