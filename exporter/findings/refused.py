"""What Compose refuses of a service as it is written: by the JSON Schema of the Compose Specification, and by what its
loader checks beyond. https://github.com/compose-spec/compose-go/blob/main/loader/validate.go
"""

import re
from collections.abc import Iterator, Sequence

from exporter.configfile.source import TIMESTAMP
from exporter.findings.compose_service import mounts, ports_misread, volume_parts
from exporter.findings.compose_tree import Flaw, Node, walk
from exporter.findings.finding import word
from exporter.findings.spec import section_flaws, service_flaws

_CONDITIONS = frozenset({"service_started", "service_healthy", "service_completed_successfully"})
_SERVICE_NAME = re.compile(r"[a-zA-Z0-9._-]+")
_UPDATES = ("update_config", "rollback_config")
_SIZES: Sequence[tuple[str, ...]] = (
    *(("mem_limit",), ("mem_reservation",), ("memswap_limit",), ("mem_swappiness",), ("shm_size",)),
    ("build", "shm_size"),
    *(("deploy", "resources", "limits", "memory"), ("deploy", "resources", "reservations", "memory")),
)
_DURATIONS: Sequence[tuple[str, ...]] = (
    *(("healthcheck", key) for key in ("interval", "timeout", "start_period", "start_interval")),
    ("stop_grace_period",),
    *(("deploy", "restart_policy", key) for key in ("delay", "window")),
    *(("deploy", part, key) for part in _UPDATES for key in ("delay", "monitor")),
)
_UNSIGNED: Sequence[tuple[str, ...]] = (
    *(("deploy", "restart_policy", "max_attempts"), ("deploy", "placement", "max_replicas_per_node")),
    *(("deploy", part, "parallelism") for part in _UPDATES),
    *(("healthcheck", "retries"), ("blkio_config", "weight")),
)
_WHOLE: Sequence[tuple[str, ...]] = (
    *(("cpu_count",), ("cpu_period",), ("cpu_quota",), ("cpu_rt_period",), ("cpu_rt_runtime",)),
    *(("cpu_shares",), ("oom_score_adj",), ("pids_limit",), ("scale",)),
    *(("deploy", "replicas"), ("deploy", "resources", "limits", "pids")),
    *_UNSIGNED,
)
_REPLICAS: Sequence[tuple[str, ...]] = (("scale",), ("deploy", "replicas"))
_NUMBERS: Sequence[tuple[str, ...]] = (
    ("cpus",),
    ("cpu_percent",),
    ("deploy", "resources", "limits", "cpus"),
    ("deploy", "resources", "reservations", "cpus"),
    *(("deploy", part, "max_failure_ratio") for part in _UPDATES),
)
_BOOLEANS: Sequence[tuple[str, ...]] = (
    *((key,) for key in ("attach", "init", "oom_kill_disable", "privileged", "read_only", "stdin_open", "tty")),
    ("healthcheck", "disable"),
    *(("build", key) for key in ("no_cache", "privileged", "pull")),
)
_SECTION_BOOLEANS = ("attachable", "enable_ipv4", "enable_ipv6", "external", "internal")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BOOLEAN = re.compile(r"true|false|y|yes|n|no|on|off", re.IGNORECASE)
_CONTAINER_NAME = re.compile(r"[_.-]*[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_SIZE = re.compile(r"\s*[0-9]+(\.[0-9]+)?\s*([kmgtp]i?)?b?\s*", re.IGNORECASE)
_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d|w))+|0")


def refused(name: str, service: Node) -> Iterator[Flaw]:
    """What keeps Compose from reading a project with this service, whatever its profile."""
    if not _SERVICE_NAME.fullmatch(name):
        yield Flaw(service.place, f"{word(name)} cannot be the name of a service", "use letters, digits, . _ and -")
    yield from service_flaws(name, service)
    yield from _times(name, service)
    yield from _values(name, service)
    yield from _negative(name, service, _UNSIGNED)
    yield from _volumes(name, service)
    for port in ports_misread(service):
        yield Flaw(
            port.place, f"an item of `ports` of {word(name)} is not a port", "write HOST:CONTAINER, as in 8080:80"
        )


def _times(name: str, node: Node) -> Iterator[Flaw]:
    """Text without quotes that Compose's YAML takes for a time, below what extensions (``x-``) do not hold."""
    for key, child in node.mapping.items():
        if not key.startswith("x-"):
            for one in walk(child):
                if one.tag == TIMESTAMP:
                    yield Flaw(
                        one.place,
                        f"`{key}` of {word(name)} holds a time without quotes: Compose up to 2.40 refuses it, later "
                        "ones too or put another text in its place",
                        "put it into quotes",
                    )


def refused_section(section: str, top: Node) -> Iterator[Flaw]:
    """What keeps Compose from reading ``networks``, ``volumes``, ``secrets``, ``configs`` or ``models``."""
    yield from section_flaws(section, top)
    for name, one in top.mapping.items():
        yield from _times(name, one)
        for key in _SECTION_BOOLEANS:
            node = one.at(key)
            if node is not None and isinstance(node.value, str) and not _BOOLEAN.fullmatch(node.text):
                what = f"`{key}` of {word(name)} in `{section}` is not true or false{_why(node)}"
                yield Flaw(node.place, what, "write it as such")


def inconsistent(name: str, service: Node) -> Iterator[Flaw]:
    """What keeps Compose from starting a project in which this service is active."""
    test = service.at("healthcheck", "test")
    first = test.items[0].text if test is not None and test.items else ""
    if test is not None and test.items and first not in ("CMD", "CMD-SHELL", "NONE"):
        what = f"the health check of {word(name)} must begin with CMD, CMD-SHELL or NONE"
        yield Flaw(test.place, what, "write it as text")
    yield from _negative(name, service, _REPLICAS)
    yield from _contradictions(name, service)
    yield from _mounts(name, service)


def _values(name: str, service: Node) -> Iterator[Flaw]:
    depends = service.at("depends_on")
    for other in depends.mapping.values() if depends is not None else ():
        condition = other.at("condition")
        if condition is not None and condition.text not in _CONDITIONS:
            yield Flaw(
                condition.place,
                f"a condition in `depends_on` of {word(name)} is not valid",
                ", ".join(sorted(_CONDITIONS)),
            )
    for path in _SIZES:
        size = service.at(*path)
        if size is not None and _scalar(size) and size.text != "-1" and not _SIZE.fullmatch(size.text):
            yield Flaw(size.place, f"`{path[-1]}` of {word(name)} is not a size{_why(size)}", "write it as 512m or 2g")
    for path in _DURATIONS:
        duration = service.at(*path)
        if duration is not None and _scalar(duration) and not _DURATION.fullmatch(duration.text):
            what = f"`{path[-1]}` of {word(name)} is not a duration{_why(duration)}"
            yield Flaw(duration.place, what, "write it as 30s or 1m30s")
    for paths, form, what in (
        (_WHOLE, _INTEGER, "a whole number"),
        (_NUMBERS, _NUMBER, "a number"),
        (_BOOLEANS, _BOOLEAN, "true or false"),
    ):
        for path in paths:
            node = service.at(*path)
            if node is not None and isinstance(node.value, str) and not form.fullmatch(node.text):
                yield Flaw(node.place, f"`{path[-1]}` of {word(name)} is not {what}{_why(node)}", "write it as such")
    limits = service.at("ulimits")
    for limit, node in limits.mapping.items() if limits is not None else ():
        for one in node.mapping.values() or [node]:
            if isinstance(one.value, str) and not _INTEGER.fullmatch(one.text):
                what = f"the limit {word(limit)} of {word(name)} is not a whole number{_why(one)}"
                yield Flaw(one.place, what, "write it as such")
    hosts = service.at("extra_hosts")
    for host, address in hosts.mapping.items() if hosts is not None else ():
        if not host or address.value is None:
            what = f"an item of `extra_hosts` of {word(name)} lacks a host or its address"
            yield Flaw(address.place, what, "write it as HOST=ADDRESS")
    container = service.at("container_name")
    if container is not None and isinstance(container.value, str) and not _CONTAINER_NAME.fullmatch(container.text):
        what = f"`container_name` of {word(name)} cannot be the name of a container{_why(container)}"
        yield Flaw(container.place, what, "use two or more letters, digits, . _ and -")


def _negative(name: str, service: Node, paths: Sequence[tuple[str, ...]]) -> Iterator[Flaw]:
    for path in paths:
        count = service.at(*path)
        if count is not None and _INTEGER.fullmatch(count.text) and int(count.text[:10]) < 0:
            yield Flaw(count.place, f"`{path[-1]}` of {word(name)} is less than 0", "write 0 or more")


def _scalar(node: Node) -> bool:
    return node.value is not None and not isinstance(node.value, dict | list)


def _why(node: Node) -> str:
    return ", because a variable in it is not set" if not node.text and not node.literal else ""


def _contradictions(name: str, service: Node) -> Iterator[Flaw]:
    mode, networks = service.at("network_mode"), service.at("networks")
    if mode is not None and mode.text and networks is not None and (networks.mapping or networks.items):
        yield Flaw(mode.place, f"{word(name)} has both `network_mode` and `networks`", "remove one of them")
    for key, kind, limit in (
        ("cpus", "limits", "cpus"),
        ("mem_limit", "limits", "memory"),
        ("pids_limit", "limits", "pids"),
        ("mem_reservation", "reservations", "memory"),
    ):
        one, others = service.at(key), service.at("deploy", "resources", kind)
        if one is None or not one.text or _number(one) == 0 or others is None or not isinstance(others.value, dict):
            continue
        other = others.at(limit)
        if other is None or (other.text and _number(one) != _number(other)):
            what = f"`{key}` of {word(name)} differs from `{limit}` under `deploy.resources.{kind}`"
            yield Flaw(one.place, what, "write both there")
    replicas = service.at("scale") or service.at("deploy", "replicas")
    container = service.at("container_name")
    if replicas is not None and replicas.text.isdigit() and int(replicas.text[:9]) > 1 and container is not None:
        yield Flaw(container.place, f"{word(name)} has a `container_name` and more than one replica", "remove the name")


def _number(node: Node) -> object:
    """A size or number in one form."""
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgtp]?)i?b?\s*", node.text, re.IGNORECASE)
    if match is None:
        return node.text
    return float(match[1]) * 1024 ** " kmgtp".index(match[2].lower() or " ")


def _volumes(name: str, service: Node) -> Iterator[Flaw]:
    volumes = service.at("volumes")
    for item in volumes.items if volumes is not None else ():
        parts = volume_parts(item.text)
        if not item.mapping and (not all(parts) or len(parts) > 3):
            why = ", because a variable in it is not set" if not item.literal and not all(parts) else ""
            yield Flaw(
                item.place, f"a volume of {word(name)} has an empty part between its colons{why}", "write SOURCE:TARGET"
            )


def _mounts(name: str, service: Node) -> Iterator[Flaw]:
    tmpfs = service.at("tmpfs")
    listed = [] if tmpfs is None else tmpfs.items or [tmpfs]
    seen = {item.text.partition(":")[0] for item in listed}
    for mount in mounts(service):  # of two volumes in one place Compose takes the latter
        if mount.target in seen:
            what = f"{word(name)} has a mount and a `tmpfs` in one place"
            yield Flaw(mount.place, what, "remove one of them")
