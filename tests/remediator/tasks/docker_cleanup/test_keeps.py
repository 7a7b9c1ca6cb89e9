"""What docker-cleanup leaves alone because nobody could make it again, on a real engine with real Compose."""

import io
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker.models.containers import Container

from exporter.docker.engine import DockerEngine
from exporter.findings.pinned_digests import PinnedDigests
from exporter.inventory.docker import Docker
from remediator.model.task import Plan
from remediator.tasks.docker_cleanup.task import TARGET, DockerCleanup
from tests.dockerd import Dockerd
from tests.helpers import require_program, wait_until
from tests.registry import Registry, registry

__all__ = ["registry"]
pytestmark = pytest.mark.servers

DAY = 86400.0
FOREVER = "sleep 1000"

MakeTask = Callable[..., DockerCleanup]


@pytest.fixture
def make(clean_dockerd: Dockerd) -> Iterator[MakeTask]:
    """Makes the task with its default limits, two days from now, with the Compose files of a config."""
    engine = DockerEngine(clean_dockerd.host)

    def task(*compose_files: str) -> DockerCleanup:
        return DockerCleanup(engine, Docker(), PinnedDigests(compose_files), lambda: time.time() + 2 * DAY)

    yield task
    engine.close()


@pytest.fixture
def compose(clean_dockerd: Dockerd, tmp_path: Path) -> Callable[..., str]:
    """Runs Compose in a project of its own, ``tmp_path/compose.yaml``."""
    program = require_program("docker-compose", "docker-compose")
    environ = {**os.environ, "DOCKER_HOST": clean_dockerd.host, "COMPOSE_API_VERSION": "1.41"}

    def run(*arguments: str) -> str:
        command = [program, "--project-name", "pa", "--file", "compose.yaml", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def of_service(dockerd: Dockerd, service: str) -> Container:
    """The container of a service: Compose 1 and 2 name it differently."""
    (found,) = dockerd.client.containers.list(all=True, filters={"label": f"com.docker.compose.service={service}"})
    return found


async def cleaned(task: DockerCleanup) -> Plan:
    """Removes what the plan names."""
    plan = await task.plan(TARGET)
    for action in plan.actions:
        effect = await task.apply(TARGET, action)
        assert effect.state == "done", (action, effect)
    return plan


def objects(plan: Plan) -> set[str]:
    return {action.object for action in plan.actions}


def write_compose(directory: Path, text: str) -> None:
    (directory / "compose.yaml").write_text(f'version: "3.8"\n{text}')


async def test_a_stack_with_an_anonymous_volume_finds_its_data_again(
    clean_dockerd: Dockerd, make: MakeTask, compose: Callable[..., str], tmp_path: Path
) -> None:
    image = clean_dockerd.import_busybox()
    service = f"{{image: '{image}', network_mode: none, stop_signal: SIGKILL, command: [sh, -c, CMD]"
    write_compose(
        tmp_path,
        f"services:\n  db: {service}, volumes: ['/data']}}\n".replace(
            "CMD", "'[ -e /data/db ] || echo first > /data/db; sleep 1000'"
        )
        + f"  web: {service}}}\n".replace("CMD", "'sleep 1000'"),
    )
    compose("up", "-d")
    db, web = (of_service(clean_dockerd, service) for service in ("db", "web"))
    await wait_until(lambda: db.exec_run(["cat", "/data/db"]).output == b"first\n")
    db.exec_run(["sh", "-c", "echo precious > /data/db"])
    compose("stop")

    plan = await cleaned(make())

    assert objects(plan) == {web.name}
    assert f"Container {db.name} stays: a new container would not find its anonymous volume." in plan.notes
    compose("up", "-d")
    again = of_service(clean_dockerd, "db")
    assert again.exec_run(["cat", "/data/db"]).output == b"precious\n"


async def test_a_stopped_service_keeps_what_it_wrote_and_a_one_off_run_does_not(
    clean_dockerd: Dockerd, make: MakeTask, compose: Callable[..., str], tmp_path: Path
) -> None:
    image = clean_dockerd.import_busybox()
    write = "[sh, -c, '[ -e /state ] || dd if=/dev/urandom of=/state bs=1024 count=64; sleep 1000']"
    write_compose(
        tmp_path,
        f"services:\n  n8n: {{image: '{image}', network_mode: none, stop_signal: SIGKILL, command: {write}}}\n",
    )
    compose("up", "-d")
    n8n = of_service(clean_dockerd, "n8n")
    await wait_until(lambda: n8n.exec_run(["wc", "-c", "/state"]).output == b"65536 /state\n")
    compose("stop")
    compose("run", "--name", "one-off", "n8n", "dd", "if=/dev/zero", "of=/other", "bs=1024", "count=64")

    plan = await cleaned(make())

    assert objects(plan) == {"one-off"}
    assert "that it wrote go with it" in plan.actions[0].reason
    assert f"Container {n8n.name} stays: a service of a stack that is stopped, with what it wrote." in plan.notes
    compose("start")
    assert n8n.exec_run(["wc", "-c", "/state"]).output == b"65536 /state\n"


@pytest.mark.parametrize("shared", ["network", "pid", "ipc", "volumes"])
async def test_a_container_that_another_names_stays(clean_dockerd: Dockerd, make: MakeTask, shared: str) -> None:
    """Without it, the other one could not be restarted, or not be made again by Compose."""
    parent = clean_dockerd.run("parent", FOREVER, ipc_mode="shareable", volumes=["data:/data"])
    options = {
        "network": {"network_mode": "container:parent"},
        "pid": {"pid_mode": "container:parent"},
        "ipc": {"ipc_mode": "container:parent"},
        "volumes": {"volumes_from": ["parent:ro"]},
    }[shared]
    child = clean_dockerd.run("child", FOREVER, **options)  # type: ignore[arg-type]
    parent.stop()
    ended = shared == "pid"  # its processes end with the parent's first, which the engine sees a moment later
    if ended:
        child.wait()
    child.reload()

    plan = await cleaned(make())

    assert child.status == ("exited" if ended else "running")
    assert objects(plan) == ({"child", "parent"} if ended else set())
    if not ended:
        assert [note for note in plan.notes if "log" not in note] == ["Container parent stays: child names it."]
        parent.start()
        child.restart()
        child.reload()
        assert child.status == "running"


async def test_a_container_of_a_younger_one_that_names_it_stays(clean_dockerd: Dockerd, make: MakeTask) -> None:
    """The plan counts on both to go; the first is started in the meantime, and now needs the other."""
    parent = clean_dockerd.run("parent", FOREVER)
    child = clean_dockerd.run("child", FOREVER, pid_mode="container:parent")
    parent.stop()
    child.wait()
    task = make()
    plan = await task.plan(TARGET)
    assert [action.object for action in plan.actions] == ["child", "parent"]
    parent.start()
    child.start()
    parent.stop()
    child.wait()
    parent.reload()
    plan = plan.model_copy(update={"actions": (await task.plan(TARGET)).actions})

    effect = await task.apply(TARGET, plan.actions[1])

    assert (plan.actions[1].object, effect.state) == ("parent", "skipped")
    assert clean_dockerd.client.containers.get("parent").id == parent.id


async def test_networks_that_compose_did_not_make_stay(
    clean_dockerd: Dockerd, make: MakeTask, compose: Callable[..., str], tmp_path: Path
) -> None:
    """The stack is down, and so nothing uses its external network: Compose would not make it again."""
    clean_dockerd.network("proxy")
    image = clean_dockerd.import_busybox()
    write_compose(
        tmp_path,
        "services:\n"
        f"  web: {{image: '{image}', command: sleep 1000, stop_signal: SIGKILL, networks: [default, proxy]}}\n"
        "networks: {proxy: {external: true}}\n",
    )
    compose("up", "-d")
    of_service(clean_dockerd, "web").remove(force=True)

    plan = await cleaned(make())

    assert objects(plan) == {"pa_default"}
    assert "Networks that Compose did not make stay: proxy." in plan.notes
    compose("up", "-d")
    compose("down")


async def test_what_nobody_could_pull_or_build_again_stays(clean_dockerd: Dockerd, make: MakeTask) -> None:
    imported = clean_dockerd.imported_image()
    container = clean_dockerd.run("worked-in", ["/bin/sh", "-c", "echo work > /work"])
    container.wait()
    committed = [str(container.commit().id), str(container.commit(changes='CMD ["x"]').id)]
    container.remove()
    built = clean_dockerd.dangling_image()

    plan = await cleaned(make())

    left = {entry["Id"] for entry in clean_dockerd.client.api.images() if entry["Id"] in (imported, built, *committed)}
    assert left == {imported, *committed}
    assert [note.partition(" (")[0] for note in plan.notes] == [
        "Images without a tag stay that nothing tells how to pull or build again"
    ]


async def test_an_image_that_is_mounted_into_a_container_stays(clean_dockerd: Dockerd, make: MakeTask) -> None:
    """The engine would not refuse to remove it."""
    api = clean_dockerd.client.api
    if tuple(map(int, api.api_version.split("."))) < (1, 48):
        pytest.skip(f"API {api.api_version} has no mounts of images; see UPKEEPER_DOCKERD")
    image = clean_dockerd.dangling_image()
    mount = {"Type": "image", "Source": image, "Target": "/mounted"}
    host = {"NetworkMode": "none", "Mounts": [mount]}
    body = {
        "Image": clean_dockerd.import_busybox(),
        "Cmd": ["sleep", "1000"],
        "StopSignal": "SIGKILL",
        "HostConfig": host,
    }
    answer = api._post_json(api._url("/containers/create"), data=body, params={"name": "user"})
    assert answer.status_code == 201, answer.text
    clean_dockerd.client.containers.get("user").start()

    assert objects(await cleaned(make())) == set()
    assert api.inspect_image(image)

    clean_dockerd.client.containers.get("user").stop()
    assert objects(await cleaned(make())) == {"user", image.removeprefix("sha256:")[:12]}


@pytest.mark.parametrize("last_step", ["RUN echo one > /one", 'CMD ["sh"]', "ARG A=1\nRUN echo $A > /one"])
async def test_what_the_classic_builder_built_can_be_built_again(
    clean_dockerd: Dockerd, make: MakeTask, last_step: str
) -> None:
    dockerfile = f"FROM {clean_dockerd.import_busybox()}\n{last_step}\n"
    image, _ = clean_dockerd.client.images.build(
        fileobj=io.BytesIO(dockerfile.encode()), rm=True, network_mode="none", tag="old:1"
    )
    clean_dockerd.tagged_image("new:1")
    clean_dockerd.client.images.get("new:1").tag("old", "1")
    told = "ContainerConfig" in image.attrs  # API 1.45 and up does not tell, and then it stays

    plan = await cleaned(make())

    assert objects(plan) == ({str(image.id).removeprefix("sha256:")[:12]} if told else set())


class TestPinned:
    """Images that were pulled by their digest, as the updates of a careful owner are."""

    @pytest.fixture
    def pinned(self, clean_dockerd: Dockerd, registry: Registry) -> str:
        """An image of 2020, pulled by its digest a moment ago: the name with the digest."""
        built = clean_dockerd.load_built([{"payload": os.urandom(4096)}], created=1_577_836_800.0)
        name = registry.push(clean_dockerd, built, "app")
        for entry in clean_dockerd.client.api.images():
            clean_dockerd.client.api.remove_image(entry["Id"], force=True)
        clean_dockerd.client.api.pull(name)
        return name

    async def test_the_image_before_the_last_pull_stays_as_long_as_the_limit_says(
        self, clean_dockerd: Dockerd, make: MakeTask, registry: Registry
    ) -> None:
        """Its age is that of the pull that took its tag, not that of its build."""
        api = clean_dockerd.client.api
        for year in (2019, 2020):
            built = clean_dockerd.load_built([{"payload": os.urandom(64)}], created=(year - 1970) * 365.25 * DAY)
            digest = registry.push(clean_dockerd, built, "app")
            for entry in api.images():  # with its digest: nothing of it is left here
                if digest in (entry.get("RepoDigests") or ()) or entry["Id"] == built:
                    api.remove_image(entry["Id"], force=True)
            api.pull(f"{registry.address}/app", "1")
        assert len(api.images()) == 2
        task = make()

        assert objects(await task.plan(TARGET)) != set(), "two days later it may go"
        task._clock = time.time
        assert objects(await task.plan(TARGET)) == set(), "a moment after the pull it stays"

    def digest(self, name: str) -> str:
        return name.rpartition(":")[2]

    async def test_named_by_nobody_it_is_rubbish_where_it_has_no_tag(
        self, clean_dockerd: Dockerd, make: MakeTask, pinned: str
    ) -> None:
        tagged = bool(clean_dockerd.client.api.inspect_image(pinned)["RepoTags"])  # so on the containerd store

        plan = await cleaned(make())

        assert objects(plan) == (set() if tagged else {pinned})

    async def test_its_age_is_not_that_of_its_build(self, clean_dockerd: Dockerd, make: MakeTask, pinned: str) -> None:
        task = make()
        task._clock = time.time

        assert objects(await task.plan(TARGET)) == set()

    @pytest.mark.parametrize("place", ["compose.yaml", "compose.override.yaml", ".env", "base.yaml"])
    async def test_named_by_a_compose_file_it_stays_though_no_container_is_there(
        self, clean_dockerd: Dockerd, make: MakeTask, pinned: str, tmp_path: Path, place: str
    ) -> None:
        texts = {
            "compose.yaml": {
                "compose.yaml": f"services: {{web: {{image: '{pinned}'}}}}\n",
                ".env": "services: {web: {image: 'app@${DIGEST}'}}\n",
                "base.yaml": "services: {web: {extends: {file: base.yaml, service: web}}}\n",
            }.get(place, "services: {web: {image: 'app:1'}}\n"),
            "compose.override.yaml": f"services: {{web: {{image: '{pinned}'}}}}\n",
            ".env": f"DIGEST=sha256:{self.digest(pinned)}\n",
            "base.yaml": f"services: {{web: {{image: '{pinned}'}}}}\n",
        }
        for name in {"compose.yaml", place}:
            (tmp_path / name).write_text(texts[name])

        plan = await cleaned(make(str(tmp_path / "compose.yaml")))

        assert objects(plan) == set()
        assert clean_dockerd.client.api.inspect_image(pinned)

    async def test_the_projects_of_other_containers_are_read_as_well(
        self, clean_dockerd: Dockerd, make: MakeTask, compose: Callable[..., str], pinned: str, tmp_path: Path
    ) -> None:
        busybox = clean_dockerd.import_busybox()
        write_compose(
            tmp_path,
            f"services:\n  web: {{image: '{busybox}', command: sleep 1000, network_mode: none}}\n"
            f"  app: {{image: '{pinned}', command: [/payload], network_mode: none}}\n",
        )
        compose("up", "-d", "web")

        assert objects(await cleaned(make())) == set()
        assert clean_dockerd.client.api.inspect_image(pinned)

    async def test_a_container_that_is_not_measured_by_id_names_it(
        self, clean_dockerd: Dockerd, make: MakeTask, pinned: str
    ) -> None:
        clean_dockerd.client.containers.create(pinned, ["/payload"], name="app", labels={"upkeeper.keep": ""})

        assert objects(await cleaned(make())) == set()
        assert clean_dockerd.client.api.inspect_image(pinned)

    async def test_the_look_before_the_removal_reads_the_files_again(
        self, clean_dockerd: Dockerd, make: MakeTask, pinned: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "compose.yaml"
        file.write_text("services: {web: {image: 'app:1'}}\n")
        task = make(str(file))
        plan = await task.plan(TARGET)
        file.write_text(f"services: {{web: {{image: '{pinned}'}}}}\n")

        effects = [await task.apply(TARGET, action) for action in plan.actions]

        assert {effect.state for effect in effects} <= {"skipped"}
        assert clean_dockerd.client.api.inspect_image(pinned)

    async def test_a_file_that_cannot_be_read_keeps_what_it_may_name(
        self, clean_dockerd: Dockerd, make: MakeTask, pinned: str, tmp_path: Path
    ) -> None:
        compose_file = tmp_path / "compose.yaml"
        compose_file.mkdir()

        plan = await cleaned(make(str(compose_file)))

        assert objects(plan) == set()
        tagged = bool(clean_dockerd.client.api.inspect_image(pinned)["RepoTags"])
        assert tagged or any(str(compose_file) in note for note in plan.notes)
