"""What control groups use, by recorded files of both versions, and by the control groups of this machine."""

import os
from pathlib import Path

import pytest

from exporter.docker.cgroup import Cgroup, Consumption, find_cgroup, read_cgroup, read_text
from tests.exporter.docker.kernel_files import DB, V1, V1_MEMBERSHIPS, V2, V2_MEMBERSHIPS, WEB, write_tree

V1_USED = Consumption(
    cpu_seconds=3.401203683,
    memory_working_set=41943040 - 16777216,
    memory_limit=67108864,
    oom_kills=2,
    io_read=31457280 + 4096,
    io_written=41955328 + 8192,
)
V2_USED = Consumption(
    cpu_seconds=12.345678,
    memory_working_set=104857600 - 20971520,
    memory_limit=209715200,
    oom_kills=3,
    io_read=1459200 + 90430464,
    io_written=314773504 + 299008000,
)


def used(root: Path, memberships: str, key: str = WEB) -> Consumption | None:
    cgroup = find_cgroup(str(root), memberships.format(key=key), key)
    return read_cgroup(cgroup) if cgroup is not None else None


@pytest.mark.parametrize("memberships", [V1_MEMBERSHIPS, ""])
def test_version_1(tmp_path: Path, memberships: str) -> None:
    assert used(write_tree(tmp_path, V1), memberships) == V1_USED


@pytest.mark.parametrize("memberships", [V2_MEMBERSHIPS, ""])
def test_version_2(tmp_path: Path, memberships: str) -> None:
    assert used(write_tree(tmp_path, V2), memberships) == V2_USED


def moved(files: dict[str, str], place: str) -> dict[str, str]:
    """The files with the container's group at another place."""
    return {
        name.replace("system.slice/docker-{key}.scope", place).replace("docker/{key}", place): content
        for name, content in files.items()
    }


@pytest.mark.parametrize(
    "place",
    [
        "docker/{key}",  # cgroupfs driver
        "system.slice/docker-{key}.scope",  # systemd driver
        "pa.slice/pa-stack.slice/docker-{key}.scope",  # a cgroup parent of the user's
        "user.slice/user-1000.slice/user@1000.service/user.slice/docker-{key}.scope",  # rootless
    ],
)
def test_places_of_both_drivers(tmp_path: Path, place: str) -> None:
    one, two = write_tree(tmp_path / "1", moved(V1, place)), write_tree(tmp_path / "2", moved(V2, place))
    assert used(one, f"4:memory:/{place}\n2:cpu,cpuacct:/{place}\n1:blkio:/{place}\n") == V1_USED
    assert used(two, f"0::/{place}\n") == V2_USED


def test_a_process_that_is_further_down_counts_as_the_whole_container(tmp_path: Path) -> None:
    """As with an init system within the container."""
    assert used(write_tree(tmp_path, V2), "0::/system.slice/docker-{key}.scope/init.scope\n") == V2_USED


@pytest.mark.parametrize("memberships", ["0::/../../system.slice/docker-{key}.scope\n", "0::/\n", "0::/docker/other\n"])
def test_memberships_that_do_not_help(tmp_path: Path, memberships: str) -> None:
    """Seen from within another control group namespace, or of a process that is none of the container's."""
    assert used(write_tree(tmp_path, V2), memberships) == V2_USED
    assert find_cgroup(str(tmp_path), memberships.format(key=DB), DB) is None


def test_a_container_of_another_machine_has_no_group(tmp_path: Path) -> None:
    assert find_cgroup(str(write_tree(tmp_path / "1", V1)), V1_MEMBERSHIPS.format(key=WEB), DB) is None
    assert find_cgroup(str(tmp_path / "nowhere"), "", WEB) is None


@pytest.mark.parametrize(("files", "limit"), [(V1, "9223372036854771712\n"), (V2, "max\n")])
def test_no_limit(tmp_path: Path, files: dict[str, str], limit: str) -> None:
    changed = {name: limit if name.endswith(("limit_in_bytes", "memory.max")) else text for name, text in files.items()}
    found = used(write_tree(tmp_path, changed), "")
    assert found is not None
    assert found.memory_limit is None


@pytest.mark.parametrize("files", [V1, V2])
def test_what_is_missing_is_unknown_and_the_rest_is_there(tmp_path: Path, files: dict[str, str]) -> None:
    kept = {name: text for name, text in files.items() if "cpu" in name or name == "cgroup.controllers"}
    found = used(write_tree(tmp_path, kept), "")
    assert found is not None
    assert found == Consumption(cpu_seconds=found.cpu_seconds)
    assert found.cpu_seconds


def test_version_1_without_a_line_of_a_device_is_not_zero(tmp_path: Path) -> None:
    """Late kernels count under version 1 only where somebody throttles; BFQ may count instead."""
    files = V1 | {"blkio/docker/{key}/blkio.throttle.io_service_bytes_recursive": "Total 0\n"}
    found = used(write_tree(tmp_path, files), "")
    assert found is not None
    assert (found.io_read, found.io_written) == (None, None)
    bfq = {"blkio/docker/{key}/blkio.bfq.io_service_bytes_recursive": "8:0 Read 5\n8:0 Write 6\nTotal 11\n"}
    found = used(write_tree(tmp_path, files | bfq), "")
    assert found is not None
    assert (found.io_read, found.io_written) == (5, 6)


def test_version_2_without_a_line_of_a_device_is_zero(tmp_path: Path) -> None:
    found = used(write_tree(tmp_path, V2 | {"system.slice/docker-{key}.scope/io.stat": ""}), "")
    assert found is not None
    assert (found.io_read, found.io_written) == (0, 0)


def test_kernels_that_do_not_count_kills(tmp_path: Path) -> None:
    files = V1 | {"memory/docker/{key}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n"}
    found = used(write_tree(tmp_path, files), "")
    assert found is not None
    assert found.oom_kills is None


def test_a_group_that_is_gone(tmp_path: Path) -> None:
    assert read_cgroup(Cgroup(unified=str(tmp_path / "gone"))) is None
    assert read_cgroup(Cgroup(controllers={"memory": str(tmp_path / "gone")})) is None


def test_a_file_longer_than_one_read(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_text("x" * 200_000)
    assert read_text(str(path)) == "x" * 200_000
    assert read_text(str(tmp_path)) is None


def test_our_own_process_files_are_read_whole() -> None:
    pid = os.getpid()
    assert read_text(f"/proc/{pid}/cgroup") == Path(f"/proc/{pid}/cgroup").read_text()
