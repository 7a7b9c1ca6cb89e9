"""A container's figures by the kernel's files, and by the engine's statistics."""

from pathlib import Path
from typing import Any

import pytest

from exporter.docker.cgroup import Consumption
from exporter.docker.container_figures import Figures, KernelFiles, from_statistics, parse_net_dev
from exporter.docker.containers import Inspected, ListedContainer
from tests.exporter.docker.kernel_files import (
    DB,
    NET_DEV,
    ONLY_LOOPBACK,
    V2,
    V2_MEMBERSHIPS,
    WEB,
    write_process,
    write_tree,
)
from tests.exporter.docker.test_cgroup import V2_USED

HOST_NAMESPACE = "net:[4026531833]"


def container(pid: int = 42, key: str = WEB, mode: str = "pa_default", limit: int | None = None) -> ListedContainer:
    return ListedContainer(
        key, "web", "running", inspected=Inspected(pid=pid, network_mode=mode, memory_limit=limit, started=1.0)
    )


@pytest.fixture
def files(tmp_path: Path) -> KernelFiles:
    write_tree(tmp_path / "cgroup", V2)
    write_process(tmp_path / "proc", 1, "0::/init.scope\n", namespace=HOST_NAMESPACE)
    write_process(tmp_path / "proc", 42, V2_MEMBERSHIPS)
    return KernelFiles(str(tmp_path / "proc"), str(tmp_path / "cgroup"))


def test_all_figures(files: KernelFiles) -> None:
    assert files.read([container()]) == {WEB: Figures(V2_USED, received=5252493, sent=4626)}


@pytest.mark.parametrize("mode", ["host", f"container:{DB}"])
def test_the_network_of_others_is_not_its_own(files: KernelFiles, mode: str) -> None:
    assert files.read([container(mode=mode)]) == {WEB: Figures(V2_USED)}


def test_the_network_of_the_host_is_known_by_its_namespace_too(files: KernelFiles, tmp_path: Path) -> None:
    (tmp_path / "proc/42/ns/net").unlink()
    (tmp_path / "proc/42/ns/net").symlink_to(HOST_NAMESPACE)
    assert files.read([container()]) == {WEB: Figures(V2_USED)}


def test_namespaces_that_may_not_be_looked_at_do_not_hide_the_network(files: KernelFiles, tmp_path: Path) -> None:
    for pid in (1, 42):
        (tmp_path / f"proc/{pid}/ns/net").unlink()
    assert files.read([container()]) == {WEB: Figures(V2_USED, received=5252493, sent=4626)}


def test_a_process_number_that_another_process_has_by_now(files: KernelFiles, tmp_path: Path) -> None:
    (tmp_path / "proc/42/cgroup").write_text("0::/user.slice/user-1000.slice/session-1.scope\n")
    assert files.read([container()]) == {WEB: Figures(V2_USED)}


def test_one_without_a_process_is_left_out(files: KernelFiles) -> None:
    assert files.read([container(pid=0)]) == {}


def test_one_of_another_machine_is_left_out(files: KernelFiles) -> None:
    assert files.read([container(key=DB)]) == {}


def test_one_that_ended_is_left_out_and_found_again_when_it_is_back(files: KernelFiles, tmp_path: Path) -> None:
    assert WEB in files.read([container()])
    scope = tmp_path / f"cgroup/system.slice/docker-{WEB}.scope"
    scope.rename(tmp_path / "elsewhere")
    assert files.read([container()]) == {}
    (tmp_path / "elsewhere").rename(scope)
    assert WEB in files.read([container()])


def test_a_container_started_anew_is_looked_up_anew(files: KernelFiles, tmp_path: Path) -> None:
    files.read([container()])
    write_process(tmp_path / "proc", 43, V2_MEMBERSHIPS, net_dev=ONLY_LOOPBACK)
    assert files.read([container(pid=43)]) == {WEB: Figures(V2_USED)}


@pytest.mark.parametrize(
    ("text", "traffic"),
    [(NET_DEV, (5252493, 4626)), (ONLY_LOOPBACK, (None, None)), ("", (None, None))],
)
def test_traffic(text: str, traffic: tuple[int | None, int | None]) -> None:
    assert parse_net_dev(text) == traffic


STATISTICS: dict[str, Any] = {
    "read": "2026-11-24T13:44:29.815284379Z",
    "cpu_stats": {"cpu_usage": {"total_usage": 3412070214}},
    "memory_stats": {"usage": 1000000, "stats": {"inactive_file": 1, "total_inactive_file": 300000}, "limit": 8 << 30},
    "blkio_stats": {
        "io_service_bytes_recursive": [
            {"major": 254, "minor": 0, "op": "Read", "value": 10},
            {"major": 254, "minor": 0, "op": "Write", "value": 20},
            {"major": 254, "minor": 0, "op": "Total", "value": 30},
            {"major": 7, "minor": 0, "op": "read", "value": 1},
            {"major": 7, "minor": 0, "op": "write", "value": 2},
        ]
    },
    "networks": {"eth0": {"rx_bytes": 5, "tx_bytes": 6}, "eth1": {"rx_bytes": 10, "tx_bytes": 20}},
}


def test_statistics_of_the_engine() -> None:
    used = Consumption(3.412070214, 700000, 64 << 20, None, io_read=11, io_written=22)
    assert from_statistics(STATISTICS, container(limit=64 << 20)) == Figures(used, received=15, sent=26)


def test_statistics_under_version_2() -> None:
    answer = STATISTICS | {"memory_stats": {"usage": 1000000, "stats": {"inactive_file": 200000}}}
    found = from_statistics(answer, container())
    assert found is not None
    assert (found.consumption.memory_working_set, found.consumption.memory_limit) == (800000, None)


@pytest.mark.parametrize("mode", ["host", f"container:{DB}"])
def test_statistics_of_the_network_of_others_are_not_its_own(mode: str) -> None:
    found = from_statistics(STATISTICS, container(mode=mode))
    assert found is not None
    assert (found.received, found.sent) == (None, None)


@pytest.mark.parametrize("answer", [{}, {"cpu_stats": None}, {"cpu_stats": {"cpu_usage": {"total_usage": 0}}}])
def test_statistics_of_one_that_does_not_run(answer: dict[str, Any]) -> None:
    assert from_statistics(answer, container()) is None


@pytest.mark.parametrize("io", [{}, {"io_service_bytes_recursive": None}, {"io_service_bytes_recursive": []}])
def test_statistics_with_the_fewest_fields(io: dict[str, Any]) -> None:
    answer = {"cpu_stats": {"cpu_usage": {"total_usage": 10**9}}, "memory_stats": {}, "blkio_stats": io}
    assert from_statistics(answer, container()) == Figures(Consumption(cpu_seconds=1.0))
