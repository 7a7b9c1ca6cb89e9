"""Which remediator a command works with, and the endpoints of the stack."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.base.file_lock import lock_file
from remediator import endpoints
from remediator.endpoints import Endpoints, url_of
from remediator.model.errors import EXIT_USAGE, ClientError, NoRoom
from remediator.model.shapes.tasks import TaskView
from remediator.statedir import StateDir
from tests.filesystems import mounted
from tests.ports import free_port
from tests.smalldisk import fill
from tests.upkeeper.conftest import Remote
from tests.upkeeper.shapes import NOW
from upkeeper.client.connect import running_url
from upkeeper.client.targets import only_target
from upkeeper.look.status import ServiceView, problems


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path)


@contextmanager
def held(lock: Path) -> Iterator[None]:
    descriptor = lock_file(lock)
    try:
        yield
    finally:
        os.close(descriptor)


async def test_the_url_of_the_one_that_runs_is_the_one_that_was_written(remote: Remote) -> None:
    state = remote.stack.core.state
    endpoints.write(state.root, Endpoints(remediator=remote.url))
    assert await running_url(state) is None  # nobody holds the lock
    with held(state.lock):
        assert await running_url(state) == remote.url
        endpoints.write(state.root, Endpoints(remediator=f"http://127.0.0.1:{free_port()}"))
        assert await running_url(state) is None  # a command that works by itself holds it, and has no URL


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ext4", "xfs", "tmpfs"])
def test_on_a_full_disk_what_was_written_down_stays(tmp_path: Path, kind: str) -> None:
    """Where there is no ballast any more."""
    sizes = {"ext4": 16, "xfs": 320, "tmpfs": 1}
    before, after = (
        Endpoints(remediator="http://127.0.0.1:1"),
        Endpoints("http://e", "http://r", "http://p", "http://a"),
    )
    with mounted(tmp_path / "disk", kind, sizes[kind] * 1024 * 1024) as disk:
        endpoints.write(disk, before)
        fill(disk)
        with pytest.raises(NoRoom, match="is full"):
            endpoints.write(disk, after)
        assert endpoints.read(disk) == before
        endpoints.remove(disk)
        assert endpoints.read(disk) is None


def test_endpoints_are_read_as_written(state: StateDir) -> None:
    assert endpoints.read(state.root) is None
    whole = Endpoints("http://e", "http://r", "http://p", "http://a")
    endpoints.write(state.root, whole)
    assert endpoints.read(state.root) == whole
    endpoints.update(state.root, remediator="http://other", alertmanager=None)
    assert endpoints.read(state.root) == Endpoints("http://e", "http://other", "http://p", None)
    assert [path.name for path in state.root.iterdir()] == [endpoints.FILE]
    endpoints.remove(state.root)
    endpoints.remove(state.root)
    assert endpoints.read(state.root) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "\x00"])
def test_a_damaged_file_counts_as_none(state: StateDir, text: str) -> None:
    (state.root / endpoints.FILE).write_text(text)
    assert endpoints.read(state.root) is None


def test_an_older_command_reads_a_newer_file(state: StateDir) -> None:
    document = {"exporter": "http://e/", "loki": "http://l", "prometheus": 7}
    (state.root / endpoints.FILE).write_text(json.dumps(document))
    assert endpoints.read(state.root) == Endpoints(exporter="http://e")


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:10747", "http://127.0.0.1:10747"),
        ("0.0.0.0:1", "http://127.0.0.1:1"),
        (":1", "http://127.0.0.1:1"),
        ("[::]:1", "http://127.0.0.1:1"),
        ("[::1]:1", "http://[::1]:1"),
        ("192.0.2.1:1", "http://192.0.2.1:1"),
    ],
)
def test_url_of_an_address(listen: str, url: str) -> None:
    assert url_of(listen) == url


def task(name: str, *targets: str) -> TaskView:
    facts = {"name": name, "summary": "", "never": [], "disruption": "none", "parameters": []}
    return {**facts, "targets": list(targets)}  # type: ignore[typeddict-item]


TASKS = [
    task("sweep", "attic"),
    task("look", "all", "a", "b"),
    task("rotate", "x", "y"),
    task("clean"),
    task("one-log", "app", "upkeeper-drill"),
    task("no-log", "upkeeper-drill"),
]


@pytest.mark.parametrize(("name", "target"), [("sweep", "attic"), ("look", "all"), ("one-log", "app")])
def test_the_target_that_goes_without_saying(name: str, target: str) -> None:
    assert only_target(TASKS, name) == target


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rotate", "rotate has 2 targets, name one: x, y"),
        ("clean", "clean has no target: nothing of its kind is configured"),
        ("no-log", "no-log has no target"),
        ("sweeep", "there is no task 'sweeep'; did you mean sweep?"),
        ("zzz", "known tasks: clean, look, no-log, one-log, rotate, sweep"),
    ],
)
def test_no_telling_which_target(name: str, message: str) -> None:
    with pytest.raises(ClientError, match=message.replace("?", r"\?")) as caught:
        only_target(TASKS, name)
    assert caught.value.exit_code == EXIT_USAGE


def service(name: str, up: bool, url: str | None = "http://x") -> ServiceView:
    return {"name": name, "url": url, "up": up, "detail": "" if up else "connection refused"}


def test_what_a_person_should_look_at() -> None:
    good = [service("exporter", True), service("remediator", True)]
    assert problems(good, []) == []
    assert problems(
        [service("exporter", False), service("prometheus", False), service("remediator", False, None)],
        [{"task": "sweep", "target": "attic", "since": NOW}],
    ) == [
        "the exporter is down: connection refused",
        "Prometheus is down: connection refused",
        "the remediator is not running: start it by `upkeeper up`, or `upkeeper remediator` beside your own Prometheus",
        "the breaker of sweep on attic is open: the last runs did not help",
    ]
