"""A Compose project on a private engine, a registry of its own, and image-update for both."""

import gzip
import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import yaml

from exporter.docker.engine import DockerEngine
from exporter.inventory.services import Service
from remediator.config.images import Images as Settings
from remediator.model.task import Effect, Plan, TaskError
from remediator.tasks.image_update.alerts import Alerts
from remediator.tasks.image_update.data import Data, Tasks
from remediator.tasks.image_update.distribution import Known
from remediator.tasks.image_update.means import Means
from remediator.tasks.image_update.task import ImageUpdate
from remediator.tasks.image_update.watch import Patience
from tests.docker_images import root_tar, static_busybox
from tests.dockerd import Dockerd
from tests.registry import Registry

PROJECT = "pa"
TARGET = f"{PROJECT}.app"
FAST = Patience(start=1.0, stay=0.3, poll=0.05, alerts=0.1, settle=0.2)
NO_TASKS = Tasks(*(None,) * 4)  # type: ignore[arg-type]


@cache
def _busybox_layer() -> bytes:
    return gzip.compress(root_tar({"bin/busybox": static_busybox()}), 1)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _blob(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(content), "digest": _digest(content)}


class House:
    """The project ``pa`` with the services app and side. clock: what the task takes for the time; None: the time."""

    def __init__(self, root: Path, dockerd: Dockerd, registry: Registry, program: str) -> None:
        self.root, self.dockerd, self.registry, self.program = root, dockerd, registry, program
        self.old = subprocess.run([program, "version", "--short"], capture_output=True, text=True).stdout[:2] == "1."
        self.engine = DockerEngine(dockerd.host)
        self.state, self.project = root / "state", root / PROJECT
        for each in (self.state, self.project):
            each.mkdir()
        self.app = f"{registry.address}/app"
        self.services: dict[str, dict[str, Any]] = {
            "app": {
                "image": f"{self.app}:1",
                "entrypoint": ["/bin/sh", "-c"],
                "command": ["test -f /sick && exit 1; exec sleep 1000"],
                "stop_signal": "SIGKILL",
                "network_mode": "none",
                "environment": {"PASSWORD": "s3cret$$x", "MODE": "${MODE:-none}"},
                "labels": {"upkeeper.update": "auto"},
                "cap_add": ["NET_ADMIN"],
            }
        }
        self.more: dict[str, Any] = {"version": "2.4"} if self.old else {}

    def close(self) -> None:
        self.engine.close()

    def push(self, tag: str = "1", *files: str, labels: Mapping[str, str] | None = None) -> str:
        """Puts an image with these files in it into the registry, past the engine, for speed. Its digest."""
        layers = [_busybox_layer(), gzip.compress(root_tar(dict.fromkeys(files, b"") or {"x": b""}), 1)]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "created": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "config": {"Labels": dict(labels or {})},
            "rootfs": {"type": "layers", "diff_ids": [_digest(gzip.decompress(each)) for each in layers]},
        }
        described = json.dumps(config).encode()
        kinds = "application/vnd.docker."
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{kinds}distribution.manifest.v2+json",
            "config": _blob(f"{kinds}container.image.v1+json", described),
            "layers": [_blob(f"{kinds}image.rootfs.diff.tar.gzip", each) for each in layers],
        }
        base = f"http://{self.registry.address}/v2/app"
        with httpx.Client(verify=False) as client:
            for each in (*layers, described):
                if client.head(f"{base}/blobs/{_digest(each)}").status_code == 200:
                    continue
                place = client.post(f"{base}/blobs/uploads/").headers["Location"]
                put = client.put(httpx.URL(place).copy_merge_params({"digest": _digest(each)}), content=each)
                assert put.status_code == 201, put.text
            text = json.dumps(manifest)
            put = client.put(
                f"{base}/manifests/{tag}", content=text, headers={"Content-Type": str(manifest["mediaType"])}
            )
            assert put.status_code == 201, put.text
        return str(put.headers["Docker-Content-Digest"])

    def compose(self, *arguments: str) -> None:
        """Compose as a person runs it."""
        document: dict[str, Any] = {"services": self.services, **self.more}
        (self.project / "compose.yml").write_text(yaml.safe_dump(document))
        done = subprocess.run(
            [self.program, "-f", f"{self.project}/compose.yml", *arguments],
            cwd=self.project, capture_output=True, text=True, check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(self.root), "DOCKER_HOST": self.dockerd.host},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def check(self) -> None:
        """Gives app a health check, which fails on what is sick. Each check costs Docker some processor time."""
        test = ["CMD-SHELL", "test ! -f /sick"]
        self.services["app"] |= {
            "command": ["exec sleep 1000"],
            "healthcheck": {"test": test, "interval": "0.5s", "timeout": "1s", "retries": 1},
        }

    def share(self) -> None:
        """Adds the service ``side``, which has the network of app."""
        self.services["side"] = {
            "image": self.dockerd.import_busybox(),
            "command": ["sleep", "1000"],
            "stop_signal": "SIGKILL",
            "network_mode": "service:app",
        }

    def up(self) -> None:
        """Pulls what the tag means now, and starts it."""
        self.dockerd.client.api.pull(self.app, tag="1")
        self.compose("up", "-d")

    def task(
        self,
        settings: Mapping[str, Any] | None = None,
        patience: Patience = FAST,
        services: Sequence[Service] = (),
        **means: Any,
    ) -> ImageUpdate:
        given = Settings.model_validate({"compose": [self.program], "min_age": "0s", **(settings or {})})
        known = Means(self.engine, self.state, Known(), Alerts(None), Data([], NO_TASKS), patience=patience)
        return ImageUpdate(given, services, "upkeeper.keep", replace(known, **means))

    def container(self, service: str = "app") -> dict[str, Any]:
        """The inspection of the one container of a service."""
        (found,) = self.containers(service)
        return found

    def containers(self, service: str = "app") -> list[dict[str, Any]]:
        """The inspections of all containers of a service, by their numbers."""
        api = self.dockerd.client.api
        asked = {"label": [f"com.docker.compose.project={PROJECT}", f"com.docker.compose.service={service}"]}
        found = [api.inspect_container(each["Id"]) for each in api.containers(all=True, filters=asked)]
        return sorted(found, key=lambda each: int(each["Config"]["Labels"]["com.docker.compose.container-number"]))

    def digests(self) -> list[str]:
        """Of the images that run, one for each container of app that runs."""
        return [self._digest_of(each["Image"]) for each in self.containers() if each["State"]["Running"]]

    def digest(self) -> str:
        """Of the image that the one container of app has."""
        return self._digest_of(self.container()["Image"])

    def _digest_of(self, image: str) -> str:
        (found,) = {
            each.partition("@")[2]
            for each in self.dockerd.client.api.inspect_image(image)["RepoDigests"]
            if each.startswith(f"{self.app}@")
        }
        return found

    def everything(self) -> dict[str, Any]:
        """All that is there, by which one sees that nothing was changed."""
        api = self.dockerd.client.api
        files = {str(path): path.read_bytes() for path in sorted(self.state.rglob("*")) if path.is_file()}
        images = sorted((each["Id"], tuple(sorted(each["RepoTags"] or ()))) for each in api.images(all=True))
        containers = sorted((each["Id"], each["State"]) for each in api.containers(all=True))
        return {"files": files, "images": images, "containers": containers}


Make = Callable[[str], House]
"""A house whose Compose is the program of this path."""

_ITS_OWN = (
    "Id", "Created", "State", "ResolvConfPath", "HostnamePath", "HostsPath", "LogPath", "GraphDriver",
    "NetworkSettings", "ExecIDs",
)  # fmt: skip


def essence(inspected: Mapping[str, Any], *, with_image: bool = True) -> dict[str, Any]:
    """An inspection without what each container has of its own, and without the image unless asked for."""
    found = json.loads(json.dumps({key: value for key, value in inspected.items() if key not in _ITS_OWN}))
    short = str(inspected["Id"])[:12]
    found["Config"].pop("Hostname")
    networks = inspected["NetworkSettings"]["Networks"]
    found["Networks"] = {
        name: {
            "Aliases": sorted(set(its["Aliases"] or ()) - {short}),
            "IPAMConfig": its["IPAMConfig"],
            "Links": its["Links"],
        }
        for name, its in networks.items()
    }
    # Compose writes it in any order; Compose 1 adds from where it took anonymous volumes, for Swarm of old.
    found["Config"]["Env"] = sorted(each for each in found["Config"]["Env"] or () if not each.startswith("affinity:"))
    # What is mounted counts, and not how it was asked for: an anonymous volume is handed on by its name.
    found["Mounts"].sort(key=lambda mount: mount["Destination"])
    for mount in found["Mounts"]:
        mount["Mode"] = ""
    for key in ("Binds", "Mounts"):
        found["HostConfig"].pop(key, None)
    labels = found["Config"]["Labels"]
    labels.pop("com.docker.compose.replace", None)
    if not with_image:
        for key in (
            "com.docker.compose.image",
            "com.docker.compose.config-hash",
            "com.docker.compose.project.config_files",
        ):
            labels.pop(key, None)
        found["Config"].pop("Image")
        found.pop("Image")
        found.pop("ImageManifestDescriptor", None)  # of the containerd store
    return dict(found)


def differences(before: Any, after: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Where two inspections differ, by their paths."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted({*before, *after})
        return {
            name: pair
            for key in keys
            for name, pair in differences(before.get(key), after.get(key), f"{path}/{key}").items()
        }
    return {} if before == after else {path: (before, after)}


async def applied(task: ImageUpdate, plan: Plan, target: str = TARGET) -> list[Effect | str]:
    """The effects of all actions of a plan; of one that failed its message."""
    found: list[Effect | str] = []
    for action in plan.actions:
        try:
            found.append(await task.apply(target, action))
        except TaskError as error:
            found.append(str(error))
    return found


async def updated(task: ImageUpdate, target: str = TARGET, **params: Any) -> list[Effect | str]:
    return await applied(task, await task.plan(target, params), target)


def states(effects: Sequence[Effect | str]) -> list[str]:
    return [effect.state if isinstance(effect, Effect) else effect for effect in effects]
