"""Which digests the files of Compose projects name."""

from pathlib import Path

import pytest

from exporter.docker.objects import Container, Image, Usage
from exporter.findings.files import Unreadable
from exporter.findings.pinned_digests import PinnedDigests, named_in, projects_of, with_tag
from exporter.findings.project import Invocation

ONE, TWO, THREE = "1" * 64, "2" * 64, "3" * 64
LOOSE = Image(id="sha256:i", digests=(f"app@sha256:{ONE}",), origin="pulled")


def project(directory: Path, *names: str) -> Invocation:
    return Invocation(tuple(f"{directory}/{name}" for name in names))


def container(**labels: str) -> Container:
    prefix = "com.docker.compose.project."
    return Container("c", "c", "", "running", labels={prefix + key: value for key, value in labels.items()})


def test_every_file_of_a_project_counts(tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    (tmp_path / "compose.yaml").write_text(
        f"include: [common/more.yaml]\nservices: {{a: {{image: 'a@sha256:{ONE}'}}}}\n"
    )
    (tmp_path / "common" / "more.yaml").write_text(f"services: {{b: {{image: 'b:1@sha256:{TWO}'}}}}\n")
    (tmp_path / ".env").write_text(f"C={THREE}\nUNRELATED={'4' * 63}\n")

    assert named_in(project(tmp_path, "compose.yaml")).digests == {ONE, TWO, THREE}


def test_a_file_after_one_with_a_mistake_counts_too(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"services: [\n# {ONE}\n")
    (tmp_path / "b.yaml").write_text(f"services: {{b: {{image: 'b@sha256:{TWO}'}}}}\n")

    assert named_in(project(tmp_path, "a.yaml", "b.yaml")).digests == {ONE, TWO}


def test_what_does_not_exist_names_nothing_and_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    assert named_in(project(tmp_path, "compose.yaml")).digests == set()
    (tmp_path / "compose.yaml").mkdir()
    with pytest.raises(Unreadable):
        named_in(project(tmp_path, "compose.yaml"))


@pytest.mark.parametrize(
    ("labels", "files"),
    [
        ({}, []),
        ({"config_files": "/srv/a.yaml,/srv/b.yaml"}, [Invocation(("/srv/a.yaml", "/srv/b.yaml"))]),
        ({"config_files": "a.yaml", "working_dir": "/srv"}, [Invocation(("/srv/a.yaml",))]),
        (
            {"config_files": "/srv/a.yaml", "environment_file": "/srv/x.env,/srv/y.env"},
            [Invocation(("/srv/a.yaml",), ("/srv/x.env", "/srv/y.env"))],
        ),
        ({"config_files": "a.yaml"}, []),
    ],
)
def test_the_projects_of_containers(labels: dict[str, str], files: list[Invocation]) -> None:
    assert projects_of([container(**labels), container(**labels)]) == files


async def test_files_are_read_only_where_they_could_save_an_image(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.mkdir()
    pinned = PinnedDigests([str(file)])

    tagged = Image("i", tags=("app:1",))  # of which nobody asked where it comes from, as it stays in any case
    assert (await pinned.add_to(Usage(images=(tagged,)))).unread_projects == ()
    assert (await pinned.add_to(Usage(images=(LOOSE,)))).unread_projects == (str(file),)


async def test_configured_and_found_projects_count_and_env_files_given_to_compose(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"x: a@sha256:{ONE}\n")
    (tmp_path / "b.yaml").write_text("services: {}\n")
    (tmp_path / "b.env").write_text(f"TAG=app@sha256:{TWO}\n")
    found = container(config_files=f"{tmp_path}/b.yaml", environment_file=f"{tmp_path}/b.env")

    usage = await PinnedDigests([f"{tmp_path}/a.yaml"]).add_to(Usage(images=(LOOSE,), containers=(found,)))

    assert usage.named_digests == {ONE, TWO}


@pytest.mark.parametrize(
    ("image", "listed"),
    [
        ("app", "app:latest"),
        ("app:1", "app:1"),
        ("docker.io/library/app:1", "app:1"),
        ("docker.io/n8nio/n8n", "n8nio/n8n:latest"),
        ("host:5000/app", "host:5000/app:latest"),
        ("host:5000/app:2@sha256:abc", "host:5000/app:2"),
    ],
)
def test_an_image_as_the_engine_lists_it(image: str, listed: str) -> None:
    assert with_tag(image) == listed


def test_images_that_services_name_with_their_variables(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n  a: {image: 'n8nio/n8n:${TAG}'}\n  b: {image: postgres, profiles: [off]}\n  c: {build: .}\n"
    )
    (tmp_path / ".env").write_text("TAG=1.60\n")
    assert named_in(project(tmp_path, "compose.yaml")).images == {"n8nio/n8n:1.60", "postgres:latest"}
