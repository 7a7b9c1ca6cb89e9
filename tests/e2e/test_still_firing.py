"""An alert that goes on firing, on real parts: what is done about it without another word from Alertmanager."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.processes import Api, upkeeper
from tests.helpers import LONG, require_program, wait_until
from tests.ports import free_port_range

pytestmark = pytest.mark.servers

LIMIT = 1024**2
COOLDOWN = "3s"
LINES = "2026-01-01 a line like any other, and there are many\n" * 40_000
"""A log of 2 MB that packs to next to nothing."""


class House:
    """Log directories with a limit of 1 MiB each, and the config that names them."""

    def __init__(self, root: Path, *names: str) -> None:
        self.root = root
        self.names = names
        for name in names:
            (root / name).mkdir()

    def log(self, name: str) -> Path:
        return self.root / name / "app.log"

    def write(self, *remedies: dict[str, Any]) -> None:
        """Puts these remedies in force, as an editor replaces a file."""
        rotation = {"max_file_bytes": 65536}
        config = {
            "logs": [
                {"name": name, "path": str(self.root / name), "max_bytes": LIMIT, "rotation": rotation}
                for name in self.names
            ],
            "collectors": {
                "docker": {"enabled": False},
                "docker_usage": {"enabled": False},
                "logs": {"interval": "1s", "deadline": "1s"},
            },
            "schedule": {"jobs": []},
            "remedies": list(remedies),
        }
        draft = self.root / "upkeeper.new"
        draft.write_text(yaml.safe_dump(config))
        draft.rename(self.root / "upkeeper.yml")

    @contextmanager
    def stack(self) -> Iterator[Api]:
        """All four services on the config."""
        for variable, program in (
            ("UPKEEPER_PROMETHEUS", "prometheus"),
            ("UPKEEPER_ALERTMANAGER", "prometheus-alertmanager"),
        ):
            if variable not in os.environ:
                require_program(program, program)
        base, state = free_port_range(4), self.root / "state"
        arguments = ("--config", self.root / "upkeeper.yml", "--state-dir", state, "--port-base", str(base))
        with upkeeper("up", *arguments, log=self.root / "up.log"):
            yield Api(f"http://127.0.0.1:{base + 1}", state)


def remedy(name: str, directory: str, *, autonomy: str = "auto", **more: Any) -> dict[str, Any]:
    match = f'alertname="UpkeeperLogDirectoryOverLimit", directory="{directory}"'
    shape = {"name": name, "match": [match], "task": "log-rotation", "target": directory, "autonomy": autonomy}
    return {**shape, "cooldown": COOLDOWN, **more}


async def finished(api: Api, count: int) -> list[dict[str, Any]]:
    """The runs, oldest first, once so many have finished."""

    def runs() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = api.get("runs")["items"][::-1]
        return found if len(found) >= count and all(run["outcome"] for run in found[:count]) else None

    return await wait_until(runs, timeout=180, what=f"{count} finished runs")


def episode(api: Api, directory: str) -> dict[str, Any]:
    (found,) = [one for one in api.get("alerts")["items"] if one["labels"].get("directory") == directory]
    return found  # type: ignore[no-any-return]


@LONG
@pytest.mark.torture
async def test_a_run_that_helped_but_not_enough_is_followed_by_others_until_the_breaker_opens(tmp_path: Path) -> None:
    house = House(tmp_path, "app")
    house.write(remedy("rotate", "app"))
    house.log("app").write_text(LINES)
    (tmp_path / "app" / "noise.log").write_bytes(os.urandom(3 * LIMIT))  # packs to no less than it is
    with house.stack() as api:
        await wait_until(api.ready, timeout=180, what="the stack to be ready")
        for number in range(1, 4):
            run = (await finished(api, number))[number - 1]
            assert run["outcome"] == "ineffective"
            assert run["reason"].startswith("helped, not enough: ")
            assert run["freed_bytes"] > LIMIT
            house.log("app").write_text(LINES)  # and the service goes on writing
        held = await wait_until(
            lambda: next((one for one in api.get("decisions")["items"] if one["guard"] == "breaker"), None),
            what="the breaker to hold the fourth back",
        )
        assert held["due_at"] > held["at"]
        assert {run["alert_id"] for run in await finished(api, 3)} == {held["alert_id"]}
        assert episode(api, "app")["receptions"] == 1, "Alertmanager has said it once"


@LONG
@pytest.mark.torture
async def test_the_next_remedy_has_its_turn_and_one_that_observed_acts_when_it_is_told_to(tmp_path: Path) -> None:
    house = House(tmp_path, "app", "web")
    first = remedy("elsewhere", "app", target="web")
    house.write(first, remedy("here", "app", autonomy="observe"))
    house.log("app").write_text(LINES)
    with house.stack() as api:
        await wait_until(api.ready, timeout=180, what="the stack to be ready")
        tried = await finished(api, 2)
        assert [(run["remedy"], run["outcome"]) for run in tried[:2]] == [
            ("elsewhere", "nothing-to-do"),
            ("here", "planned"),
        ]
        house.write(first, remedy("here", "app"))
        effective = await wait_until(
            lambda: next((run for run in api.get("runs")["items"] if run["outcome"] == "effective"), None),
            timeout=180,
            what="the second remedy to act",
        )
        assert (effective["remedy"], effective["alert_id"]) == ("here", tried[0]["alert_id"])
        await wait_until(lambda: episode(api, "app")["status"], equals="resolved", timeout=180, what="the alert to end")
        tracks = {one["name"]: one["track"] for one in api.get("remedies")["items"]}
        assert tracks["here"] == {"runs": 1, "effective": 1, "plans": 1, "would_act": 1}
        assert episode(api, "app")["due_at"] is None
