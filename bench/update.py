"""How long one service is away for the update of its image, beside Compose by hand.

From the end of the former container to the start of the new one, as the engine's events tell, for image-update and for
``docker compose pull && docker compose up -d`` of the same service, in turns; and the whole time of both.
``UPKEEPER_BENCH_TURNS`` says how many turns there are of each, 12 unless given.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.processes import our_versions
from bench.report import Goal, Result, Skipped
from bench.stats import percentile
from tests.compose import require_compose
from tests.dockerd import Dockerd, private_dockerd
from tests.registry import Registry, running_registry
from tests.remediator.tasks.image_update.house import FAST, House, states, updated

TURNS = int(os.environ.get("UPKEEPER_BENCH_TURNS", "12"))
COMMAND = "python -m bench update"


@asynccontextmanager
async def house(directory: Path) -> AsyncIterator[House]:
    """A project of one service that is up. Raises Skipped where that cannot be had."""
    try:
        program = require_compose()[-1].program
        with private_dockerd(directory / "e") as dockerd:
            async with running_registry(directory) as registry:
                yield _up(directory, dockerd, registry, program)
    except (pytest.skip.Exception, pytest.fail.Exception) as reason:
        raise Skipped(str(reason.msg)) from None


def _up(directory: Path, dockerd: Dockerd, registry: Registry, program: str) -> House:
    made = House(directory, dockerd, registry, program)
    made.push()
    made.up()
    return made


def away(dockerd: Dockerd, since: float) -> float:
    """Seconds between the end of the one container and the start of the other."""
    events = dockerd.client.api.events(
        since=since - 1, until=time.time() + 1, decode=True, filters={"type": "container", "event": ["die", "start"]}
    )
    found = [(event["Action"], event["timeNano"] / 1e9) for event in events if event["timeNano"] / 1e9 >= since]
    (ended,) = [at for action, at in found if action == "die"]
    (started,) = [at for action, at in found if action == "start"]
    return float(started - ended)


async def run() -> AsyncIterator[Result]:
    """How long the service is away, and how long it takes in all."""
    times: dict[str, list[tuple[float, float]]] = {"ours": [], "peer": []}
    with tempfile.TemporaryDirectory(prefix="b-", dir="/tmp") as name:
        async with house(Path(name)) as made:
            version = made.dockerd.client.version()["Version"]
            for _ in range(TURNS):
                for who, found in times.items():
                    made.push()
                    began, clock = time.time(), time.monotonic()
                    if who == "ours":
                        done = states(await updated(made.task(patience=FAST)))
                        if done != ["done", "done"]:
                            raise RuntimeError(f"not updated: {done}")
                    else:
                        await asyncio.to_thread(made.compose, "pull", "-q", "app")
                        await asyncio.to_thread(made.compose, "up", "-d", "app")
                    whole = time.monotonic() - clock
                    found.append((away(made.dockerd, began), whole))
            made.close()
    versions = our_versions() | {"Docker": version}
    peer = "docker compose pull && up -d"
    for number, (title, goal) in enumerate((
        ("downtime of an image update", Goal("ratio", "<=", 1.1)),
        ("whole image update, watched for 0.3 s", None),
    )):  # fmt: skip
        yield Result(
            name=title,
            ours=percentile([each[number] for each in times["ours"]], 50),
            peer=percentile([each[number] for each in times["peer"]], 50),
            peer_name=peer,
            unit="s",
            goal=goal,
            command=COMMAND,
            versions=versions,
            notes=[f"The median of {TURNS} turns of each, one after the other; the service ends at once when told to."],
        )
