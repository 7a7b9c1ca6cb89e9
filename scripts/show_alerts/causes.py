"""The real cause of each alert, and what mends it, by what is hit. The cases of one group come one after the other."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scripts.show_alerts.machine import MIB, Machine, a_set
from scripts.show_alerts.stack import Act, Case, Stack
from tests.postgres_server import PostgresServer

Group = Sequence[Case]


def at_once(machine: Machine, config: Path) -> Sequence[Group]:
    """Groups that leave each other alone. config: the file that is in force."""
    return [
        _service(machine.service), *_logs(machine.root), *_backups(machine.root), _disk(machine.disk),
        _postgres(machine.postgres), _docker(machine), _config(config),
    ]  # fmt: skip


def at_last(stack: Stack) -> Group:
    """Of what measures, acts and tells itself: nothing else can be shown meanwhile."""

    def signalled(name: str, number: signal.Signals) -> Act:
        return lambda: os.kill(stack.process(name), number)

    def stopped(name: str) -> tuple[Act, Act]:
        return signalled(name, signal.SIGSTOP), signalled(name, signal.SIGCONT)

    return [
        Case("UpkeeperExporterDown", "the exporter was stopped (SIGSTOP)", *stopped("exporter")),
        Case("UpkeeperRemediatorDown", "the remediator was stopped (SIGSTOP)", *stopped("remediator")),
        Case("UpkeeperWatchdogLost", "Alertmanager was stopped (SIGSTOP): it can tell nobody either",
             *stopped("alertmanager"), mailed=False),
    ]  # fmt: skip


def _fill(path: Path, size: int) -> Act:
    return lambda: path.write_bytes(os.urandom(size))


def _in_thread(act: Callable[[], object]) -> Act:
    async def acting() -> None:
        await asyncio.to_thread(act)

    return acting


def _service(service: dict[str, int]) -> Group:
    return [
        Case("UpkeeperServiceDown", "the service answers 503", lambda: service.update(status=503),
             lambda: service.update(status=200)),
    ]  # fmt: skip


def _logs(root: Path) -> Sequence[Group]:
    log, asked, gone, elsewhere = (root / name for name in ("logs/app.log", "asked/app.log", "gone", "elsewhere"))
    return [
        [
            Case("UpkeeperLogDirectoryOverLimit", "3 MiB in a log directory of at most 2 MiB", _fill(log, 3 * MIB),
                 log.unlink),
            Case("UpkeeperApprovalWaiting", "another is over its limit, and its remedy asks first",
                 _fill(asked, 3 * MIB), asked.unlink),
        ],
        [
            Case("UpkeeperLogDirectoryMissing", "a log directory was moved away",
                 lambda: gone.rename(elsewhere), lambda: elsewhere.rename(gone)),
        ],
    ]  # fmt: skip


def _backups(root: Path) -> Sequence[Group]:
    backups, small = root / "backups", root / "small"
    return [
        [
            Case("UpkeeperBackupOverdue", "the newest set is two days old", _replace_set(backups, MIB, 2 * 86400),
                 _replace_set(backups, MIB)),
        ],
        [
            Case("UpkeeperBackupTooSmall", "the newest set has 1 KiB", _replace_set(small, 1024),
                 _replace_set(small, MIB)),
        ],
    ]  # fmt: skip


def _replace_set(directory: Path, size: int, age: float = 0.0) -> Act:
    def act() -> None:
        for path in directory.iterdir():
            shutil.rmtree(path)
        a_set(directory, time.strftime("backup-%Y%m%d-%H%M%S", time.gmtime(time.time() - age)), size, age)

    return act


def _disk(disk: Path) -> Group:
    big = disk / "big"
    return [
        Case("UpkeeperFilesystemFilling", "between 80 and 90 % of a disk used", _fill(big, 42 * MIB), big.unlink),
        Case("UpkeeperFilesystemFull", "95 % of a disk used", _fill(big, 52 * MIB), big.unlink),
    ]


class _Connections:
    """Of somebody who forgets to close them."""

    def __init__(self, postgres: PostgresServer) -> None:
        self._postgres, self._open = postgres, list[Any]()

    def open(self, count: int, *, transaction: bool = False) -> Act:
        def act() -> None:
            for _ in range(count):
                connection = self._postgres.connect()
                if transaction:
                    connection.execute("BEGIN")
                    connection.execute("SELECT txid_current()")
                self._open.append(connection)

        return act

    def close(self) -> None:
        while self._open:
            self._open.pop().close()


def _postgres(postgres: PostgresServer) -> Group:
    idle, busy = _Connections(postgres), _Connections(postgres)
    return [
        Case("UpkeeperPostgresConnectionsNearMax", "25 of 27 connections are open", _in_thread(idle.open(24)),
             _in_thread(idle.close)),
        Case("UpkeeperPostgresTransactionTooOld", "a transaction is left open",
             _in_thread(busy.open(1, transaction=True)), _in_thread(busy.close)),
        Case("UpkeeperPostgresDown", "the server was stopped", _in_thread(postgres.terminate),
             _in_thread(postgres.start)),
    ]  # fmt: skip


def _docker(machine: Machine) -> Group:
    docker = machine.docker
    containers, images = docker.client.containers, docker.client.images
    dangling: list[str] = []

    def in_container(command: str) -> Act:
        return _in_thread(lambda: containers.get("n8n").exec_run(["sh", "-c", command]))

    def eats(name: str) -> Act:
        # What is killed while it is still being started the engine does not note as killed for its memory.
        eating = "sleep 3; exec tail /dev/zero"
        return _in_thread(lambda: docker.run(name, eating, mem_limit="16m", memswap_limit="16m"))

    def holds(name: str) -> Act:
        fills = "dd if=/dev/zero of=/dev/shm/f bs=1M count=60; sleep 3600"
        return _in_thread(lambda: docker.run(name, fills, mem_limit="64m", memswap_limit="64m", shm_size="64m"))

    def remove(name: str) -> Act:
        return _in_thread(lambda: containers.get(name).remove(force=True))

    return [
        Case("UpkeeperContainerUnhealthy", "a health check fails", in_container("touch /bad"),
             in_container("rm /bad")),
        Case("UpkeeperContainerOomKilled", "a container used more memory than it may", eats("letta"),
             remove("letta")),
        Case("UpkeeperDockerSpaceCleanable", "an image of 4 MiB without a tag, of at most 1 MiB",
             _in_thread(lambda: dangling.append(docker.dangling_image(4 * MIB))),
             _in_thread(lambda: images.remove(dangling[0], force=True))),
        Case("UpkeeperContainerMemoryNearLimit", "a container holds 60 of 64 MiB", holds("webui"), remove("webui")),
        Case("UpkeeperDockerDown", "the engine does not answer", _in_thread(docker.stop), _in_thread(docker.cont)),
    ]  # fmt: skip


def _config(file: Path) -> Group:
    good = file.read_text()
    return [
        Case("UpkeeperConfigReloadFailed", "a mistake in upkeeper.yml",
             lambda: file.write_text(good + "logz: []\n"), lambda: file.write_text(good)),
    ]  # fmt: skip
