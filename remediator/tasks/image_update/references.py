"""Names of images as Compose files and engines write them. Pure.

https://github.com/distribution/reference: a registry is told from the first part of a path by a dot, a colon, or by
being ``localhost``; without one it is Docker Hub, where a name without a path is below ``library``.
"""

import re
from dataclasses import dataclass

HUB = "docker.io"
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """An image's name. registry: host, with a port where it has one."""

    registry: str
    path: str
    """In the registry, as in ``library/postgres``."""
    tag: str
    """``latest`` where none is written, and neither a digest; empty with a digest alone."""
    digest: str = ""

    @property
    def name(self) -> str:
        """Without tag and digest, as people and engines write it."""
        if self.registry != HUB:
            return f"{self.registry}/{self.path}"
        return self.path.removeprefix("library/")

    @property
    def short(self) -> str:
        """With the tag, without the digest."""
        return f"{self.name}:{self.tag}" if self.tag else self.name

    def pinned(self, digest: str) -> str:
        """The same with this digest, and with the tag for people."""
        return f"{self.short}@{digest}"


def parse(text: str) -> Reference | None:
    """The name; None for what is none, an image's id for one."""
    rest, _, digest = text.partition("@")
    if digest and not _DIGEST.fullmatch(digest):
        return None
    head, slash, tail = rest.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        registry, path = head, tail
    else:
        registry, path = HUB, rest
    before, colon, tag = path.rpartition(":")
    if colon and "/" not in tag:
        path = before
        if not tag:
            return None
    else:
        tag = "" if digest else "latest"
    if registry == HUB and "/" not in path:
        path = f"library/{path}"
    if registry == "index.docker.io":
        registry = HUB
    if not _HOST.fullmatch(registry) or not _PATH.fullmatch(path) or (tag and not _TAG.fullmatch(tag)):
        return None
    return Reference(registry, path, tag, digest)


def digest_of(text: str) -> str:
    """The digest in a name such as ``app@sha256:...``; empty without one."""
    digest = text.partition("@")[2]
    return digest if _DIGEST.fullmatch(digest) else ""
