"""Whether an image could be had again, by what the engine's inspection of it tells. Pure.

An image without a tag that was imported, loaded or committed exists nowhere else.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

Origin = Literal["pulled", "built", ""]

_BUILDKIT = "buildkit."
_CLASSIC_STEP = "#(nop)"
"""With this the classic builder marks steps that ran nothing: ``/bin/sh -c #(nop) CMD ...``."""


def origin_of(inspected: Mapping[str, Any], digests: Sequence[str]) -> Origin:
    """Where it came from; empty when nothing tells, as of what was imported or committed.

    digests: its names in registries. On the containerd store local tags have such names too, but they end with the tag;
    there ``Identity`` tells, from API 1.53 on.
    """
    identity = inspected.get("Identity") or {}
    if identity.get("Pull") or digests:
        return "pulled"
    if identity.get("Build") or str(inspected.get("Comment") or "").startswith(_BUILDKIT):
        return "built"
    return "built" if _by_the_classic_builder(inspected.get("ContainerConfig") or {}) else ""


def _by_the_classic_builder(last_step: Mapping[str, Any]) -> bool:
    """Its steps run in containers without a host name, made from an image's id. A committed container has a host name.

    The command alone does not tell: ``RUN x`` and a committed ``docker run ... /bin/sh -c x`` have the same.
    """
    if any(str(part).startswith(_CLASSIC_STEP) for part in last_step.get("Cmd") or ()):
        return True
    return str(last_step.get("Image") or "").startswith("sha256:") and not last_step.get("Hostname")
