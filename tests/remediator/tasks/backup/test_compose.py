"""A Compose project in a set: every file that it reads, and the images that it runs with."""

import os
import subprocess
from pathlib import Path

import pytest

from exporter.backups import manifest as manifests
from exporter.docker.engine import DockerEngine
from remediator.model.task import Effect, TaskError
from tests.docker_images import BUSYBOX
from tests.dockerd import Dockerd
from tests.remediator.tasks.backup.series import applied, made, series, task

FILES = {
    "compose.yaml": """
include: [more/compose.yaml]
services:
  n8n:
    image: n8nio/n8n:${TAG}
    extends: {file: base.yaml, service: base}
    env_file: [n8n.env, {path: absent.env, required: false}]
    secrets: [key]
secrets:
  key: {file: ./key.txt}
configs:
  c: {file: ./config.json}
""",
    "compose.override.yaml": "services: {n8n: {restart: always}}\n",
    "base.yaml": "services: {base: {image: x}}\n",
    "more/compose.yaml": "services: {db: {image: postgres:16, env_file: [../db.env]}}\n",
    ".env": "TAG=1.2\nN8N_ENCRYPTION_KEY=the-key\n",
    "n8n.env": "A=b\n",
    "db.env": "C=d\n",
    "key.txt": "secret",
    "config.json": "{}",
}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    (tmp_path / "sets").mkdir()
    for name, text in FILES.items():
        path = tmp_path / "pa" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    (tmp_path / "pa" / "unrelated").write_text("not of the project")
    return tmp_path


def archived(directory: Path, root: Path) -> set[str]:
    listed = subprocess.run(
        ["tar", "--zstd", "-tf", directory / "files.tar.zst"], check=True, capture_output=True, text=True
    ).stdout.split()
    return {os.path.relpath(f"/{name}", root) for name in listed}


async def test_every_file_of_the_project_is_in_the_set(house: Path) -> None:
    new = await made(task(series(house / "sets", {"compose": str(house / "pa" / "compose.yaml")})), house / "sets")
    assert archived(new, house / "pa") == set(FILES)
    (member,) = manifests.read(new)[0].members
    assert member.key == "files:files"
    assert "compose" not in member.facts, "there is no engine here"


async def test_without_an_engine_the_record_says_that_no_image_is_noted(house: Path) -> None:
    one = task(series(house / "sets", {"compose": str(house / "pa" / "compose.yaml")}))
    effects = await applied(one)
    assert isinstance(effects[0], Effect)
    assert "the images of the Compose project are not written down: " in effects[0].detail


async def test_a_file_of_a_directory_that_is_backed_up_is_there_once(house: Path) -> None:
    link = house / "link.yaml"
    link.symlink_to(house / "pa" / "compose.yaml")
    make = {"files": [str(house / "pa")], "compose": str(house / "pa" / "compose.yaml")}
    new = await made(task(series(house / "sets", make)), house / "sets")
    listed = subprocess.run(
        ["tar", "--zstd", "-tf", new / "files.tar.zst"], check=True, capture_output=True, text=True
    ).stdout.split()
    assert len(listed) == len(set(listed))
    assert "unrelated" in {Path(name).name for name in listed}


async def test_a_file_that_cannot_be_read_is_said_by_the_plan(house: Path) -> None:
    (house / "pa" / "n8n.env").unlink()
    one = task(series(house / "sets", {"compose": str(house / "pa" / "compose.yaml")}))
    with pytest.raises(TaskError, match=r"a file of make\.compose cannot be read: .*n8n\.env"):
        await one.plan("pa")
    gone = task(series(house / "sets", {"compose": str(house / "none.yaml")}))
    with pytest.raises(TaskError, match=r"a file of make\.compose cannot be read: .*none\.yaml"):
        await gone.plan("pa")


@pytest.mark.servers
async def test_images_are_noted_by_what_runs(house: Path, dockerd: Dockerd) -> None:
    dockerd.import_busybox()
    labels = {
        "com.docker.compose.project": "pa",
        "com.docker.compose.service": "n8n",
        "com.docker.compose.project.config_files": "compose.yaml,compose.override.yaml",
        "com.docker.compose.project.working_dir": str(house / "pa"),
    }
    container = dockerd.client.containers.create(BUSYBOX, ["true"], labels=labels)
    engine = DockerEngine(dockerd.host, 30.0)
    try:
        make = {"compose": str(house / "pa" / "compose.yaml")}
        new = await made(task(series(house / "sets", make), engine=engine), house / "sets")
    finally:
        container.remove(force=True)
        engine.close()
    (member,) = manifests.read(new)[0].members
    project = member.facts["compose"]
    assert project["services"]["n8n"]["image"] == "n8nio/n8n:1.2"
    assert project["services"]["n8n"]["id"] == container.attrs["Image"]
    assert project["services"]["n8n"]["tags"] == [BUSYBOX]
    assert project["services"]["db"] == {"image": "postgres:16"}
    assert project["engine"]
