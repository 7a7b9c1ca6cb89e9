"""`upkeeper diagnose` without a remediator, and the task of that name with its run."""

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from remediator.control.opening import open_core
from remediator.statedir import StateDir
from tests.upkeeper.commandline import invoke
from tests.upkeeper.served import serve
from upkeeper.look import diagnosis


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "PLANS_SECONDS", 0.5)  # apt takes long to plan


@pytest.fixture
def env(tmp_path: Path, migrated: Path) -> dict[str, str]:
    config = tmp_path / "upkeeper.yml"
    config.write_text(f'docker: {{host: "unix://{tmp_path}/none.sock"}}\n')
    (tmp_path / "state").mkdir()
    shutil.copy(migrated, StateDir(tmp_path / "state").database)
    return {"UPKEEPER_CONFIG": str(config), "UPKEEPER_STATE_DIR": str(tmp_path / "state")}


def names(path: Path) -> set[str]:
    with tarfile.open(path) as tar:
        return {name.partition("/")[2] for name in tar.getnames()}


async def test_the_task_makes_an_archive_and_the_command_one_about_its_run(env: dict[str, str], tmp_path: Path) -> None:
    ran = await invoke("run", "diagnose", "--json", env=env)
    assert ran.status == 0, ran.err
    run = json.loads(ran.out)
    assert run["outcome"] == "effective"
    shown = await invoke("show", str(run["id"]), "--save", tmp_path / "saved", env=env)
    assert shown.status == 0, shown.err
    (saved,) = (tmp_path / "saved").glob("*.tar.gz")
    assert {"manifest.json", "record/runs.json", "config/effective.yml", "versions.json"} <= names(saved)

    made = await invoke("diagnose", "--for", str(run["id"]), "--output", tmp_path / "it.tar.gz", "--json", env=env)
    assert made.status == 0, made.err
    assert f"record/run-{run['id']}.json" in names(tmp_path / "it.tar.gz")
    document = json.loads(made.out)
    assert document["manifest"]["run"] == run["id"]
    problems = {part["path"]: part["problem"] for part in document["manifest"]["parts"]}
    assert problems["docker/engine.json"].startswith("cannot reach the Docker engine")
    assert problems["record/runs.json"] == ""
    assert (tmp_path / "it.tar.gz").stat().st_mode & 0o777 == 0o600


async def test_a_remediator_elsewhere_collects_and_sends_it(env: dict[str, str], tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state")
    async with open_core(Path(env["UPKEEPER_CONFIG"]), state.root, engine=True) as core, serve(core) as url:
        env |= {"UPKEEPER_URL": url, "UPKEEPER_TOKEN_FILE": str(state.operator_token)}
        made = await invoke("diagnose", "--output", tmp_path / "it.tar.gz", env=env)
        assert made.status == 0, made.err
        assert {"manifest.json", "record/runs.json"} <= names(tmp_path / "it.tar.gz")
        (run,) = (await core.runs())["items"]
        assert (run["task"], run["outcome"]) == ("diagnose", "effective")


async def test_it_works_without_a_state_directory_and_makes_none(env: dict[str, str], tmp_path: Path) -> None:
    env["UPKEEPER_STATE_DIR"] = str(tmp_path / "nowhere")
    made = await invoke("diagnose", "--output", tmp_path, env=env)
    assert made.status == 0, made.err
    (archive,) = tmp_path.glob("upkeeper-diagnosis-*.tar.gz")
    assert "versions.json" in names(archive)
    assert "record/runs.json" not in names(archive)
    assert "record/runs.json" in made.out
    assert not (tmp_path / "nowhere").exists()


async def test_where_it_cannot_be_written_is_said(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    made = await invoke("diagnose", "--output", tmp_path / "file" / "x.tar.gz", env=env)
    assert made.status == 1
    assert "cannot write" in made.err
