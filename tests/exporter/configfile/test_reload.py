"""Reading the config again."""

import asyncio
import itertools
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.configfile import reload
from exporter.configfile.problem import ConfigError, Problem
from exporter.configfile.reload import ConfigWatch
from tests.exporter.fakes import FakeClock
from tests.helpers import wait_until

pytestmark = pytest.mark.slow

LOOK = 0.05


class Reloads:
    """Counts reloads; raises ``error`` if there is one."""

    def __init__(self) -> None:
        self.count = 0
        self.error: Exception | None = None

    async def __call__(self) -> None:
        self.count += 1
        if self.error is not None:
            raise self.error


@asynccontextmanager
async def watching(watch: ConfigWatch) -> AsyncIterator[None]:
    task = asyncio.ensure_future(watch.run())
    try:
        await asyncio.sleep(0)
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def values(watch: ConfigWatch) -> dict[str, float]:
    return {
        sample.name.removeprefix("upkeeper_config_last_reload_"): float(sample.value)
        for family in watch.families()
        for sample in family.samples
    }


def bad_config() -> ConfigError:
    wrong = ("logs", 3), ("notify", 7)
    return ConfigError([Problem("upkeeper.yml", line, None, key, "is wrong") for key, line in wrong])


async def test_having_started_counts_as_the_first_success() -> None:
    assert values(ConfigWatch(None, Reloads(), wall=FakeClock(5))) == {"successful": 1, "success_timestamp_seconds": 5}


async def test_a_request_is_what_sighup_makes() -> None:
    reloads, clock = Reloads(), FakeClock(5)
    watch = ConfigWatch(None, reloads, wall=clock)
    async with watching(watch):
        clock.now = 10
        os.kill(os.getpid(), signal.SIGHUP)
        await wait_until(lambda: reloads.count, equals=1)
        await wait_until(lambda: values(watch)["success_timestamp_seconds"], equals=10)
        watch.request()
        await wait_until(lambda: reloads.count, equals=2)


async def test_a_bad_config_is_told_once_and_success_comes_back() -> None:
    reloads, clock, changes = Reloads(), FakeClock(5), []
    watch = ConfigWatch(None, reloads, changed=lambda: changes.append(1), wall=clock)
    async with watching(watch):
        reloads.error = bad_config()
        clock.now = 10
        with capture_logs() as logs:
            watch.request()
            await wait_until(lambda: changes)
        assert values(watch) == {"successful": 0, "success_timestamp_seconds": 5}
        both = "upkeeper.yml:3: logs: is wrong; upkeeper.yml:7: notify: is wrong"
        assert [(line["log_level"], line["error"]) for line in logs] == [("error", both)]
        reloads.error = RuntimeError("a bug")
        watch.request()
        await wait_until(lambda: len(changes), equals=2)
        assert values(watch)["successful"] == 0
        reloads.error = None
        watch.request()
        await wait_until(lambda: values(watch), equals={"successful": 1, "success_timestamp_seconds": 10})


async def test_a_changed_file_is_read_again_however_it_was_changed(tmp_path: Path) -> None:
    path, reloads = tmp_path / "upkeeper.yml", Reloads()
    path.write_text("a: 1")
    async with watching(ConfigWatch(path, reloads, look_seconds=LOOK)):
        path.write_text("a: 2")
        await wait_until(lambda: reloads.count, equals=1)
        (tmp_path / "draft").write_text("a: 3")
        (tmp_path / "draft").replace(path)
        await wait_until(lambda: reloads.count, equals=2)
        path.unlink()
        path.write_text("a: 4")
        await wait_until(lambda: reloads.count, equals=3)


async def test_a_change_is_noticed_by_its_event(tmp_path: Path) -> None:
    """Nobody looks without one here. Writes until the watch, which says not when it has begun, is there to see it."""
    path, reloads, writes = tmp_path / "upkeeper.yml", Reloads(), itertools.count()

    def noticed() -> bool:
        path.write_text(f"a: {next(writes)}")
        return reloads.count > 0

    async with watching(ConfigWatch(path, reloads, look_seconds=3600)):
        await wait_until(noticed)


async def test_a_config_map_swaps_a_symlink(tmp_path: Path) -> None:
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "upkeeper.yml").write_text(f"a: {version}")
    (tmp_path / "data").symlink_to("1")
    (tmp_path / "upkeeper.yml").symlink_to("data/upkeeper.yml")
    reloads = Reloads()
    async with watching(ConfigWatch(tmp_path / "upkeeper.yml", reloads, look_seconds=LOOK)):
        (tmp_path / "new").symlink_to("2")
        (tmp_path / "new").replace(tmp_path / "data")
        await wait_until(lambda: reloads.count, equals=1)


async def test_neighbours_and_a_mere_touch_are_no_change(tmp_path: Path) -> None:
    path, reloads = tmp_path / "upkeeper.yml", Reloads()
    path.write_text("a: 1")
    async with watching(ConfigWatch(path, reloads, look_seconds=LOOK)):
        (tmp_path / "other.yml").write_text("b: 1")
        path.touch()
        path.write_text("a: 1")
        path.write_text("a: 2")
        await wait_until(lambda: reloads.count)
        (tmp_path / "other.yml").write_text("b: 2")
        path.write_text("a: 3")
        await wait_until(lambda: reloads.count, equals=2)


async def test_a_directory_that_cannot_be_watched_leaves_sighup(tmp_path: Path) -> None:
    reloads = Reloads()
    watch = ConfigWatch(tmp_path / "nowhere" / "upkeeper.yml", reloads)
    with capture_logs() as logs:
        async with watching(watch):
            await wait_until(lambda: [line for line in logs if "not watched" in line["event"]])
            watch.request()
            await wait_until(lambda: reloads.count, equals=1)


async def test_a_file_system_that_hangs_holds_up_nobody_and_costs_one_thread_of_each_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, reloads, release = tmp_path / "upkeeper.yml", Reloads(), threading.Event()
    reads: list[threading.Thread] = []
    path.write_text("a: 1")
    watch = ConfigWatch(path, reloads, look_seconds=LOOK)
    digest = watch._digest  # the file is the same afterwards

    def hang(_: Path | None) -> str | None:
        reads.append(threading.current_thread())
        release.wait()
        return digest

    monkeypatch.setattr(reload, "DIGEST_SECONDS", 0.05)
    monkeypatch.setattr(reload, "_digest", hang)
    try:
        async with watching(watch):
            watch.request()
            await wait_until(lambda: values(watch)["successful"], equals=0)
            watch.request()
            await wait_until(lambda: len(reads), equals=2)
            assert threading.main_thread() not in reads
            assert reloads.count == 0
            release.set()
            await wait_until(lambda: reloads.count > 0)
            assert len(reads) > 2
    finally:
        release.set()
