"""docker-cleanup of many stopped containers and images without a tag, beside ``docker system prune``.

``UPKEEPER_BENCH_OBJECTS`` says how many there are, half of each, 1000 unless given. Each of the two has an engine of
its own with the same objects, on which the other has not worked.
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from bench.processes import our_versions
from bench.report import Goal, Result, Skipped
from exporter.base import programs
from exporter.docker.engine import DockerEngine
from exporter.inventory.docker import CleanupPolicy, Docker
from remediator.model.task import Action
from remediator.runs.steps import AT_ONCE
from remediator.tasks.docker_cleanup.task import DockerCleanup
from tests.docker_images import built_image
from tests.dockerd import Dockerd, private_dockerd

OBJECTS = int(os.environ.get("UPKEEPER_BENCH_OBJECTS", "1000"))
COMMAND = "python -m bench cleanup"
_ANY_AGE = CleanupPolicy(containers_min_age=0.0, images_min_age=0.0, networks_min_age=0.0, build_cache_min_age=0.0)


def fill(dockerd: Dockerd) -> None:
    """Containers that were never started, and images of one layer of their own."""
    api = dockerd.client.api
    base = dockerd.import_busybox()
    for number in range(OBJECTS // 2):
        api.create_container(base, ["true"], name=f"bench-{number}", host_config=api.create_host_config())
        layer = {"file": f"{number} ".encode() * 2000}
        for line in api.load_image(built_image([layer], {}, time.time() - 86400 - number)):
            if "error" in line:
                raise RuntimeError(str(line["error"]))


def left(dockerd: Dockerd) -> int:
    """Objects that are there, without the image that is not to go."""
    api = dockerd.client.api
    return len(api.containers(all=True)) + len(api.images(filters={"dangling": True}))


async def ours(dockerd: Dockerd) -> float:
    """Seconds of planning and doing all of it."""
    engine = DockerEngine(dockerd.host)
    try:
        task = DockerCleanup(engine, Docker(cleanup=_ANY_AGE))
        began = time.monotonic()
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(action: Action) -> None:
            async with turns:
                effect = await task.apply("docker", action)
            if effect.state != "done":
                raise RuntimeError(f"{action.object}: {effect.detail}")

        actions = list((await task.plan("docker")).actions)
        while actions:  # as a run does them
            count = task.together(actions[: task.most_together])
            await asyncio.gather(*map(one, actions[:count]))
            del actions[:count]
        return time.monotonic() - began
    finally:
        engine.close()


async def peers(dockerd: Dockerd, client: str) -> float:
    """Seconds of ``docker system prune``."""
    began = time.monotonic()
    done = await programs.run(
        [client, "system", "prune", "--force"], environment={"DOCKER_HOST": dockerd.host}, polite=False
    )
    if done.status != 0:
        raise RuntimeError(f"docker system prune: {done.complaint}")
    return time.monotonic() - began


async def run() -> AsyncIterator[Result]:
    """The time of both."""
    client = next((path for path in ("/usr/bin/docker", shutil.which("docker") or "") if os.access(path, os.X_OK)), "")
    if not client:
        raise Skipped("docker is not installed (Debian package docker.io)")
    seconds = {}
    version = ""
    for who in ("ours", "peer"):
        with tempfile.TemporaryDirectory(prefix="b-", dir="/tmp") as name, private_dockerd(Path(name) / "e") as dockerd:
            version = dockerd.client.version()["Version"]
            fill(dockerd)
            seconds[who] = await (ours(dockerd) if who == "ours" else peers(dockerd, client))
            if left(dockerd):
                raise RuntimeError(f"{left(dockerd)} objects are left by {who}")
    yield Result(
        name=f"cleanup of {OBJECTS // 2} containers and {OBJECTS // 2} images",
        ours=seconds["ours"],
        peer=seconds["peer"],
        peer_name="docker system prune",
        unit="s",
        goal=Goal("ratio", "<=", 1.2),
        command=COMMAND,
        versions=our_versions() | {"Docker": version},
        notes=["Ours plans, and looks at each object again before it goes; nothing is left by either."],
    )
