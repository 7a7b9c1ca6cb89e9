"""Whether an image can be had again. The inspections are those of real engines, cut to what matters."""

import pytest

from exporter.docker.image_origins import origin_of

CLASSIC_RUN = {"Hostname": "", "Cmd": ["/bin/sh", "-c", "echo one > /one"], "Image": "sha256:4dbf"}


@pytest.mark.parametrize(
    ("inspected", "digests", "origin"),
    [
        ({"Comment": "Imported from -", "ContainerConfig": {"Cmd": None}}, [], ""),
        ({"Comment": "Imported from -", "ContainerConfig": {"Cmd": None}}, ["app@sha256:1"], "pulled"),
        ({"Comment": "mine"}, [], ""),
        ({"Comment": ""}, [], ""),
        ({}, [], ""),
        ({"Comment": "buildkit.dockerfile.v0"}, [], "built"),
        ({"Comment": None, "ContainerConfig": None, "Identity": None}, [], ""),
        ({"Comment": "bazel build ...", "Identity": {"Pull": [{"Repository": "docker.io/library/app"}]}}, [], "pulled"),
        ({"Comment": "Imported from -", "Identity": {"Build": [{"Ref": "gp3x"}]}}, [], "built"),
        ({"ContainerConfig": {"Cmd": ["/bin/sh", "-c", "#(nop) ", 'CMD ["sh"]'], "Image": "sha256:ead4"}}, [], "built"),
        ({"ContainerConfig": CLASSIC_RUN}, [], "built"),
        # Committed, from a container of a name, and from one of an image's id.
        ({"ContainerConfig": {**CLASSIC_RUN, "Hostname": "de9615412bfa", "Image": "busybox:1"}}, [], ""),
        ({"ContainerConfig": {**CLASSIC_RUN, "Hostname": "a1fb5e6090ab"}}, [], ""),
    ],
)
def test_origins(inspected: dict[str, object], digests: list[str], origin: str) -> None:
    assert origin_of(inspected, digests) == origin
