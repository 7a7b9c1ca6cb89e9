"""Trees of files as the kernel shows them for a container, of control groups in version 1 and 2."""

from collections.abc import Mapping
from pathlib import Path

WEB = "3009f64d9542b9aa4f0a7c319234f6d387a110d3e697c216a1adfbbb554d90a7"
DB = "f52a13d215b7a5956350c22827f8909691fcaabf84b19aa28e15a5617e6b95f4"

NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  999999     100    0    0    0     0          0         0   999999     100    0    0    0     0       0          0
  eth0: 5251493     113    0    0    0     0          0         0     4126      74    0    0    0     0       0          0
  eth1:    1000      10    0    0    0     0          0         0      500       5    0    0    0     0       0          0
"""  # noqa: E501 - as the kernel writes it
ONLY_LOOPBACK = "\n".join(NET_DEV.splitlines()[:3]) + "\n"

V1_MEMBERSHIPS = """\
9:name=systemd:/docker/{key}
7:blkio:/docker/{key}
4:memory:/docker/{key}
2:cpu,cpuacct:/docker/{key}
0::/docker/{key}
"""

V1 = {
    "cpuacct/docker/{key}/cpuacct.usage": "3401203683\n",
    "memory/docker/{key}/memory.usage_in_bytes": "41943040\n",
    "memory/docker/{key}/memory.limit_in_bytes": "67108864\n",
    "memory/docker/{key}/memory.stat": (
        "cache 20971520\nrss 19922944\nmapped_file 0\ninactive_anon 0\nactive_anon 19922944\n"
        "inactive_file 1024\nactive_file 4194304\nhierarchical_memory_limit 67108864\n"
        "total_cache 20971520\ntotal_rss 19922944\ntotal_inactive_file 16777216\ntotal_active_file 4194304\n"
    ),
    "memory/docker/{key}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "blkio/docker/{key}/blkio.throttle.io_service_bytes_recursive": (
        "254:0 Read 31457280\n254:0 Write 41955328\n254:0 Sync 73412608\n254:0 Async 0\n254:0 Total 73412608\n"
        "7:0 Read 4096\n7:0 Write 8192\n7:0 Total 12288\nTotal 73424896\n"
    ),
}

V2_MEMBERSHIPS = "0::/system.slice/docker-{key}.scope\n"

V2 = {
    "cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc\n",
    "system.slice/docker-{key}.scope/cpu.stat": (
        "usage_usec 12345678\nuser_usec 10000000\nsystem_usec 2345678\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"
    ),
    "system.slice/docker-{key}.scope/memory.current": "104857600\n",
    "system.slice/docker-{key}.scope/memory.max": "209715200\n",
    "system.slice/docker-{key}.scope/memory.stat": (
        "anon 62914560\nfile 41943040\nkernel 1048576\ninactive_anon 62914560\nactive_anon 0\n"
        "inactive_file 20971520\nactive_file 20971520\nunevictable 0\npgfault 12000\n"
    ),
    "system.slice/docker-{key}.scope/memory.events": "low 0\nhigh 0\nmax 12\noom 3\noom_kill 3\noom_group_kill 0\n",
    "system.slice/docker-{key}.scope/io.stat": (
        "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n"
        "8:0 rbytes=90430464 wbytes=299008000 rios=8950 wios=1252 dbytes=50331648 dios=3021\n"
        "252:0 \n"
    ),
}


def write_tree(root: Path, files: Mapping[str, str], key: str = WEB) -> Path:
    """Writes the files of a container below root, and returns root."""
    for name, content in files.items():
        path = root / name.format(key=key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def write_process(
    root: Path,
    pid: int,
    memberships: str,
    *,
    key: str = WEB,
    net_dev: str = NET_DEV,
    namespace: str = "net:[4026532257]",
) -> Path:
    """Writes what /proc tells of a container's process below root, and returns root."""
    process = root / str(pid)
    (process / "net").mkdir(parents=True)
    (process / "ns").mkdir()
    (process / "cgroup").write_text(memberships.format(key=key))
    (process / "net" / "dev").write_text(net_dev)
    (process / "ns" / "net").symlink_to(namespace)
    return root
