"""The Docker engine and its containers: what they are, not what they were given."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.docker.engine import DockerEngine
from remediator.diagnosis.part import Part

if TYPE_CHECKING:
    from docker import APIClient

MOST, WITH_LOGS = 200, 10
LOG_LINES = 200
_ENGINE = ("StorageDriver", "DockerRootDir", "OperatingSystem", "KernelVersion", "Architecture", "NCPU", "MemTotal",
           "Containers", "ContainersRunning", "Images", "CgroupVersion", "CgroupDriver", "LoggingDriver", "Warnings",
           "LiveRestoreEnabled")  # fmt: skip
_STATE = ("Status", "ExitCode", "OOMKilled", "Error", "StartedAt", "FinishedAt")
_COMPOSE = "com.docker.compose."


def container_parts(engine: DockerEngine, about: str | None) -> Sequence[Part]:
    """about: the container, if the archive is about one; its log is there in any case."""
    return [
        Part("docker/engine.json", partial(engine.call, _engine)),
        Part("docker/containers.json", partial(engine.call, _containers)),
        Part("docker/images.json", partial(engine.call, _images)),
        Part("docker/logs.txt", partial(engine.call, partial(_logs, about=about)), keep="end"),
    ]


def _engine(client: "APIClient") -> dict[str, Any]:
    info, version = client.info(), client.version()
    known = {key: info.get(key) for key in _ENGINE}
    return {"version": version.get("Version"), "api": version.get("ApiVersion"), **known}


def _containers(client: "APIClient") -> list[dict[str, Any]]:
    return [described(client.inspect_container(one["Id"])) for one in client.containers(all=True)[:MOST]]


def described(inspected: Mapping[str, Any]) -> dict[str, Any]:
    """A container without its command, and with the names alone of its environment and its own labels. Pure."""
    config, host, state = (inspected.get(key) or {} for key in ("Config", "HostConfig", "State"))
    health = state.get("Health") or {}
    labels = config.get("Labels") or {}
    return {
        "name": str(inspected.get("Name", "")).lstrip("/"),
        "image": config.get("Image"),
        "image_id": inspected.get("Image"),
        "state": {key: state.get(key) for key in _STATE},
        "health": health.get("Status"),
        "health_output": [str(one.get("Output", ""))[-500:] for one in (health.get("Log") or [])[-2:]],
        "restarts": inspected.get("RestartCount"),
        "restart_policy": host.get("RestartPolicy"),
        "memory_limit": host.get("Memory"),
        "privileged": host.get("Privileged"),
        "log": (host.get("LogConfig") or {}).get("Type"),
        "log_options": sorted((host.get("LogConfig") or {}).get("Config") or {}),
        "mounts": [{key: one.get(key) for key in ("Type", "Name", "Source", "Destination", "RW")}
                   for one in inspected.get("Mounts") or []],
        "ports": (inspected.get("NetworkSettings") or {}).get("Ports"),
        "networks": sorted((inspected.get("NetworkSettings") or {}).get("Networks") or {}),
        "environment": sorted(entry.partition("=")[0] for entry in config.get("Env") or []),
        "labels": sorted(labels),
        "compose": {key: labels[key] for key in sorted(labels) if key.startswith(_COMPOSE)},
    }  # fmt: skip


def _images(client: "APIClient") -> list[dict[str, Any]]:
    keys = ("Id", "RepoTags", "RepoDigests", "Created", "Size")
    return [{key: one.get(key) for key in keys} for one in client.images()[:MOST]]


def _logs(client: "APIClient", about: str | None) -> str:
    """The last lines of what is not well, and of the container that is meant."""
    chosen = [one["Id"] for one in client.containers(all=True) if not _is_well(one) or _is(one, about)]
    return "".join(line for key in chosen[:WITH_LOGS] for line in _log(client, key))


def _is_well(listed: Mapping[str, Any]) -> bool:
    status = str(listed.get("Status", ""))
    return status.startswith("Exited (0)") or (listed.get("State") == "running" and "(unhealthy)" not in status)


def _is(listed: Mapping[str, Any], about: str | None) -> bool:
    return about is not None and f"/{about}" in (listed.get("Names") or ())


def _log(client: "APIClient", key: str) -> Iterator[str]:
    yield f"== {key[:12]} {client.inspect_container(key).get('Name', '')}\n"
    yield client.logs(key, tail=LOG_LINES, timestamps=True).decode(errors="replace") + "\n"
