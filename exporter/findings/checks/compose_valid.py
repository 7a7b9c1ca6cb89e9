"""Compose files that Compose would refuse, as far as their own text tells."""

import difflib
from collections.abc import Iterator, Mapping

from exporter.findings import Finding, Kind, Place, Severity, word
from exporter.findings.material import Material
from exporter.findings.project import Project
from exporter.findings.service import mounts
from exporter.findings.tree import Node
from exporter.text import printable

SERVICE_KEYS = frozenset({
    "annotations", "attach", "blkio_config", "build", "cap_add", "cap_drop", "cgroup", "cgroup_parent", "command",
    "configs", "container_name", "cpu_count", "cpu_percent", "cpu_period", "cpu_quota", "cpu_rt_period",
    "cpu_rt_runtime", "cpu_shares", "cpus", "cpuset", "credential_spec", "depends_on", "deploy", "develop",
    "device_cgroup_rules", "devices", "dns", "dns_opt", "dns_search", "domainname", "driver_opts", "entrypoint",
    "env_file", "environment", "expose", "extends", "external_links", "extra_hosts", "gpus", "group_add",
    "healthcheck", "hostname", "image", "init", "ipc", "isolation", "label_file", "labels", "links", "logging",
    "mac_address", "mem_limit", "mem_reservation", "mem_swappiness", "memswap_limit", "models", "network_mode",
    "networks", "oom_kill_disable", "oom_score_adj", "pid", "pids_limit", "platform", "ports", "post_start",
    "pre_stop", "privileged", "profiles", "provider", "pull_policy", "read_only", "restart", "runtime", "scale",
    "secrets", "security_opt", "shm_size", "stdin_open", "stop_grace_period", "stop_signal", "storage_opt",
    "sysctls", "tmpfs", "tty", "ulimits", "use_api_socket", "user", "userns_mode", "uts", "volume_driver",
    "volumes", "volumes_from", "working_dir",
})  # fmt: skip
"""https://docs.docker.com/reference/compose-file/services/"""

_LISTS = frozenset({
    "cap_add", "cap_drop", "configs", "devices", "expose", "external_links", "group_add", "links", "ports", "profiles",
    "secrets", "security_opt", "volumes", "volumes_from",
})  # fmt: skip
_MAPPINGS = frozenset({"credential_spec", "deploy", "develop", "healthcheck", "logging"})
_EITHER = frozenset({"depends_on", "environment", "labels", "networks"})
_TEXTS = frozenset({
    "container_name", "cpus", "hostname", "image", "mem_limit", "network_mode", "pid", "privileged", "restart", "user",
    "working_dir",
})  # fmt: skip

MAX_UNKNOWN = 20
"""Unknown keys of one service: with more, it is something else than a service."""

Declared = Mapping[str, frozenset[str]]
"""The names that a project has, by section."""

_REMEDY = "`docker compose config` shows the place; Compose can start nothing before it is mended"


class ComposeValid:
    """Whatever keeps Compose from reading the files, and names in them that lead nowhere."""

    name = "compose-valid"
    needs: frozenset[Kind] = frozenset({"project"})

    def find(self, material: Material) -> Iterator[Finding]:
        for project in material.projects:
            seen: set[tuple[Place, str]] = set()
            for flaw in project.flaws:
                if (flaw.place, flaw.message) not in seen:
                    seen.add((flaw.place, flaw.message))
                    yield self._finding(printable(flaw.place.file), flaw.place, flaw.message, flaw.remedy or _REMEDY)
            if not project.services and not project.unread:
                yield self._finding(
                    printable(project.files[0]), project.place(), "it has no services", "is it the right file?"
                )
            # Of what could not be read, the missing names may be part.
            declared = _declared(project) if not project.unread else None
            for name, service in project.services.items():
                yield from self._service(declared, name, service)

    def _service(self, declared: Declared | None, name: str, service: Node) -> Iterator[Finding]:
        subject = word(name)
        if not any(service.at(key) is not None for key in ("image", "build", "provider")):
            yield self._finding(subject, service.place, f"{subject} has neither an image nor a build", "give it one")
        for key, node in service.mapping.items():
            shape = _wrong_shape(key, node)
            if shape:
                yield self._finding(subject, node.place, f"`{key}` of {subject} must be {shape}", "write it as such")
        unknown = [key for key in service.mapping if key not in SERVICE_KEYS and not key.startswith("x-")]
        for key in unknown[:MAX_UNKNOWN]:
            near = difflib.get_close_matches(key[:40], SERVICE_KEYS, n=1)
            remedy = f"did you mean {near[0]}?" if near else "remove it"
            place = service.mapping[key].place
            yield self._finding(subject, place, f"{word(key)} is no key of a service", remedy, "warning")
        for place, kind, wanted in _names(declared, service) if declared is not None else ():
            yield self._finding(
                subject, place, f"{subject} names the {kind} {word(wanted)}, which there is not", f"declare the {kind}"
            )

    def _finding(
        self, subject: str, place: Place, message: str, remedy: str, severity: Severity = "critical"
    ) -> Finding:
        return Finding(self.name, severity, subject, place.printable(), message, remedy)


def _wrong_shape(key: str, node: Node) -> str:
    """What a key of a service must be, where it is something else. What is null is left to Compose itself."""
    value = node.value
    if value is None:
        return ""
    if key in _LISTS:
        return "" if isinstance(value, list) else "a list"
    if key in _MAPPINGS:
        return "" if isinstance(value, dict) else "a mapping"
    if key in _EITHER:
        return "" if isinstance(value, dict | list) else "a list or a mapping"
    return "text" if key in _TEXTS and isinstance(value, dict | list) else ""


def _names(declared: Declared, service: Node) -> Iterator[tuple[Place, str, str]]:
    """What a service names and the project does not have."""
    depends = service.at("depends_on")
    for other, node in depends.mapping.items() if depends is not None else ():
        required = node.at("required")
        if other not in declared["services"] and (required is None or required.true):
            yield node.place, "service", other
    networks = service.at("networks")
    for network, node in networks.mapping.items() if networks is not None else ():
        if network != "default" and network not in declared["networks"]:
            yield node.place, "network", network
    for mount in mounts(service):
        named = mount.kind == "volume" and mount.source and "/" not in mount.source
        if named and mount.source not in declared["volumes"]:
            yield mount.place, "volume", mount.source
    for section, kind in (("secrets", "secret"), ("configs", "config")):
        listed = service.at(section)
        for item in listed.items if listed is not None else ():
            source = item.at("source") if item.mapping else item
            if source is not None and source.text and source.text not in declared[section]:
                yield item.place, kind, source.text


def _declared(project: Project) -> Declared:
    sections = {section: project.top.get(section) for section in ("networks", "volumes", "secrets", "configs")}
    names = {section: frozenset(node.mapping if node is not None else ()) for section, node in sections.items()}
    return {**names, "services": frozenset(project.services)}
