"""``upkeeper sandbox``: what a crash left behind is listed and removed, and nothing else is."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from remediator.sandbox.labels import labels
from tests.dockerd import Dockerd
from tests.upkeeper.commandline import Done, invoke

pytestmark = pytest.mark.servers


async def run(config: Path, *arguments: str) -> Done:
    return await invoke("sandbox", *arguments, "--config", str(config), env={"UPKEEPER_STATE_DIR": str(config.parent)})


@pytest.fixture
def config(clean_dockerd: Dockerd, tmp_path: Path) -> Path:
    """Of an engine with a sandbox that was left behind, one in use, and a network of somebody else."""
    api = clean_dockerd.client.api
    for name, until in (("s-old", 1000.0), ("s-new", time.time() + 3600)):
        its = labels(name, "disaster-recovery-test pa", until)
        api.create_network(name, internal=True, labels=its)
        api.create_volume(f"{name}-data", labels=its)
    api.create_network("theirs")
    path = tmp_path / "upkeeper.yml"
    path.write_text(f"docker: {{host: {clean_dockerd.host}}}\n")
    return path


def networks(dockerd: Dockerd) -> set[str]:
    return {each["Name"] for each in dockerd.client.api.networks()} & {"s-old", "s-new", "theirs"}


async def test_what_was_left_behind_is_listed_and_removed(config: Path, clean_dockerd: Dockerd) -> None:
    listed = await run(config, "list")
    assert "left behind" in listed.out
    found: dict[str, Any] = json.loads((await run(config, "list", "--json")).out)
    assert [(one["name"], one["left_behind"]) for one in found["items"]] == [("s-new", False), ("s-old", True)]
    assert found["items"][1]["ends_at"] == "1970-01-01T00:16:40Z"

    cleaned = await run(config, "clean")
    assert cleaned.out.splitlines() == [
        "removed s-old: 1 network, 1 volume", "1 sandbox in use; --all ends those too",
    ]  # fmt: skip
    assert networks(clean_dockerd) == {"s-new", "theirs"}
    again = json.loads((await run(config, "clean", "--json")).out)
    assert again == {"items": [], "next": None}
    await run(config, "clean", "--all")
    assert networks(clean_dockerd) == {"theirs"}
    assert (await run(config, "list")).out == "there are no sandboxes\n"


async def test_what_the_engine_says_against_it_is_one_error(config: Path, clean_dockerd: Dockerd) -> None:
    clean_dockerd.import_busybox()
    from tests.docker_images import BUSYBOX

    user = clean_dockerd.client.containers.create(BUSYBOX, ["true"], volumes={"s-old-data": {"bind": "/data"}})
    done = await run(config, "clean")
    assert done.status == 1
    assert "cannot remove volume s-old-data" in done.err
    assert "try again: upkeeper sandbox clean" in done.err
    assert networks(clean_dockerd) == {"s-new", "theirs"}, "the rest is gone"
    user.remove()
    assert (await run(config, "clean")).status == 0


async def test_an_engine_that_is_not_there_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "upkeeper.yml"
    path.write_text("docker: {host: unix:///nowhere/docker.sock}\n")
    done = await run(path, "list")
    assert done.status == 1
    assert "cannot reach the Docker engine" in done.err
