"""What systemd is told, on a real datagram socket."""

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.base.notify import Notifier
from tests.helpers import wait_until
from tests.manager_socket import ManagerSocket, manager_socket


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ManagerSocket]:
    with manager_socket(tmp_path) as listening:
        yield listening


async def test_a_start_asks_for_time_until_it_is_ready_and_beats_all_along(manager: ManagerSocket) -> None:
    notifier = Notifier.of({**manager.environ(watchdog=0.03)})
    notifier.start()
    await wait_until(lambda: manager.listen().count("WATCHDOG=1") > 2)
    assert manager.heard[:2] == ["EXTEND_TIMEOUT_USEC=60000000", "WATCHDOG=1"]
    notifier.status("no room\non the disk")
    notifier.ready("listening")
    heard = len(manager.listen())
    assert manager.heard[-3:] == ["STATUS=no room on the disk", "READY=1", "STATUS=listening"]
    await wait_until(lambda: len(manager.listen()) > heard + 3)
    notifier.stopping()
    await notifier.close()
    assert set(manager.listen()[heard:]) == {"WATCHDOG=1", "STOPPING=1", "STATUS="}
    await asyncio.sleep(0.05)
    assert len(manager.listen()) == len(manager.heard), "it is silent once it has been closed"


async def test_a_loop_that_hangs_is_silent(manager: ManagerSocket) -> None:
    notifier = Notifier.of({**manager.environ(watchdog=0.03)})
    notifier.start()
    await wait_until(lambda: "WATCHDOG=1" in manager.listen())
    before = len(manager.heard)
    time.sleep(0.2)
    assert len(manager.listen()) == before
    await wait_until(lambda: len(manager.listen()) > before, what="the beat, once it goes on")
    await notifier.close()


async def test_without_a_watchdog_there_is_no_beat(manager: ManagerSocket) -> None:
    notifier = Notifier.of({**manager.environ()})
    notifier.start()
    await wait_until(manager.listen)
    notifier.ready()
    await notifier.close()
    assert "WATCHDOG=1" not in manager.listen()


async def test_an_abstract_socket() -> None:
    name = f"upkeeper-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        Notifier(f"@{name}").ready("up")
        assert listening.recv(100) == b"READY=1\nSTATUS=up"


def test_the_variables_are_not_passed_on_and_a_watchdog_of_another_process_is_not_ours() -> None:
    for pid, ours in ((str(os.getpid()), True), (str(os.getpid() + 1), False), ("", True)):
        environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": pid, "HOME": "/"}
        assert Notifier.of(environ)._watchdog == (2.0 if ours else None)
        assert environ == {"HOME": "/"}
    for microseconds in ("", "0", "-1", "soon"):
        assert Notifier.of({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": microseconds})._watchdog is None
    assert Notifier.of({"WATCHDOG_USEC": "2000000"})._watchdog is None


async def test_where_nobody_listens_nothing_fails_and_it_is_said_once(tmp_path: Path) -> None:
    gone = Notifier(str(tmp_path / "gone"))
    with capture_logs() as logs:
        gone.ready()
        gone.stopping()
    assert [line["event"] for line in logs] == ["cannot tell systemd"]
    alone = Notifier.of({})
    alone.start()
    alone.ready()
    await alone.close()
