"""kill -9 of a real remediator: what it answered 202 for happens all the same, once, and no line is lost."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.processes import Api, firing, upkeeper
from tests.helpers import LONG, wait_until
from tests.ports import free_port

pytestmark = pytest.mark.servers

LINE = "2026-01-01T00:00:00Z INFO request served path=/api/v1/items/{number:012d} status=200 bytes=1834\n"


class Host:
    """A state directory, a config with one log directory over its limit, and a port for the remediator."""

    def __init__(self, root: Path, lines: int) -> None:
        self.logs = root / "logs"
        self.logs.mkdir()
        text = "".join(LINE.format(number=number) for number in range(lines))
        (self.logs / "app.log").write_text(text)
        self.lines = lines
        self.config = root / "upkeeper.yml"
        directory = {
            "name": "app",
            "path": str(self.logs),
            "max_bytes": len(text) // 2,
            "rotation": {"max_file_bytes": "32KiB", "method": "rename"},
        }
        self.config.write_text(
            yaml.safe_dump(
                {"logs": [directory], "schedule": {"jobs": []}, "collectors": {"docker": {"enabled": False}}}
            )
        )
        self.state = root / "state"
        self.port = free_port()
        self.log = root / "remediator.log"
        self.api = Api(f"http://127.0.0.1:{self.port}", self.state)

    def remediator(self) -> "Iterator[object]":
        return upkeeper(
            "remediator", "--config", self.config, "--state-dir", self.state, "--listen", f"127.0.0.1:{self.port}",
            log=self.log,
        )  # fmt: skip

    def breach(self) -> None:
        answer = self.api.post_alerts(
            firing("00000000000000aa", alertname="UpkeeperLogDirectoryOverLimit", directory="app")
        )
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1})

    def kept_lines(self) -> list[str]:
        found: list[str] = []
        for path in self.logs.iterdir():
            text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            found += text.decode().splitlines(keepends=True)
        return sorted(found)

    def runs(self) -> list[dict[str, object]]:
        runs: list[dict[str, object]] = self.api.get("runs")["items"]
        return runs

    async def finished_run(self) -> dict[str, object]:
        await wait_until(lambda: [run for run in self.runs() if run["outcome"]], what="a finished run")
        (run,) = self.runs()
        return run


async def test_killed_right_after_202_the_run_happens_once_after_the_restart(tmp_path: Path) -> None:
    host = Host(tmp_path, lines=2000)
    with host.remediator() as process:
        await wait_until(host.api.ready, what="the remediator to be ready")
        host.breach()
        process.kill()
        process.wait()
    with host.remediator():
        await wait_until(host.api.ready)
        run = await host.finished_run()
        assert run["outcome"] == "effective"
        host.breach()
        await wait_until(lambda: host.api.get("alerts")["items"][0]["receptions"], equals=2)
        assert [one["id"] for one in host.runs()] == [run["id"]]
    assert host.kept_lines() == [LINE.format(number=number) for number in range(host.lines)]


@LONG
@pytest.mark.torture
@pytest.mark.parametrize("state", ["planning", "applying"])
async def test_killed_in_the_middle_the_run_is_finished_after_the_restart(tmp_path: Path, state: str) -> None:
    host = Host(tmp_path, lines=2_000_000)
    with host.remediator() as process:
        await wait_until(host.api.ready)
        host.breach()
        await wait_until(lambda: any(run["state"] in (state, "applying") for run in host.runs()), what=f"a run {state}")
        process.kill()
        process.wait()
    with host.remediator():
        await wait_until(host.api.ready)
        run = await host.finished_run()
        assert run["outcome"] == "effective", run["reason"]
    assert host.kept_lines() == [LINE.format(number=number) for number in range(host.lines)]


@LONG
@pytest.mark.torture
async def test_stopped_in_the_middle_it_goes_on_after_the_restart(tmp_path: Path) -> None:
    host = Host(tmp_path, lines=2_000_000)
    with host.remediator():
        await wait_until(host.api.ready)
        host.breach()
        await wait_until(lambda: any(run["state"] == "applying" for run in host.runs()), what="a run under way")
    assert "Traceback" not in host.log.read_text()
    with host.remediator():
        await wait_until(host.api.ready)
        assert (await host.finished_run())["outcome"] == "effective"
    assert host.kept_lines() == [LINE.format(number=number) for number in range(host.lines)]


async def test_a_second_remediator_on_the_same_state_is_refused(tmp_path: Path) -> None:
    host = Host(tmp_path, lines=10)
    with host.remediator():
        await wait_until(host.api.ready)
        other = tmp_path / "second.log"
        with upkeeper("remediator", "--config", host.config, "--state-dir", host.state, "--listen",
                      f"127.0.0.1:{free_port()}", log=other) as second:  # fmt: skip
            assert second.wait(120) == 2
        assert "another remediator is working on" in other.read_text()
